# make demo: sets everything up and runs the main job. make test: sets everything up and passes the tests.
PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: setup demo test test-slow lint format bench clean

setup: .venv/.stamp

# torch first: any other order lets a dependency pull its newest build.
.venv/.stamp: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet "torch==2.13.0"
	$(BIN)/pip install --quiet --editable ".[dev]"
	touch $@

demo: setup
	$(BIN)/porl-robot demo

test: setup
	$(BIN)/python -m pytest

test-slow: setup
	$(BIN)/python -m pytest -m slow

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: setup
	$(BIN)/python benchmarks/learning.py

clean:
	rm -rf .venv
