# Every target does its own set-up; `make help` lists them.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# Linux without an NVIDIA driver takes PyTorch's CPU build, which saves gigabytes of CUDA libraries.
# TORCH_INDEX= (empty) leaves the choice to pip's own configuration.
ifeq ($(shell uname -s)$(shell command -v nvidia-smi),Linux)
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
endif

# Images for `make bench`: tars, folders or images; the first is also used for speed, scaling and memory.
DATA ?=

.DEFAULT_GOAL := help
.PHONY: help venv demo test gpu browser check bench report clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1|\2/p' Makefile | awk -F'|' '{ printf "  make %-8s %s\n", $$1, $$2 }'

venv: $(VENV)/.torch ## create the virtual environment in .venv, with PyTorch

demo: $(VENV)/.plain ## compress and decompress the example photograph, beside PNG, WebP and JPEG XL
	$(BIN)/python bench/demo.py examples/photo.webp --out demo

# A file of tests is run by one process, so that its fixtures are made once; tests/conftest.py puts the longest first.
# Modules are compiled to bytecode once, for some hundred processes that import them.
test: $(VENV)/.test ## run the test suite
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

gpu: $(VENV)/.test $(VENV)/.bench ## test and measure on a CUDA device, and keep both logs: make gpu DATA=kodak.tar
	@test -n "$(DATA)" || { echo 'make gpu needs photographs: make gpu DATA=kodak.tar' >&2; exit 2; }
	$(BIN)/python -m pytest -m gpu -v > bench/results/gpu-tests.log 2>&1; \
	  status=$$?; cat bench/results/gpu-tests.log; exit $$status
	$(BIN)/python bench/gpu.py $(firstword $(DATA)) --out bench/results/gpu.json

browser: $(VENV)/.browser ## install what the test of the report in a browser drives Chromium with

check: $(VENV)/.dev ## lint, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.bench ## measure everything and rewrite the README's figures: make bench DATA="photos.tar kodak.tar"
	@test -n "$(DATA)" || { echo 'make bench needs images: make bench DATA="photos.tar kodak.tar"' >&2; exit 2; }
	for set in $(DATA); do name=$$(basename $$set); \
	  $(BIN)/pixzip bench $$set -o bench/results/$${name%.*} -f --threads 2 --heatmaps 0 || exit; done
	$(BIN)/python bench/speed.py $(firstword $(DATA)) --out bench/results/speed.json
	$(BIN)/python bench/speed.py $(firstword $(DATA)) --isa AVX2 --out bench/results/speed-avx2.json
	$(BIN)/python bench/scaling.py $(firstword $(DATA)) --out bench/results/scaling.json
	$(BIN)/python bench/memory.py $(firstword $(DATA)) --out bench/results/memory.json
	$(BIN)/python bench/report.py

report: $(VENV)/.bench ## rewrite the README's figures from bench/results
	$(BIN)/python bench/report.py

clean: ## remove what the other targets made, the virtual environment included
	rm -rf $(VENV) build dist demo *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find pixzip codecs tests bench -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("pixzip needs Python 3.11 or later" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.torch: $(BIN)/python constraints.txt
	$(PIP) --retries 1 $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) torch
	@touch $@

# Editable, so that the sources here run.
$(VENV)/.plain: $(BIN)/python pyproject.toml
	$(PIP) -e .
	@touch $@

$(VENV)/.bench $(VENV)/.test $(VENV)/.browser $(VENV)/.dev: $(VENV)/.%: $(VENV)/.torch pyproject.toml
	$(PIP) -e '.[$*]'
	@touch $@
