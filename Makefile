# make demo: adapt, evaluate and show on MiniCity.   make test: the test suite.
# Both create .venv and install what is needed if that has not happened. PYTHON=python3.12 chooses the interpreter.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-slow clean

demo: $(STAMP)
	$(BIN)/python tools/demo.py

test: $(STAMP)
	$(BIN)/python -m pytest tests projects -m "not slow"

test-slow: $(STAMP)
	$(BIN)/python -m pytest tests projects -m slow

$(STAMP): setup.py mmuda/version.py requirements/runtime.txt requirements/tests.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --editable '.[tests]'
	touch $(STAMP)

clean:
	rm -rf $(VENV) build *.egg-info work_dirs/demo
