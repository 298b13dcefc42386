# Everything runs with the tools of .venv; elsewhere: make BIN=/path/to/bin check
BIN ?= .venv/bin

.PHONY: check format lint types test nightly editors fix docs build

check: format lint types test

format:
	$(BIN)/ruff format --check .

lint:
	$(BIN)/ruff check .
	$(BIN)/python docs/generate.py --check

types:
	$(BIN)/mypy

test:
	$(BIN)/pytest -q -n auto

# The long forms of tests/reliability, some hours: what they show stands in docs/reliability.md.
nightly:
	VEOPIPE_LONG=1 VEOPIPE_FUZZ=nightly $(BIN)/pytest -q -n auto -rA --timeout 14400 tests/reliability
	$(BIN)/python tests/reliability/soak.py --shots 300 --seeds 1 2 3 4 5

# Fetches yaml-language-server, Ajv, check-jsonschema and pre-commit into a temporary folder.
editors:
	VEOPIPE_EDITOR_TESTS=1 $(BIN)/pytest -q tests/editors

fix:
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs:
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/make_picture.py

build:
	$(BIN)/python -m build
