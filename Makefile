PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TVM_TESTS := tests/kernels/conv tests/kernels/gemm tests/kernels/move

.PHONY: demo test test-tune test-explore test-tvm lint coverage digits clean

demo: $(READY)
	$(BIN)/python examples/demo.py

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile

# training by gradients, in an environment of its own with the extra
test-tune: $(VENV)-tune/.ready
	$(VENV)-tune/bin/python -m pytest -n 2 --dist loadfile tests/edgeopt/training

# explorations, in an environment of its own with the extra
test-explore: $(VENV)-explore/.ready
	$(VENV)-explore/bin/python -m pytest tests/edgeopt/explore

# the second back end, in an environment of its own with the extra: its own tests, and those of the kernels with its code
test-tvm: $(VENV)-tvm/.ready
	$(VENV)-tvm/bin/python -m pytest -n 2 --dist loadfile tests/edgeopt/test_tvm.py
	EDGEOPT_TEST_BACKEND=tvm $(VENV)-tvm/bin/python -m pytest -n 2 --dist loadfile $(TVM_TESTS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/mypy

# docs/coverage.md: which of ONNX's own node tests pass, natively or by fallback
coverage: $(READY)
	$(BIN)/python -m edgeopt.conformance.coverage

digits: $(READY)
	$(BIN)/python -m examples.train_digits

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -e '.[dev]'
	touch $@

$(VENV)-tune/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)-tune
	$(VENV)-tune/bin/python -m pip install -q -e '.[dev,tune]'
	touch $@

$(VENV)-tvm/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)-tvm
	$(VENV)-tvm/bin/python -m pip install -q -e '.[dev,tvm]'
	touch $@

$(VENV)-explore/.ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)-explore
	$(VENV)-explore/bin/python -m pip install -q -e '.[dev,explore]'
	touch $@

clean:
	rm -rf build dist $(VENV) $(VENV)-tune $(VENV)-tvm $(VENV)-explore
