# make demo   install, then train on the embedded digits (under a minute)
# make test   install, then run every test
# make test-floors  install the declared lowest versions elsewhere, then run the quick tests with them
# make check  install, then lint, types and import contracts
# make torture  install, then kill runs at every write, and compare what they end as (ten minutes at most)
# make bench  install, then the speed table, as Markdown and JSON; WHAT=step measures one part of it
# make bench-compare REV=v1  the same of another revision beside this one, in turns, and the ratios (WHAT=step: of a part)
# make bench-scale  how time and memory grow up to 20,000 classes and a million samples (a quarter of an hour)
# make docs   install, then the documentation site, in build/site
# make dist   build the wheel and the source distribution in dist/, check them, and install the wheel elsewhere
# make runtime  fetch onnxruntime-web, which rezsl export --format html puts into its pages (needs npm)
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FLOORS ?= .venv-floors
INSTALLED := $(VENV)/.installed
RUN_DIR ?= runs/demo

.PHONY: runtime demo test test-floors check torture bench bench-compare bench-scale docs dist format clean

RUNTIME := src/rezsl/play/runtime
RUNTIME_VERSION := $(shell sed -n 's/^RUNTIME_VERSION = "\(.*\)"/\1/p' src/rezsl/play/_standalone.py)

# Two files of 14 MB; they are part of a wheel that is built afterwards.
runtime:
	mkdir -p build $(RUNTIME)
	cd build && npm pack --silent onnxruntime-web@$(RUNTIME_VERSION)
	tar -xzf build/onnxruntime-web-$(RUNTIME_VERSION).tgz -C build package/package.json \
	  package/dist/ort.wasm.bundle.min.mjs package/dist/ort-wasm-simd-threaded.wasm
	cp build/package/dist/* build/package/package.json $(RUNTIME)

demo: $(INSTALLED)
	$(BIN)/rezsl demo --run-dir $(RUN_DIR)

# Compiled modules are kept even where a variable of the machine forbids it, because without them every process starts slowly.
test: $(INSTALLED)
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist worksteal

# Warnings of old packages about each other are no failures, and the runtime check of shapes needs a recent jaxtyping.
test-floors: $(FLOORS)/.installed
	$(FLOORS)/bin/python -m pytest -m "not slow" -o addopts="--strict-markers" -o filterwarnings=default tests/cli tests/classifier \
	  tests/data tests/estimators tests/evaluation tests/experiments tests/losses tests/metrics tests/models tests/regions tests/report \
	  tests/semantics tests/training

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

torture: $(INSTALLED)
	$(BIN)/python -m tests.torture

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks $(WHAT)

bench-compare: $(INSTALLED)
	$(BIN)/python -m benchmarks compare $(REV) $(WHAT)

bench-scale: $(INSTALLED)
	$(BIN)/python -m benchmarks scale

docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# The tools and the wheel have environments of their own, because the wheel must work without this tree.
dist:
	rm -rf dist build/release build/wheel
	$(PYTHON) -m venv build/release
	build/release/bin/python -m pip install --quiet build twine
	build/release/bin/python -m build --quiet
	build/release/bin/python -m twine check --strict dist/*
	$(PYTHON) -m venv build/wheel
	build/wheel/bin/python -m pip install --quiet --no-deps dist/*.whl
	cd build && wheel/bin/python -c "import rezsl; print('installed rezsl', rezsl.__version__)"

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The installation is repeated when one of these two files changes. constraints.txt has the exact versions.
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

# torch is the one package that is not at its lowest version, because registries keep small CPU builds of recent ones only.
$(FLOORS)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(FLOORS)
	$(FLOORS)/bin/python -m pip install --quiet --constraint constraints.txt torch uv
	$(FLOORS)/bin/python -m uv pip install --quiet --python $(FLOORS)/bin/python --resolution lowest-direct --editable '.[dev]'
	touch $@

$(VENV)/.docs: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@

clean:
	rm -rf $(VENV) $(FLOORS) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
