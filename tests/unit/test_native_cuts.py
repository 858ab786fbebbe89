"""Planes that threads share out, by rows or by channels: the bytes and counters of one thread, and numpy's numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.conformance.builder import Builder
from tests.conformance.test_window import Conv, Window, convolve, pool_image
from tests.conformance.test_window_random import launch
from tfmbs.runtime import _native
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.records import PoolMode
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.devices.emulator import Emulator

Array = NDArray[Any]
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
}
"""Each is more than a thread does by itself."""


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
    launch(builder, conv, runs[0], w, DType.I32)
    expected = [convolve(x, w, conv).tobytes() for x in runs]
    alone = run(builder.image(), isa, 1, runs)
    assert alone[0] == expected
    for threads in (2, 3):
        assert run(builder.image(), isa, threads, runs) == alone


@pytest.mark.parametrize("isa", SETS)
@pytest.mark.parametrize("size", [(56, 57), (23, 23)])
def test_pool(isa: str, size: tuple[int, int]) -> None:
    window = Window((3, 3), strides=(1, 1), pads=(1, 1, 1, 1))
    runs = [np.random.default_rng(seed).standard_normal((2, 12, *size)).astype(np.float32) for seed in range(2)]
    taps = [window.gather(x) for x in runs]
    expected = [np.where(valid, x, -np.inf).max(-1).astype(np.float32).tobytes() for x, valid in taps]
    image = pool_image(window, runs[0], PoolMode.MAX)
    alone = run(image, isa, 1, runs)
    assert alone[0] == expected
    for threads in (2, 3):
        assert run(image, isa, threads, runs) == alone
