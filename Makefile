# normlab: `make lab` to learn, `make test` to check, `make course` after editing source/.

PYTHON ?= python3
# The port JupyterLab serves on.
PORT ?= 8888
# An extra package index, for the CPU build of PyTorch (README, "The CPU build of PyTorch").
TORCH_INDEX ?=

VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	--constraint constraints.txt $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
PYTHON_FILES := normlab tests benchmarks source

.PHONY: help lab test course lint format browser clean

help:
	@echo "make lab      open the course in JupyterLab (PORT=8888)"
	@echo "make test     lint, unit tests, every notebook, every exercise"
	@echo "make course   rebuild notebooks/, exercises/ and solutions/ from source/"
	@echo "make browser  run lesson 05 in headless Chromium, through JupyterLab's own menu"
	@echo "make format   format the Python code"
	@echo "make clean    remove the virtual environment and caches"

$(BIN)/python:
	$(PYTHON) -c "import sys; sys.exit(0 if sys.version_info >= (3, 11) else 'normlab needs Python 3.11 or newer; this is ' + sys.version.split()[0] + '. Try: make PYTHON=python3.12')"
	$(PYTHON) -m venv $(VENV)

# What a learner needs.
$(VENV)/ready-to-learn: $(BIN)/python pyproject.toml constraints.txt
	@echo "Installing normlab and what it needs into $(VENV). The first time takes a few minutes."
	$(PIP_INSTALL) --editable .
	@touch $@

# What tests and `make course` need on top.
$(VENV)/ready-to-make: $(VENV)/ready-to-learn
	@echo "Installing the tools that test and build the course."
	$(PIP_INSTALL) --editable ".[dev]"
	@touch $@

lab: $(VENV)/ready-to-learn
	$(BIN)/normlab lab --port $(PORT)

test: lint
	$(BIN)/python -m pytest tests notebooks solutions \
		--nbval --nbval-current-env --nbval-sanitize-with tests/nbval_sanitize.cfg

course: $(VENV)/ready-to-make
	$(BIN)/python source/build.py

lint: $(VENV)/ready-to-make
	$(BIN)/ruff check $(PYTHON_FILES)
	$(BIN)/ruff format --check $(PYTHON_FILES)

format: $(VENV)/ready-to-make
	$(BIN)/ruff check --fix $(PYTHON_FILES)
	$(BIN)/ruff format $(PYTHON_FILES)

browser: $(VENV)/ready-to-make
	$(BIN)/python -m pytest tests/browser

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
