# Everything runs in a virtual environment of its own; only Python 3.10+, git and make are needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: demo test lint bench clean

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --quiet -e .
	touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --quiet -e '.[test]'
	touch $@ $(VENV)/.runtime

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --quiet -e '.[dev]'
	touch $@ $(VENV)/.test $(VENV)/.runtime

# An editable install compiles nothing; where Python may not write bytecode by itself, every start would compile anew.
$(VENV)/.compiled: $(VENV)/.runtime
	$(BIN)/python -m compileall -q llmperf
	touch $@

demo: $(VENV)/.compiled ## One answer in the terminal: Llama-3.1-70B in FP8 on eight H100.
	$(BIN)/llmperf estimate --model llama-3.1-70b --weights fp8 --hardware h100-sxm --tp 8 --batch 32 --input 2048 --output 256

test: $(VENV)/.test ## The tests.
	$(BIN)/python -m pytest

lint: $(VENV)/.dev ## Style, types and the direction of imports.
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.test $(VENV)/.compiled ## Speed of one estimate, of arrays, and of the cold command line; peak memory.
	$(BIN)/python tests/bench.py

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
