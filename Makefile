# make demo: adapt, evaluate and show on MiniCity.   make test: the test suite.
# Both create .venv and install what is needed if that has not happened. PYTHON=python3.12 chooses the interpreter.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# One stamp for each interpreter: another one makes the environment anew.
VERSION := $(shell $(PYTHON) -c "import sys; print('%d.%d' % sys.version_info[:2])")
STAMP := $(VENV)/.installed-$(VERSION)

.PHONY: demo test test-slow clean

demo: $(STAMP)
	$(BIN)/python tools/demo.py

# Two processes of one thread each: half the time of one process on two cores. By its number of tests, the longest file would be
# the last to begin.
test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests projects -m "not slow" -n 2 --dist loadfile --no-loadscope-reorder

test-slow: $(STAMP)
	$(BIN)/python -m pytest tests projects -m slow

$(STAMP): setup.py mmuda/version.py requirements/runtime.txt requirements/tests.txt
	@test -n "$(VERSION)" || { echo "$(PYTHON) does not run: choose an interpreter with PYTHON=..."; exit 1; }
	test -f $@ || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --editable '.[tests]'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info work_dirs/demo
