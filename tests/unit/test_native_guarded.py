"""What a launch reads beside its operands: nothing, which pages behind them that may not be read tell."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.native import for_child
from tfmbs.runtime import _native

SETS = (*_native.instruction_sets(), *_native.modelled_sets())

MASKED = """
import ctypes
import mmap
import sys

import numpy as np

from tests.conformance.builder import Builder
from tfmbs.runtime.abi.records import MaskMode
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.devices.emulator import Emulator

libc = ctypes.CDLL(None, use_errno=True)
kept = []


def before_a_guard(values):
    size = -(-values.nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
    pages = mmap.mmap(-1, size + mmap.PAGESIZE)
    kept.append(pages)
    start = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    assert libc.mprotect(ctypes.c_void_p(start + size), mmap.PAGESIZE, 0) == 0
    placed = np.frombuffer(pages, values.dtype, values.size, size - values.nbytes).reshape(values.shape)
    placed[...] = values
    return placed


rng = np.random.default_rng(0)
for mode in (MaskMode.ADD, MaskMode.ADD_SHOWN):
    for columns in (1, 7, 16, 31, 300):
        shapes = {"q": (1, 1, 3, 8), "k": (1, 1, columns, 8), "v": (1, 1, columns, 8), "mask": (1, 1, 3, columns)}
        given = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
        builder = Builder()
        q, k, v, mask = (builder.input(name, shape, DType.F32) for name, shape in shapes.items())
        builder.attention(q, k, v, builder.output("y", (1, 1, 3, 8), DType.F32), masked=mask, mask=mode)
        image = builder.image()
        expected = Emulator(image, "baseline").context(1).run("main", given)["y"].tobytes()
        guarded = {name: before_a_guard(values) for name, values in given.items()}
        assert Emulator(image, sys.argv[1]).context(1).run("main", guarded)["y"].tobytes() == expected
print("done")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="pages are guarded by mprotect")
@pytest.mark.parametrize("isa", SETS)
def test_attention_reads_no_mask_behind_its_end(isa: str) -> None:
    command = [sys.executable, "-W", "ignore", "-c", for_child(MASKED), isa]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("done\n", "", 0)
