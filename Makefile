# Everything a contributor runs. A fresh machine needs Python >= 3.10 with venv, a C++17 compiler, make and a package
# registry; `make run` and `make test` set up .venv by themselves. PYTHON chooses the interpreter it is made from.

PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2
MUTANTS ?= 100000
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint .ci/constraints.txt
NATIVE := $(wildcard runtime/native/*.cpp runtime/native/*.h runtime/native/*.hpp)
GENERATORS := tfmbs.runtime.abi.cpp_header tfmbs.runtime.abi.docs tfmbs.runtime.abi.special_render tfmbs.dialect.irdl tfmbs.dialect.page tfmbs.passes.page
INSTALLED_FROM := pyproject.toml CMakeLists.txt .ci/constraints.txt $(NATIVE)

.DEFAULT_GOAL := help
.PHONY: help run test lint unit native fuzz docs wheel-matrix train clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-13s %s\n", $$1, $$2}'

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("tfmbs needs Python 3.10 or later") if sys.version_info < (3, 10) else None'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run-ready: $(BIN)/python $(INSTALLED_FROM)
	$(PIP) --editable '.[compiler,examples]'
	@touch $@

$(VENV)/.test-ready: $(BIN)/python $(INSTALLED_FROM)
	$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.run-ready

run: $(VENV)/.run-ready ## Compile the digit networks, run all held-out digits, print the table of results
	$(BIN)/python -m examples.digits.run

test: lint unit ## Lint, type-check, layer check, then every test

unit: $(VENV)/.test-ready ## Every test (pytest; the lit tests are among them)
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile tests

lint: $(VENV)/.test-ready ## ruff, mypy and the import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

native: ## Build the native extension beside the sources, for PYTHONPATH=src (SANITIZE=address,undefined)
	$(PYTHON) -m cmake -S . -B build/native -DPython_EXECUTABLE="$$(command -v $(PYTHON))" \
	    -Dnanobind_ROOT="$$($(PYTHON) -m nanobind --cmake_dir)" -DTFMBS_SANITIZE=$(SANITIZE) >/dev/null
	$(PYTHON) -m cmake --build build/native -j $(JOBS)
	cp build/native/_native*.so runtime/

fuzz: $(VENV)/.test-ready ## Load and run 100,000 re-signed mutants of the golden binaries on sanitized native code
	$(BIN)/python -m cmake -S . -B build/sanitized -DPython_EXECUTABLE="$(abspath $(BIN))/python" \
	    -DCMAKE_CXX_COMPILER="$(CXX)" -Dnanobind_ROOT="$$($(BIN)/python -m nanobind --cmake_dir)" \
	    -DTFMBS_SANITIZE=address,undefined >/dev/null
	$(BIN)/python -m cmake --build build/sanitized -j $(JOBS)
	LD_PRELOAD="$$($(CXX) -print-file-name=libasan.so) $$($(CXX) -print-file-name=libstdc++.so)" ASAN_OPTIONS=detect_leaks=0 \
	    $(BIN)/python -m tests.fuzz.mutate_container --count $(MUTANTS) --jobs $(JOBS) \
	    --native "$$(echo build/sanitized/_native*.so)"

docs: $(VENV)/.test-ready ## Write the generated headers and pages again (tests check that they are fresh)
	for module in $(GENERATORS); do $(BIN)/python -m $$module || exit; done

train: $(VENV)/.test-ready ## Train the digit networks again and write their ONNX files
	$(BIN)/python -m examples.digits.train

wheel-matrix: $(VENV)/.test-ready ## Build sdist and wheels, install and smoke-test them on CPython 3.10 to 3.13
	$(BIN)/python .ci/wheel_matrix.py

clean: ## Remove what was built
	rm -rf build dist $(VENV) runtime/_native*.so
