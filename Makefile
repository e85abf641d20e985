PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TVM_SHORT := $(addprefix tests/kernels/,conv/test_conv_blocked.py conv/test_conv_winograd.py integer/test_quant_gemm.py lookup/test_lookup_conv.py reduce/test_softmax_vector.py)
TVM_TESTS := $(TVM_SHORT) $(addprefix tests/kernels/,attention conv/test_conv_depthwise.py conv/test_conv_transpose_blocked.py \
	gemm/test_gemm.py integer/test_quant_depthwise.py integer/test_quantize.py move/test_relayout.py packed/test_hybrid_winograd.py \
	move/test_transpose.py pointwise/test_unary_vector.py pool/test_pool_blocked.py \
	recurrent/test_recurrent.py reduce/test_arg_planes.py reduce/test_extreme_vector.py reduce/test_layer_normalization_vector.py sparse/test_csr_conv.py)

TVM_OWN = $(VENV)-tvm/bin/python -m pytest -n 2 --dist loadfile $(wildcard tests/edgeopt/test_tvm*.py)

.PHONY: demo test test-tune test-explore test-tvm test-tvm-short docs lint coverage digits clean

demo: $(READY)
	$(BIN)/python examples/demo.py
	@echo 'edgeopt is in $(VENV): . $(BIN)/activate'

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile

# training by gradients, in an environment of its own with the extra
test-tune: $(VENV)-tune/.ready
	$(VENV)-tune/bin/python -m pytest -n 2 --dist loadfile tests/edgeopt/training

# explorations, in an environment of its own with the extra
test-explore: $(VENV)-explore/.ready
	$(VENV)-explore/bin/python -m pytest tests/edgeopt/explore

# the documentation as a site, in site/; nothing is fetched while it is built
docs: $(VENV)-docs/.ready
	$(VENV)-docs/bin/python -m mkdocs build --strict

# the second back end, in an environment of its own with the extra: its own tests, and those of kernels of each kind with its code,
# as many as take ten minutes on two cores
test-tvm: $(VENV)-tvm/.ready
	$(TVM_OWN)
	EDGEOPT_TEST_BACKEND=tvm $(VENV)-tvm/bin/python -m pytest -n 2 --dist loadfile $(TVM_TESTS)

# the same for continuous integration: one file of kernels of each kind; two to five minutes, by the processor
test-tvm-short: $(VENV)-tvm/.ready
	timeout 600 sh -c '$(TVM_OWN) && EDGEOPT_TEST_BACKEND=tvm $(VENV)-tvm/bin/python -m pytest -n 2 --dist loadfile $(TVM_SHORT)'

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/mypy

# docs/coverage.md: which of ONNX's own node tests pass, natively or by fallback
coverage: $(READY)
	$(BIN)/python -m edgeopt.conformance.coverage

digits: $(READY)
	$(BIN)/python -m examples.train_digits

$(READY): pyproject.toml
	@echo 'installing into $(VENV): minutes, most of it downloads'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -e '.[dev]'
	touch $@

# an environment with one extra
$(VENV)-%/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)-$*
	$(VENV)-$*/bin/python -m pip install -q -e '.[dev,$*]'
	touch $@

$(VENV)-docs/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)-docs
	$(VENV)-docs/bin/python -m pip install -q -e '.[docs]'
	touch $@

clean:
	rm -rf build dist site $(VENV)-docs $(VENV) $(VENV)-tune $(VENV)-tvm $(VENV)-explore
