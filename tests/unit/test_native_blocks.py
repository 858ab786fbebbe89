"""Blocks of integer products on AMX and on the model of its tiles: on threads of every kind, and in children of forks.

The system permits a process to use tiles, and saves them for each thread of it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conformance.builder import Builder
from tests.native import for_child
from tfmbs.runtime import _native
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.devices.emulator import ISA_VARIABLE, Emulator

BLOCKED = [isa for isa in (*_native.instruction_sets(), *_native.modelled_sets()) if isa.startswith("amx")]
M, N, K = 150, 650, 330
"""Blocks for several threads, the last ones with rows, columns and steps that do not fill them."""

RNG = np.random.default_rng(7)
X = RNG.integers(-128, 128, (M, K)).astype(np.int8)
W = RNG.integers(-127, 128, (N, K)).astype(np.int8)
EXPECTED = (X.astype(np.int32) @ W.T.astype(np.int32)).tobytes()

pytestmark = pytest.mark.skipif(not BLOCKED, reason="neither AMX nor its model, which needs AVX-512 VNNI")


def product() -> Image:
    builder = Builder()
    x, out = builder.input("x", (M, K), DType.I8), builder.output("y", (M, N), DType.I32)
    builder.gemm(x, builder.constant(W), out, m=M, n=N, k=K)
    return builder.image()


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize("isa", BLOCKED)
def test_threads_of_a_context(isa: str, threads: int) -> None:
    context = Emulator(product(), isa).context(threads)
    for _ in range(20):
        assert context.run("main", {"x": X})["y"].tobytes() == EXPECTED


PROCESS = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
pool = ThreadPoolExecutor(2)
list(pool.map(abs, range(100)))  # its threads are there before the first block
import numpy as np
import tfmbs
x, expected = np.load(sys.argv[2]), np.load(sys.argv[3]).tobytes()
program = tfmbs.load(sys.argv[1])

def is_right(context):
    return all(context.run({"x": x})["y"].tobytes() == expected for _ in range(3))

def forks(check, *arguments):
    if not (child := os.fork()):
        os._exit(0 if check(*arguments) else 1)
    assert os.waitpid(child, 0)[1] == 0

contexts = [program.context(threads=2) for _ in range(2)]
forks(is_right, contexts[0])  # before any block of this process
assert all(pool.map(is_right, contexts))
for context in contexts:
    forks(is_right, context)
    assert is_right(context)
print("done")
"""


@pytest.mark.parametrize("isa", BLOCKED)
def test_older_threads_and_children(isa: str, tmp_path: Path) -> None:
    product().save(tmp_path / "m.tfb")
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", np.frombuffer(EXPECTED, np.int32))
    command = [sys.executable, "-W", "ignore", "-c", for_child(PROCESS)]
    command += [str(tmp_path / name) for name in ("m.tfb", "x.npy", "y.npy")]
    environment = {**os.environ, ISA_VARIABLE: isa}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
    assert (done.stdout, done.stderr) == ("done\n", "")
