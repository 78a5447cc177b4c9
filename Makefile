# make demo   install, then train on the embedded digits (under a minute)
# make test   install, then run every test
# make check  install, then lint, types and import contracts
# make torture  install, then kill runs at every write, and compare what they end as (ten minutes at most)
# make bench  install, then the speed table
# make docs   install, then the documentation site, in build/site
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
RUN_DIR ?= runs/demo

.PHONY: demo test check torture bench docs format clean

demo: $(INSTALLED)
	$(BIN)/rezsl demo --run-dir $(RUN_DIR)

test: $(INSTALLED)
	$(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

torture: $(INSTALLED)
	$(BIN)/python -m tests.torture

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The installation is repeated when one of these two files changes. constraints.txt has the exact versions.
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

$(VENV)/.docs: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
