# normlab: `make lab` to learn, `make test` to check, `make course` after editing source/.

PYTHON ?= python3
# The port JupyterLab serves on.
PORT ?= 8888
# How many tests run side by side.
JOBS ?= 2
# An extra package index, for the CPU build of PyTorch (docs/install.md, "The CPU build of PyTorch").
TORCH_INDEX ?=

VENV := .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	--constraint constraints.txt $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
PYTHON_FILES := normlab tests benchmarks source docs

.PHONY: help lab test quick course lint style format update browser screenshot cheat-sheet site slides clean

help:
	@echo "make lab      open the course in JupyterLab (PORT=8888)"
	@echo "make test     lint, unit tests, every notebook, every exercise"
	@echo "make quick    lint, types and the quickest tests, in seconds"
	@echo "make course   rebuild notebooks/, exercises/ and solutions/ from source/, but for what you wrote in"
	@echo "make browser  run the notebooks in headless Chromium, through JupyterLab's own menu"
	@echo "make site     build the course as a website in build/site, for any web server or none"
	@echo "make slides   make a lecture of each lesson in build/slides, for any browser"
	@echo "make screenshot  film the README's moving picture (needs Chromium)"
	@echo "make cheat-sheet  draw the cheat sheet of all norms again, as PDF, PNG and in words"
	@echo "make format   format the Python code"
	@echo "make update   resolve the versions in constraints.txt and environment.yml anew"
	@echo "make clean    remove the virtual environment and caches"

$(VENV)/pyvenv.cfg:
	$(PYTHON) -c "import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 15) else 'normlab needs Python 3.11 to 3.14; this is ' + sys.version.split()[0] + '. Try: make PYTHON=python3.12')"
	$(PYTHON) -m venv $(VENV)

# What a learner needs.
$(VENV)/ready-to-learn: $(VENV)/pyvenv.cfg pyproject.toml constraints.txt
	@echo "Installing normlab and what it needs into $(VENV). The first time takes a few minutes."
	$(PIP_INSTALL) --editable ".[lab]"
	@touch $@

# What tests and `make course` need on top.
$(VENV)/ready-to-make: $(VENV)/ready-to-learn
	@echo "Installing the tools that test and build the course."
	$(PIP_INSTALL) --editable ".[lab,dev]"
	@touch $@

# What the website and the lectures need on top of that.
$(VENV)/ready-to-publish: $(VENV)/ready-to-make
	@echo "Installing the tools that build the website and the lectures."
	$(PIP_INSTALL) --editable ".[lab,dev,site]"
	@touch $@

lab: $(VENV)/ready-to-learn
	$(BIN)/normlab lab --port $(PORT)

# One file's tests stay in one process, so that a notebook's cells run in their order.
# Bytecode is kept, even where somebody's image forbids it: two hundred processes import normlab.
# Types are looked at by tests/test_types.py, beside the other tests.
test: style
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest tests notebooks solutions docs/gallery.ipynb --ignore tests/browser \
		--nbval --nbval-current-env --nbval-sanitize-with tests/nbval_sanitize.cfg \
		--numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder --max-worker-restart 0

course: $(VENV)/ready-to-make
	$(BIN)/python source/counts.py
	$(BIN)/python source/build.py

lint: style
	$(BIN)/mypy

style: $(VENV)/ready-to-make
	$(BIN)/ruff check $(PYTHON_FILES)
	$(BIN)/ruff format --check $(PYTHON_FILES)

# For the inner loop: what breaks first, without notebooks, grading or training.
quick: lint
	$(BIN)/python -m pytest --quiet --exitfirst tests/data tests/claims tests/nn/test_layers.py \
		tests/nn/test_reading.py tests/parity

# In a fresh environment, of the Python that the pins are for. torch stays as it is, since the
# committed outputs are its; TORCH= names another, and then `make course` comes next.
TORCH ?= $(shell sed -n 's/^torch==//p' constraints.txt)
update:
	rm -rf build/update
	$(PYTHON) -m venv build/update
	build/update/$(notdir $(BIN))/python -m pip install --quiet --disable-pip-version-check \
		$(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) "torch==$(TORCH)" ".[lab,dev,site]"
	build/update/$(notdir $(BIN))/python source/update_pins.py

format: $(VENV)/ready-to-make
	$(BIN)/ruff check --fix $(PYTHON_FILES)
	$(BIN)/ruff format $(PYTHON_FILES)

site: $(VENV)/ready-to-publish
	$(BIN)/python docs/site/build.py

slides: $(VENV)/ready-to-publish
	$(BIN)/python docs/slides.py

browser: site slides
	$(BIN)/python -m pytest tests/browser

screenshot: $(VENV)/ready-to-make
	$(BIN)/python tests/browser/moving_picture.py \
		docs/who_shares_my_mean.png docs/who_shares_my_mean_still.png

cheat-sheet: $(VENV)/ready-to-learn
	$(BIN)/python docs/cheat_sheet.py

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
