# Everything runs in a virtual environment of its own; only Python 3.10+, git and make are needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: demo test test-long fuzz golden lint docs transcripts bench calibrate accuracy clean

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

$(VENV)/.docs: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --quiet -e '.[docs]'
	touch $@ $(VENV)/.runtime

# An editable install compiles nothing; where Python may not write bytecode by itself, every start would compile anew.
$(VENV)/.compiled: $(VENV)/.runtime
	$(BIN)/python -m compileall -q llmperf
	touch $@

demo: $(VENV)/.compiled ## One answer in the terminal: 200 users of gpt-oss-120b, on which chips, how many, at what cost.
	$(BIN)/llmperf size --model gpt-oss-120b --users 200 --speed 30tok/s --ttft 2s --input 2k --output 500 --hardware h100-sxm,h200-sxm,mi300x --engine vllm

test: $(VENV)/.test ## The tests, on all cores, but for the long ones.
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not long"

test-long: $(VENV)/.test ## Tests of minutes: installations, the whole evidence, wide searches for counterexamples.
	$(BIN)/python -m pytest -n auto --dist worksteal -m long

FUZZ ?= 2000
fuzz: $(VENV)/.test ## Spoiled files for every reader, FUZZ of each, others in every run (about an hour of one core).
	LLMPERF_FUZZ=$(FUZZ) $(BIN)/python -m pytest -n auto --dist worksteal tests/files/test_fuzz.py

golden: $(VENV)/.test ## Record anew what every command answers to the scenarios of tests/golden.
	PYTHONPATH=tests $(BIN)/python -m golden.record

lint: $(VENV)/.dev ## Style, types and the direction of imports.
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.docs ## The documentation, into site/: no warning, nothing fetched from elsewhere, no dead link.
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	$(BIN)/python docs/generator/offline.py site

transcripts: $(VENV)/.runtime ## Write what commands print today into the documents that show it.
	$(BIN)/python docs/generator/transcripts.py

bench: $(VENV)/.test $(VENV)/.compiled ## Speed and memory of one estimate, of arrays, and of cold commands, beside their budgets.
	$(BIN)/python -m benchmarks

, := ,
HOPPER := h100-sxm,h200-sxm
BLACKWELL := b200-sxm,b300-sxm,gb200,gb300
CALIBRATE := $(BIN)/llmperf calibrate --force --samples 10
define chip
	$(CALIBRATE) --hardware $(1) --base $(2) --output hardware/achieved/$(1).yaml
endef
define class
	$(CALIBRATE) --hardware $(2) --name $(1) --base $(3) --output hardware/achieved/$(1).yaml
endef

calibrate: $(VENV)/.test ## Refit every constant of the catalog from the kernel times that ship (about 5 minutes).
	$(call class,gpu-datacenter,a100-sxm-80gb$(,)$(HOPPER)$(,)$(BLACKWELL),gpu)
	$(call class,gpu-hopper,$(HOPPER),gpu-hopper-published)
	$(call class,gpu-blackwell,$(BLACKWELL),gpu-datacenter)
	$(call class,gpu-gddr,l40s$(,)rtx-pro-6000,gpu-datacenter)
	$(call chip,v100-sxm-16gb,gpu-datacenter)
	$(call chip,v100-pcie-16gb,gpu-datacenter)
	$(call chip,a100-sxm-80gb,gpu-datacenter)
	$(call chip,a40,gpu-gddr)
	$(call chip,l40s,gpu-gddr)
	$(call chip,rtx-pro-6000,gpu-gddr)
	$(call chip,h100-sxm,gpu-hopper)
	$(call chip,h200-sxm,gpu-hopper)
	$(call chip,h800-sxm,gpu-hopper)
	$(call chip,h20,gpu-hopper-cut)
	$(call chip,b200-sxm,gpu-blackwell)
	$(call chip,b300-sxm,gpu-blackwell)
	$(call chip,gb200,gpu-blackwell)
	$(call chip,gb300,gpu-blackwell)
	$(call chip,mi210,gpu-datacenter-amd)
	$(call chip,arc-pro-b60,gpu-datacenter)

accuracy: $(VENV)/.test ## Recompute the evidence that ships: error bands, docs/accuracy.md and docs/published.md.
	$(BIN)/llmperf validate --bands workloads/published/data/bands.json --markdown docs/accuracy.md --force
	$(BIN)/llmperf validate --shipped claims --markdown docs/published.md --force

clean:
	rm -rf $(VENV) site build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
