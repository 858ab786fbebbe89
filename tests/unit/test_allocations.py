"""A run allocates nothing in native code once the context has run before: counted by an allocator in its place."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conformance.builder import Builder
from tests.unit.test_native import image as one_of_each_kind
from tests.unit.test_threads import chain
from tfmbs.runtime import _native
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.types import DType, Packing
from tfmbs.runtime.devices.emulator import Emulator

SOURCE = Path(__file__).with_name("count_allocations.cpp")
F32, I8, I32 = DType.F32, DType.I8, DType.I32
RUNS = 20


def computed() -> Image:
    """Products of two inputs, whose right operands are packed in each run."""
    builder = Builder()
    a, b = builder.input("a", (2, 300, 40), F32), builder.input("b", (2, 600, 40), F32)
    builder.gemm(a, b, builder.output("y", (2, 300, 600), F32), batch=2, m=300, n=600, k=40)
    builder.gemm(builder.view(b, (2, 600, 40)), a, builder.output("z", (2, 600, 300), F32), batch=2, m=600, n=300, k=40)
    return builder.image()


def integers() -> Image:
    """Ternary and int8 products, for one row and for many."""
    builder, rng = Builder(), np.random.default_rng(1)
    for name, rows in (("one", 1), ("many", 70)):
        x = builder.input(name, (rows, 320), I8)
        for packing, values in ((Packing.PT5, 1), (Packing.T2, 1), (Packing.DENSE, 127)):
            weights = builder.constant(rng.integers(-values, values + 1, (640, 320)).astype(np.int8), packing)
            out = builder.output(f"{name} {packing.name}", (rows, 640), I32)
            builder.gemm(x, weights, out, m=rows, n=640, k=320)
    return builder.image()


IMAGES = {"chain": chain, "one of each kind": one_of_each_kind, "computed": computed, "integers": integers}


def count(name: str, threads: int) -> list[int]:
    """Calls of the allocator in each of some runs, without what Python needs for one."""
    allocations: Any = ctypes.CDLL(None).allocations
    allocations.restype = ctypes.c_ulong
    image = IMAGES[name]()
    device = Emulator(image)
    context = device.context(threads)
    entry = device.entry("main")
    inputs: list[Any] = [np.ones(argument.shape, argument.dtype) for argument in entry.inputs]
    outputs: list[Any] = [np.zeros(argument.shape, argument.dtype) for argument in entry.outputs]
    native: _native.Context = context.native
    counts = []
    for _ in range(RUNS):
        before = allocations()
        native.run(device.whole.native, 0, inputs, outputs)
        counts.append(allocations() - before)
    return counts


@pytest.fixture(scope="module")
def allocator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if sys.platform != "linux":
        pytest.skip("the allocator cannot be replaced like this on this system")
    compiler = os.environ.get("CXX") or shutil.which("c++")
    assert compiler, "a C++ compiler is a prerequisite of the project"
    library = tmp_path_factory.mktemp("allocator") / "count.so"
    command = [
        compiler,
        "-std=c++17",
        "-O1",
        "-shared",
        "-fPIC",
        "-fno-builtin",
        str(SOURCE),
        "-o",
        str(library),
        "-ldl",
    ]
    subprocess.run(command, check=True)
    return library


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", IMAGES)
def test_a_context_that_has_run_before_allocates_nothing(name: str, threads: int, allocator: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-m", __name__, name, str(threads)]
    environment = {**os.environ, "LD_PRELOAD": str(allocator)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    first, *others = json.loads(done.stdout)
    assert first > 0  # it is counted
    if threads == 1:
        assert others == [0] * (RUNS - 1)
    else:  # a thread may come too late to take part in the first runs
        assert sum(count > 0 for count in others) <= 2


if __name__ == "__main__":
    sys.stdout.write(json.dumps(count(sys.argv[1], int(sys.argv[2]))))
