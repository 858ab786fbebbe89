"""What a launch reads beside its operands: nothing, which pages behind them that may not be read tell."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.native import for_child
from tfmbs.runtime import _native

SETS = (*_native.instruction_sets(), *_native.modelled_sets())

GUARDED = """
import ctypes
import mmap
import sys

import numpy as np

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
"""

MASKED = """
from tests.conformance.builder import Builder
from tfmbs.runtime.abi.records import MaskMode
from tfmbs.runtime.abi.types import DType

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

TRITS = """
from tests.conformance.test_trits import activations, product, sums, trits
from tfmbs.runtime.abi.types import Packing

rng = np.random.default_rng(0)
for m in (1, 2, 3, 5, 8, 9, 16, 17, 33):
    for n in (1, 7, 81, 300):
        for k in (256, 320, 641):
            lhs, rhs = activations(rng, (1, m, k), extreme=False), trits(rng, (n, k), extreme=False)
            image = product(lhs, rhs, 0, Packing.A5).image()
            image.weights = before_a_guard(np.frombuffer(image.weights, np.uint8))
            got = Emulator(image, sys.argv[1]).context(1).run("main", {"x": before_a_guard(lhs)})["y"]
            assert got.tobytes() == sums(lhs[0], rhs, 0).tobytes()
print("done")
"""

CHANNELS = """
from tests.conformance.test_window import SAME3, Conv, conv_case

for channels in (63, 64, 65, 128, 130):
    for height, width in ((1, 1), (1, 16), (2, 17), (4, 30)):
        image, x, expected = conv_case(Conv((1, channels, height, width), 5, SAME3, pair="i8-i8"))
        got = Emulator(image, sys.argv[1]).context(1).run("main", {"x": before_a_guard(x)})["y"]
        assert got.tobytes() == expected.tobytes()
print("done")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="pages are guarded by mprotect")
@pytest.mark.parametrize("code", [MASKED, TRITS, CHANNELS], ids=["masks", "trits", "channels"])
@pytest.mark.parametrize("isa", SETS)
def test_nothing_is_read_behind_operands(isa: str, code: str) -> None:
    command = [sys.executable, "-W", "ignore", "-c", for_child(GUARDED + code), isa]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("done\n", "", 0)
