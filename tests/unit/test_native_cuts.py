"""Planes that threads share out, by rows or by channels: the bytes and counters of one thread, and numpy's numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.conformance.builder import END, Builder, d
from tests.conformance.test_chains_random import constant
from tests.conformance.test_epilogue import by_channel
from tests.conformance.test_window import Conv, Window, convolve, pool_image
from tests.conformance.test_window_random import launch
from tfmbs.runtime import _native
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.records import PoolMode
from tfmbs.runtime.abi.siw_op import Predicate
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.devices.emulator import Emulator

Array = NDArray[Any]
F32, I8, I32 = DType.F32, DType.I8, DType.I32
SETS = (*_native.instruction_sets(), *_native.modelled_sets())
ONE, THREE = Window((1, 1)), Window((3, 3), pads=(1, 1, 1, 1))
CONVOLUTIONS = {
    "rows of a large plane": Conv((2, 36, 28, 28), 40, ONE, zero=-3),
    "panels of a small plane": Conv((2, 132, 7, 7), 96, ONE, zero=5),
    "an odd number of panels": Conv((1, 68, 14, 14), 72, ONE),
    "a plane of several blocks": Conv((1, 20, 1, 1201), 24, ONE),
    "every second pixel": Conv((1, 64, 56, 56), 32, Window((1, 1), strides=(2, 2)), zero=1),
    "a padded line": Conv((1, 48, 1, 49), 64, Window((1, 3), pads=(0, 1, 0, 1)), zero=7),
    "groups": Conv((1, 64, 24, 24), 64, ONE, groups=2),
    "rows of windows": Conv((1, 32, 28, 28), 64, THREE, zero=2),
    "panels of windows": Conv((1, 64, 14, 14), 64, THREE),
    "a plane that is just cut by rows": Conv((1, 64, 16, 32), 40, ONE, zero=-128),
    "a plane that is just not": Conv((1, 64, 7, 73), 40, ONE, zero=127),
    "a single output": Conv((1, 520, 1, 1), 520, ONE),
}
"""Each is more than a thread does by itself."""
SMALL = Conv((1, 64, 7, 7), 16, ONE, zero=9)
"""A thread does it by itself."""
THREADS = (2, 3, 5)


def run(image: Image, isa: str, threads: int, runs: list[Array]) -> tuple[list[bytes], Any]:
    """The outputs of each run, one after the other in the same buffers, and the counters of the last one."""
    context = Emulator(image, isa).context(threads)
    outputs = [context.run("main", {"x": x})["y"].tobytes() for x in runs]
    (counted,) = context.native.counters()
    return outputs, {key: value for key, value in counted.items() if key not in ("start_ns", "wall_ns")}


@pytest.mark.parametrize("isa", SETS)
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolution(isa: str, name: str) -> None:
    conv, rng = CONVOLUTIONS[name], np.random.default_rng(3)
    shape = (conv.channels, conv.input[1] // conv.groups, *conv.window.kernel)
    w = rng.integers(-128, 128, shape).astype(np.int8)
    runs = [rng.integers(-128, 128, conv.input).astype(np.int8) for _ in range(2)]
    builder = Builder()
    launch(builder, conv, runs[0], w, I32)
    expected = [convolve(x, w, conv).tobytes() for x in runs]
    alone = run(builder.image(), isa, 1, runs)
    assert alone[0] == expected
    for threads in THREADS:
        assert run(builder.image(), isa, threads, runs) == alone


@pytest.mark.parametrize("isa", SETS)
@pytest.mark.parametrize("size", [(56, 57), (23, 23), (16, 32), (7, 73)])
def test_pool(isa: str, size: tuple[int, int]) -> None:
    """Of several parts, of two, and of one; more than a thread does by itself."""
    window = Window((3, 3), strides=(1, 1), pads=(1, 1, 1, 1))
    runs = [np.random.default_rng(seed).standard_normal((2, 30, *size)).astype(np.float32) for seed in range(2)]
    taps = [window.gather(x) for x in runs]
    expected = [np.where(valid, x, -np.inf).max(-1).astype(np.float32).tobytes() for x, valid in taps]
    image = pool_image(window, runs[0], PoolMode.MAX)
    alone = run(image, isa, 1, runs)
    assert alone[0] == expected
    for threads in THREADS:
        assert run(image, isa, threads, runs) == alone


ADD = d("ADD", F32, vd=0, va=0, vb=1)
SCALED = [by_channel(I32, 1, 0), d("ADD", I32, vd=0, va=1, vb=0), d("CVT", F32, vd=0, va=0, aux=I32),
          by_channel(F32, 1, 1), d("MUL", F32, vd=0, va=0, vb=1)]  # fmt: skip
# What a kernel does on its sums by itself, and more steps than a chain has, which are interpreted.
QUANTIZED = [*SCALED, d("ROUND", F32, vd=0, va=0), *constant(1, 3), ADD,
             *constant(1, -128), d("MAX", F32, vd=0, va=0, vb=1), *constant(1, 127), d("MIN", F32, vd=0, va=0, vb=1),
             *constant(1, 0), d("CMP", F32, vd=2, va=0, vb=0, aux=Predicate.UNO), d("SEL", vd=0, va=2, vb=1, vc=0),
             {**d("CVT", I8, vd=0, va=0, aux=F32), **END}]  # fmt: skip
INTERPRETED = [*SCALED, *[ADD] * 20, END]


@pytest.mark.parametrize("isa", SETS)
@pytest.mark.parametrize("name", [*list(CONVOLUTIONS)[:3], "small"])
@pytest.mark.parametrize("dtype", [I8, F32])
def test_epilogue(isa: str, name: str, dtype: DType) -> None:
    """Also the words of programs, which are counted."""
    conv, rng = CONVOLUTIONS.get(name, SMALL), np.random.default_rng(4)
    w = rng.integers(-128, 128, (conv.channels, conv.input[1], 1, 1)).astype(np.int8)
    runs = [rng.integers(-128, 128, conv.input).astype(np.int8) for _ in range(2)]
    bias = rng.integers(-(2**12), 2**12, conv.channels).astype(np.int32)
    scale = rng.uniform(1e-4, 1e-3, conv.channels).astype(np.float32)
    by = scale[:, None, None]
    expected = []
    for x in runs:
        result = (convolve(x, w, conv) + bias[:, None, None]).astype(np.float32) * by
        if dtype is I8:
            result = np.clip(np.rint(result) + np.float32(3), -128, 127).astype(np.int8)
        else:
            for _ in range(20):
                result = result + by
        expected.append(result.tobytes())
    builder = Builder()
    program = builder.epilogue(QUANTIZED if dtype is I8 else INTERPRETED, 2)
    args = [builder.constant(bias), builder.constant(scale)]
    launch(builder, conv, runs[0], w, dtype, epilogue=program, args=args)
    alone = run(builder.image(), isa, 1, runs)
    assert alone[0] == expected
    for threads in THREADS:
        assert run(builder.image(), isa, threads, runs) == alone
