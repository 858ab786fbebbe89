"""Convolutions of random windows, groups and extreme values against the written order of sums, by bytes."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.conformance.arithmetic import maximum
from tests.conformance.builder import DTYPE_OF_NUMPY, Builder
from tests.conformance.data import floats
from tests.conformance.devices import DeviceUnderTest
from tests.conformance.test_products_random import Array, integers
from tests.conformance.test_window import Conv, Window, average, convolve, pool_image
from tests.native import examples
from tfmbs.runtime.abi.records import Kind, PoolMode
from tfmbs.runtime.abi.types import DType

EXAMPLES = examples(60)
F32, I32 = DType.F32, DType.I32
PER_GROUP = st.sampled_from([1, 2, 3, 4, 5, 8, 9, 16, 17, 21])
AXIS = st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.integers(0, 5), st.integers(0, 5))
"""Kernel, stride, dilation, padding before and behind."""
POOLED = st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(0, 2))


@st.composite
def convolutions(draw: st.DrawFn) -> Conv:
    """Windows that padding reaches far into, with strides of their own, at any place of a line."""
    axes = [draw(AXIS), draw(AXIS)]
    sizes = draw(st.integers(1, 12)), draw(st.integers(1, 40))
    for size, (kernel, _, dilation, before, behind) in zip(sizes, axes, strict=True):
        assume(size + before + behind > (kernel - 1) * dilation)
    groups = draw(st.sampled_from([1, 1, 2, 5]))
    input_channels, channels = draw(PER_GROUP) * groups, draw(st.sampled_from([1, 2, 4, 5, 12, 33, 40])) * groups
    kernel, strides, dilations, before, behind = ((axes[0][i], axes[1][i]) for i in range(5))
    window = Window(kernel, strides, dilations, (*before, *behind))
    return Conv((draw(st.sampled_from([1, 1, 3])), input_channels, *sizes), channels, window, groups)


def launch(
    builder: Builder,
    conv: Conv,
    x: Array,
    w: Array,
    dtype: DType,
    names: tuple[str, str] = ("x", "y"),
    **fields: object,
) -> int:
    """Adds the convolution of an input, whose name and that of the output are `names`."""
    lhs = builder.input(names[0], x.shape, DTYPE_OF_NUMPY[x.dtype.name])
    window = conv.window
    out = builder.output(names[1], (conv.input[0], conv.channels, *window.output(*conv.input[2:])), dtype)
    return builder.window(
        Kind.CONV2D, lhs, builder.constant(w), out, kernel=window.kernel, strides=window.strides,
        dilations=window.dilations, pads=window.pads, groups=conv.groups, lhs_zero=conv.zero, **fields,
    )  # fmt: skip


FILLERS = {
    "float32": (np.nan, Conv((1, 9, 40, 62), 9, Window((3, 3), (2, 2), pads=(1, 1, 1, 1)), groups=9)),
    "int8": (-128, Conv((1, 20, 24, 24), 5, Window((3, 3), pads=(1, 1, 1, 1)), zero=127)),
}
"""By type: what buffers shall be full of, and a convolution that fills them with it."""


def run_behind_others(device: DeviceUnderTest, conv: Conv, x: Array, w: Array) -> Array:
    """The convolution's output, in buffers in which another one has left numbers that show wherever they are read."""
    value, other = FILLERS[x.dtype.name]
    filler = np.full(other.input, value, x.dtype)
    dtype = F32 if x.dtype == np.float32 else I32
    builder = Builder()
    weights = np.ones((other.channels, other.input[1] // other.groups, *other.window.kernel), x.dtype)
    launch(builder, other, filler, weights, dtype, ("filler", "filled"))
    launch(builder, conv, x, w, dtype)
    return device.run(builder.image(), {"filler": filler, "x": x})["y"]


@given(conv=convolutions(), data=st.data())
@settings(max_examples=EXAMPLES)
def test_convolution(device: DeviceUnderTest, conv: Conv, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 99), "seed"))
    filters = (conv.channels, conv.input[1] // conv.groups, *conv.window.kernel)
    if data.draw(st.booleans(), "real"):
        x, w = floats(rng, conv.input), floats(rng, filters)
    else:
        extreme = data.draw(st.booleans(), "extreme")
        x, w = (integers(rng, shape, -128, 127, extreme=extreme) for shape in (conv.input, filters))
        conv = replace(conv, zero=data.draw(st.sampled_from([0, -128, 127, 5]), "zero"))
    assert run_behind_others(device, conv, x, w).tobytes() == convolve(x, w, conv).tobytes()


@given(size=st.integers(1, 900), channels=st.sampled_from([1, 3, 5, 31, 33]), data=st.data())
@settings(max_examples=EXAMPLES)
def test_single_taps_of_long_planes(device: DeviceUnderTest, size: int, channels: int, data: st.DataObject) -> None:
    """Planes of more pixels than are computed together, from channels that fill no word."""
    rng = np.random.default_rng(data.draw(st.integers(0, 99), "seed"))
    conv = Conv((1, data.draw(PER_GROUP), 1, size), channels, Window((1, 1)))
    filters = (channels, conv.input[1], 1, 1)
    if data.draw(st.booleans(), "real"):
        x, w = floats(rng, conv.input), floats(rng, filters)
    else:
        x, w = (integers(rng, shape, -128, 127, extreme=False) for shape in (conv.input, filters))
        conv = replace(conv, zero=-3)
    assert run_behind_others(device, conv, x, w).tobytes() == convolve(x, w, conv).tobytes()


@given(
    channels=st.sampled_from([16, 63, 65, 130]), filters=st.sampled_from([5, 16, 33, 49]), long=st.booleans(),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)), stride=st.integers(1, 3), data=st.data(),
)  # fmt: skip
@settings(max_examples=examples(12))
def test_windows_of_many_channels(
    device: DeviceUnderTest, channels: int, filters: int, long: bool, kernel: tuple[int, int], stride: int,
    data: st.DataObject,
) -> None:  # fmt: skip
    """More channels than a step of a tile, and lines of more outputs than are computed together."""
    rng = np.random.default_rng(data.draw(st.integers(0, 99), "seed"))
    size = (2, data.draw(st.integers(520, 600))) if long else (9, data.draw(st.integers(1, 20)))
    pads = data.draw(st.tuples(*[st.integers(0, 2)] * 4), "pads")
    window = Window(
        kernel, (stride, data.draw(st.integers(1, 3), "across")), (1, 1 + data.draw(st.integers(0, 1))), pads
    )
    assume(all(n > 0 for n in window.output(*size)))
    extreme = data.draw(st.booleans(), "extreme")
    conv = Conv((2, channels, *size), filters, window, zero=data.draw(st.sampled_from([0, -128, 127, 5]), "zero"))
    x, w = (integers(rng, s, -128, 127, extreme=extreme) for s in (conv.input, (filters, channels, *kernel)))
    assert run_behind_others(device, conv, x, w).tobytes() == convolve(x, w, conv).tobytes()


@given(
    size=st.tuples(st.integers(3, 5), st.integers(200, 700)), stride=st.integers(1, 3), few=st.booleans(),
    seed=st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=examples(6))
def test_wide_lines_of_floats(
    device: DeviceUnderTest, size: tuple[int, int], stride: int, few: bool, seed: int
) -> None:
    """Lines of more outputs than are computed together, or than a chunk has."""
    rng = np.random.default_rng(seed)
    window = Window((2, 3), (1, stride), (1, 1 + seed % 2), (1, 2, 0, 1))
    conv = Conv((1, 4, *size), 4 if few else 7, window, groups=4 if few else 1)
    x, w = floats(rng, conv.input), floats(rng, (conv.channels, 4 // conv.groups, 2, 3))
    assert run_behind_others(device, conv, x, w).tobytes() == convolve(x, w, conv).tobytes()


@given(
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)), dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    size=st.one_of(
        st.tuples(st.integers(1, 9), st.integers(1, 40)), st.tuples(st.integers(20, 40), st.integers(20, 40)),
        st.tuples(st.integers(1, 3), st.integers(250, 600)),
    ),
    channels=st.integers(1, 9), stride=st.integers(1, 2), data=st.data(),
)  # fmt: skip
@settings(max_examples=EXAMPLES // 3)
def test_planes_as_wide_as_the_input(
    device: DeviceUnderTest, kernel: tuple[int, int], dilation: tuple[int, int], size: tuple[int, int], channels: int,
    stride: int, data: st.DataObject,
) -> None:  # fmt: skip
    """Depthwise windows of floats, padded so that all of the width stays, or half of it, over planes of any size."""
    rng = np.random.default_rng(data.draw(st.integers(0, 99), "seed"))
    reach = (kernel[1] - 1) * dilation[1]
    left = data.draw(st.integers(0, reach), "left")
    above, below = data.draw(st.tuples(st.integers(0, 5), st.integers(0, 5)), "above, below")
    window = Window(kernel, (stride, stride), dilation, (above, left, below, reach - left))
    assume(window.output(*size)[0] > 0)
    conv = Conv((2, channels, *size), channels, window, channels)
    x, w = floats(rng, conv.input), floats(rng, (channels, 1, *kernel))
    assert run_behind_others(device, conv, x, w).tobytes() == convolve(x, w, conv).tobytes()


@given(axes=st.tuples(POOLED, POOLED), size=st.tuples(st.integers(1, 12), st.integers(1, 90)), data=st.data())
@settings(max_examples=EXAMPLES // 2)
def test_maxima(
    device: DeviceUnderTest, axes: tuple[tuple[int, ...], ...], size: tuple[int, int], data: st.DataObject
) -> None:
    """Windows that padding reaches far into, of numbers among which are zeros of both signs and NaNs."""
    for length, (kernel, _, dilation, before, behind) in zip(size, axes, strict=True):
        assume(length + before + behind > (kernel - 1) * dilation and (kernel == 1 or dilation <= length))
    rng = np.random.default_rng(data.draw(st.integers(0, 99), "seed"))
    kernel, strides, dilations, before, behind = ((axes[0][i], axes[1][i]) for i in range(5))
    window, shape = Window(kernel, strides, dilations, (*before, *behind)), (1, 2, *size)
    real = data.draw(st.booleans(), "real")
    x = floats(rng, shape) if real else integers(rng, shape, -128, 127, extreme=False)
    taps, valid = window.gather(x)
    assume(valid.any(axis=-1).all())  # others are refused
    least = np.float32(-np.inf) if real else np.int8(-128)
    on_input = np.moveaxis(np.where(valid, taps, least), -1, 0)
    expected = reduce(maximum if real else np.maximum, on_input, np.full(on_input.shape[1:], least))
    result = device.run(pool_image(window, x, PoolMode.MAX), {"x": x})["y"]
    assert result.tobytes() == np.ascontiguousarray(expected).tobytes()


@given(axes=st.tuples(POOLED, POOLED), size=st.tuples(st.integers(1, 9), st.integers(1, 70)), data=st.data())
@settings(max_examples=EXAMPLES // 3)
def test_averages(
    device: DeviceUnderTest, axes: tuple[tuple[int, ...], ...], size: tuple[int, int], data: st.DataObject
) -> None:
    """Of the taps on the input, or of those on padding, too."""
    for length, (kernel, _, dilation, before, behind) in zip(size, axes, strict=True):
        assume(length + before + behind > (kernel - 1) * dilation and (kernel == 1 or dilation <= length))
    kernel, strides, dilations, before, behind = ((axes[0][i], axes[1][i]) for i in range(5))
    window = Window(kernel, strides, dilations, (*before, *behind))
    x = floats(np.random.default_rng(data.draw(st.integers(0, 99), "seed")), (2, 3, *size))
    assume(window.gather(x)[1].any(axis=-1).all())  # others are refused
    counted = window.pads if data.draw(st.booleans(), "padded") else None
    mode = PoolMode.AVG if counted is None else PoolMode.AVG_PADDED
    result = device.run(pool_image(window, x, mode, counted or (0, 0, 0, 0)), {"x": x})["y"]
    assert result.tobytes() == average(x, window, counted).tobytes()
