"""CONV2D and POOL: strides, dilations, padding, groups and types, against the written order of sums, by bytes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.conformance.arithmetic import canonical, dot, maximum
from tests.conformance.builder import DTYPE_OF_NUMPY, Builder
from tests.conformance.data import PAIRS, floats, operands, packings
from tests.conformance.devices import DeviceUnderTest
from tfmbs.runtime.abi.abreast import ABREAST
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.records import Kind, PoolMode
from tfmbs.runtime.abi.types import DType, Packing, row_bytes

Array = NDArray[Any]
Pads = tuple[int, int, int, int]


@dataclass(frozen=True)
class Window:
    """A sliding window over an image; `pads` are top, left, bottom, right."""

    kernel: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    dilations: tuple[int, int] = (1, 1)
    pads: Pads = (0, 0, 0, 0)

    def output(self, height: int, width: int) -> tuple[int, int]:
        sizes = []
        for axis, size in enumerate((height, width)):
            reach = self.dilations[axis] * (self.kernel[axis] - 1) + 1
            sizes.append((size + self.pads[axis] + self.pads[axis + 2] - reach) // self.strides[axis] + 1)
        return sizes[0], sizes[1]

    def gather(self, x: Array) -> tuple[Array, NDArray[np.bool_]]:
        """Taps (n, c, out_h, out_w, kernel_h * kernel_w) of an NCHW array, 0 on padding; and which are on the input."""
        n, channels, height, width = x.shape
        out = self.output(height, width)
        taps = np.zeros((n, channels, *out, self.kernel[0] * self.kernel[1]), x.dtype)
        valid = np.zeros((*out, taps.shape[-1]), bool)
        for oy, ox, ky, kx in product(*map(range, (*out, *self.kernel))):
            y = oy * self.strides[0] + ky * self.dilations[0] - self.pads[0]
            column = ox * self.strides[1] + kx * self.dilations[1] - self.pads[1]
            if 0 <= y < height and 0 <= column < width:
                taps[:, :, oy, ox, ky * self.kernel[1] + kx] = x[:, :, y, column]
                valid[oy, ox, ky * self.kernel[1] + kx] = True
        return taps, valid


@dataclass(frozen=True)
class Conv:
    """A convolution: sizes (n, c, h, w) of its input, output channels, window."""

    input: tuple[int, int, int, int]
    channels: int
    window: Window
    groups: int = 1
    zero: int = 0
    pair: str = "f32-f32"
    packing: Packing = field(default=Packing.DENSE)


def convolve(x: Array, w: Array, conv: Conv) -> Array:
    taps, valid = conv.window.gather(x if conv.zero == 0 else x.astype(np.int32) - conv.zero)
    if conv.zero:
        taps = np.where(valid, taps, 0)
    n, channels, out_h, out_w, kernel = taps.shape
    per_group = channels // conv.groups
    grouped = taps.reshape(n, conv.groups, per_group, out_h, out_w, kernel).transpose(0, 1, 3, 4, 2, 5)
    lhs = grouped.reshape(n, conv.groups, 1, out_h, out_w, per_group * kernel)
    rhs = w.reshape(conv.groups, conv.channels // conv.groups, 1, 1, per_group * kernel)
    steps = np.broadcast_to(np.tile(valid, per_group), lhs.shape)
    if lhs.dtype == np.float32:
        sums = dot(lhs, rhs, np.broadcast_to(steps, np.broadcast_shapes(lhs.shape, rhs.shape)))
    else:
        sums = dot(lhs, rhs)
    return np.ascontiguousarray(sums.reshape(n, conv.channels, out_h, out_w))


SAME3 = Window((3, 3), pads=(1, 1, 1, 1))
# Devices may have another way for few output channels per group; each kind of window comes with few and with more.
SHAPES = {
    "1x1": Conv((1, 1, 1, 1), 1, Window((1, 1))),
    "pointwise": Conv((2, 5, 4, 3), 9, Window((1, 1))),
    "valid": Conv((1, 3, 7, 6), 4, Window((3, 2))),
    "same": Conv((2, 3, 8, 8), 13, SAME3),
    "stride": Conv((1, 4, 9, 11), 5, Window((3, 3), strides=(2, 3), pads=(1, 0, 1, 2))),
    "stride-few": Conv((1, 4, 9, 11), 2, Window((3, 3), strides=(2, 3), pads=(1, 0, 1, 2))),
    "dilation": Conv((1, 2, 10, 9), 6, Window((3, 3), dilations=(2, 3), pads=(2, 3, 2, 3))),
    "dilation-few": Conv((1, 2, 10, 9), 3, Window((3, 3), dilations=(2, 3), pads=(2, 3, 2, 3))),
    "groups": Conv((2, 6, 5, 5), 12, SAME3, groups=2),
    "groups-many": Conv((1, 4, 5, 5), 128, SAME3, groups=2),
    "groups-few": Conv((2, 6, 5, 5), 4, SAME3, groups=2),
    "depthwise": Conv((1, 7, 6, 6), 7, SAME3, groups=7),
    "depthwise-stride": Conv((2, 3, 12, 40), 6, Window((3, 3), strides=(2, 2), pads=(0, 1, 1, 0)), groups=3),
    "many-channels": Conv((1, 2, 3, 3), 301, SAME3),
    "many-inputs": Conv((2, 130, 4, 18), 6, SAME3),
    "long-plane": Conv((1, 2, 30, 37), 5, Window((5, 5), pads=(2, 2, 2, 2))),
    "long-plane-few": Conv((1, 2, 30, 37), 3, Window((5, 5), pads=(2, 2, 2, 2))),
    "asymmetric": Conv((1, 1, 5, 5), 5, Window((2, 2), pads=(1, 0, 0, 1))),
    "asymmetric-few": Conv((1, 1, 5, 5), 2, Window((2, 2), pads=(1, 0, 0, 1))),
    "wide-kernel": Conv((1, 1, 3, 3), 5, Window((5, 5), pads=(2, 2, 2, 2))),
    "wide-kernel-few": Conv((1, 1, 3, 3), 2, Window((5, 5), pads=(2, 2, 2, 2))),
}
FORMS = [(pair, packing) for pair in PAIRS for packing in packings(pair)]


@cache
def conv_case(conv: Conv) -> tuple[Image, Array, Array]:
    n, channels, height, width = conv.input
    kernel = conv.window.kernel
    x, w = operands(conv.pair, conv.input, (conv.channels, channels // conv.groups, *kernel), seed=11)
    builder = Builder()
    lhs = builder.input("x", x.shape, DTYPE_OF_NUMPY[x.dtype.name])
    shape = (n, conv.channels, *conv.window.output(height, width))
    out = builder.output("y", shape, DType.F32 if x.dtype == np.float32 else DType.I32)
    window = conv.window
    builder.window(
        Kind.CONV2D, lhs, builder.constant(w, conv.packing), out, kernel=kernel, strides=window.strides,
        dilations=window.dilations, pads=window.pads, groups=conv.groups, lhs_zero=conv.zero,
    )  # fmt: skip
    return builder.image(), x, convolve(x, w, conv)


def refusal_of(conv: Conv, l1_bytes: int) -> str | None:
    """Of rows that lie abreast, where tiles come to an L1: of groups that share them, and where two buffers of them do
    not fit. Windows of 3×3 of less than 320 channels are not cut.
    """
    if conv.packing is not Packing.A5 or not l1_bytes:
        return None
    if conv.groups > 1 and conv.channels // conv.groups % ABREAST:
        return "products that share rows abreast of packing A5"
    taps = conv.window.kernel[0] * conv.window.kernel[1] * conv.input[1] // conv.groups
    buffers = 2 * ABREAST * row_bytes(DType.TRIT, Packing.A5, taps)
    return "its smallest tile, 64 rows of A5" if buffers >= l1_bytes else None


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(("pair", "packing"), FORMS)
def test_convolution(device: DeviceUnderTest, pair: str, packing: Packing, name: str) -> None:
    shape = SHAPES[name]
    conv = Conv(shape.input, shape.channels, shape.window, shape.groups, 0, pair, packing)
    image, x, expected = conv_case(conv)
    refusal = refusal_of(conv, device.l1_bytes)
    if refusal:
        with pytest.raises(TfmbsError, match=refusal):
            device.run(image, {"x": x})
        return
    assert device.run(image, {"x": x})["y"].tobytes() == expected.tobytes()


@pytest.mark.parametrize("zero", [-128, 5, 127])
def test_padding_stands_for_the_zero_point(device: DeviceUnderTest, zero: int) -> None:
    image, x, expected = conv_case(Conv((1, 3, 6, 5), 4, SAME3, zero=zero, pair="i8-i8"))
    assert device.run(image, {"x": x})["y"].tobytes() == expected.tobytes()


def test_computed_filter(device: DeviceUnderTest) -> None:
    x, w = operands("f32-f32", (1, 2, 5, 5), (3, 2, 3, 3), seed=12)
    builder = Builder()
    lhs, rhs = builder.input("x", x.shape, DType.F32), builder.input("w", w.shape, DType.F32)
    out = builder.output("y", (1, 3, 5, 5), DType.F32)
    builder.window(Kind.CONV2D, lhs, rhs, out, kernel=(3, 3), pads=SAME3.pads)
    expected = convolve(x, w, Conv(x.shape, 3, SAME3))
    assert device.run(builder.image(), {"x": x, "w": w})["y"].tobytes() == expected.tobytes()


def test_padded_taps_are_skipped_not_multiplied(device: DeviceUnderTest) -> None:
    """A tap on padding times an infinite weight would be a NaN, and would turn a sum of −0 into +0."""
    x = np.full((1, 1, 2, 2), -1e-30, np.float32)
    w = np.array([[[[np.inf, 1e-30], [1e-30, 1e-30]]]], np.float32)
    window = Window((2, 2), pads=(1, 1, 0, 0))
    builder = Builder()
    out = builder.output("y", (1, 1, 2, 2), DType.F32)
    builder.window(Kind.CONV2D, builder.input("x", x.shape, DType.F32), builder.constant(w), out, kernel=(2, 2),
                   pads=window.pads)  # fmt: skip
    expected = convolve(x, w, Conv(x.shape, 1, window))
    assert expected.view(np.uint32)[0, 0, 0, 0] == 0x80000000
    assert device.run(builder.image(), {"x": x})["y"].tobytes() == expected.tobytes()


# --- pooling ----------------------------------------------------------------------------------------------------------

POOLS = {
    "2x2": ((2, 3, 6, 8), Window((2, 2), strides=(2, 2))),
    "overlap": ((1, 2, 7, 7), Window((3, 3), strides=(2, 2), pads=(1, 1, 1, 1))),
    "dilation": ((1, 1, 9, 8), Window((2, 3), dilations=(3, 2), pads=(1, 2, 1, 2))),
    "global": ((2, 4, 5, 3), Window((5, 3))),
    "ceil": ((1, 2, 5, 5), Window((2, 2), strides=(2, 2), pads=(0, 0, 1, 1))),
    "long-plane": ((1, 1, 40, 33), Window((2, 2), pads=(1, 0, 0, 1))),
}


def average(x: Array, window: Window, counted: Pads | None) -> Array:
    """`counted` is the padding whose taps count, None where only taps on the input do."""
    taps, valid = window.gather(x)
    total = np.zeros(taps.shape[:-1], np.float32)
    with np.errstate(all="ignore"):
        for k in range(taps.shape[-1]):
            total = np.where(valid[..., k], total + taps[..., k], total)
        if counted is None:
            return canonical(total / valid.sum(-1).astype(np.float32))
        top, left, bottom, right = counted
        padded = np.ones((1, 1, x.shape[2] + top + bottom, x.shape[3] + left + right), np.float32)
        shift = tuple(p - q for p, q in zip(window.pads, counted, strict=True))
        _, inside = Window(window.kernel, window.strides, window.dilations, (*shift[:2], *shift[2:])).gather(padded)
        return canonical(total / inside.sum(-1).astype(np.float32))


def pool_image(window: Window, x: Array, mode: PoolMode, counted: Pads = (0, 0, 0, 0)) -> Image:
    builder = Builder()
    dtype = DTYPE_OF_NUMPY[x.dtype.name]
    out = builder.output("y", (*x.shape[:2], *window.output(*x.shape[2:])), dtype)
    builder.window(
        Kind.POOL, builder.input("x", x.shape, dtype), 0xFFFFFFFF, out, kernel=window.kernel, strides=window.strides,
        dilations=window.dilations, pads=(*window.pads[:2], *counted[2:]), mode=mode,
    )  # fmt: skip
    return builder.image()


@pytest.mark.parametrize("name", POOLS)
def test_max_pool_f32(device: DeviceUnderTest, name: str) -> None:
    shape, window = POOLS[name]
    rng = np.random.default_rng(13)
    x = np.where(rng.random(shape) < 0.3, rng.choice(np.float32([0.0, -0.0, np.nan]), shape), floats(rng, shape))
    x.view(np.uint32)[np.isnan(x)] = 0xFFC00077
    taps, valid = window.gather(x)
    expected = np.full(taps.shape[:-1], -np.inf, np.float32)
    for k in range(taps.shape[-1]):
        expected = np.where(valid[..., k], maximum(expected, taps[..., k]), expected)
    assert device.run(pool_image(window, x, PoolMode.MAX), {"x": x})["y"].tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", POOLS)
def test_max_pool_i8(device: DeviceUnderTest, name: str) -> None:
    shape, window = POOLS[name]
    x = np.random.default_rng(14).integers(-128, -100, shape).astype(np.int8)
    taps, valid = window.gather(x)
    expected = np.where(valid, taps, -128).max(-1).astype(np.int8)
    assert device.run(pool_image(window, x, PoolMode.MAX), {"x": x})["y"].tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", POOLS)
@pytest.mark.parametrize("mode", [PoolMode.AVG, PoolMode.AVG_PADDED])
def test_average_pool(device: DeviceUnderTest, name: str, mode: PoolMode) -> None:
    shape, window = POOLS[name]
    x = floats(np.random.default_rng(15), shape)
    counted = window.pads if mode is PoolMode.AVG_PADDED else None
    expected = average(x, window, counted)
    image = pool_image(window, x, mode, counted or (0, 0, 0, 0))
    assert device.run(image, {"x": x})["y"].tobytes() == expected.tobytes()


def test_taps_beyond_the_declared_padding_do_not_count(device: DeviceUnderTest) -> None:
    """Rounding the output size up makes windows reach past the padding: those taps are no part of the average."""
    x = floats(np.random.default_rng(16), (1, 1, 5, 5))
    window = Window((2, 2), strides=(2, 2), pads=(0, 0, 1, 1))
    expected = average(x, window, (0, 0, 0, 0))
    image = pool_image(window, x, PoolMode.AVG_PADDED)
    assert device.run(image, {"x": x})["y"].tobytes() == expected.tobytes()
