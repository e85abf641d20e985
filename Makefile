PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test lint coverage digits clean

demo: $(READY)
	$(BIN)/python examples/demo.py

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile

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

clean:
	rm -rf build dist $(VENV)
