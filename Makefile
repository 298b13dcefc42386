# Everything runs with the tools of .venv; elsewhere: make BIN=/path/to/bin check
BIN ?= .venv/bin

.PHONY: check format lint types test slow engine browser nightly editors fix docs build

check: format lint types test

format:
	$(BIN)/ruff format --check .

lint:
	$(BIN)/ruff check .
	$(BIN)/python docs/generate.py --check

types:
	$(BIN)/mypy

# The fast tests; the slow proofs are the ones that CI runs as well.
test:
	$(BIN)/pytest -q -n auto

slow:
	$(BIN)/pytest -q -n auto -m slow

# Real stores and engines: SeaweedFS and Dask, which the extra `dev` brings.
engine:
	$(BIN)/pytest -q -n auto -m engine

# The HTML report in a real Chromium: needs chromium and its chromedriver, which no Python package brings.
browser:
	$(BIN)/pip install -q -e '.[browser]'
	$(BIN)/pytest -q -m browser tests/report

# The long forms, for a night. The last lines are its figures: a table for
# docs/reliability.md, and the same as JSON.
nightly:
	VEOPIPE_LONG=1 $(BIN)/pytest -q -n auto -m "not browser" --timeout 3600 tests/sweeps tests/wire tests/hostile tests/acceptance

# Fetches yaml-language-server, Ajv, check-jsonschema and pre-commit into a temporary folder.
editors:
	VEOPIPE_EDITOR_TESTS=1 $(BIN)/pytest -q -m "not browser" tests/editors

fix:
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs:
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/make_picture.py

build:
	$(BIN)/python -m build
