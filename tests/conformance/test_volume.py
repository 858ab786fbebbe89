"""CONV3D: strides, dilations, padding, groups and types, against the written order of sums, by bytes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.conformance.arithmetic import canonical, dot
from tests.conformance.builder import DTYPE_OF_NUMPY, END, Builder, Triple, d, s
from tests.conformance.data import PAIRS, bytes_i8, floats, operands, packings
from tests.conformance.devices import DeviceUnderTest
from tests.native import examples
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.types import DType, Packing

Array = NDArray[Any]
ONES, SAME = (1, 1, 1), (1, 1, 1, 1, 1, 1)


@dataclass(frozen=True)
class Volume:
    """A convolution of (n, c, d, h, w); `pads` are front, top, left, back, bottom, right."""

    input: tuple[int, int, int, int, int]
    channels: int
    kernel: Triple
    strides: Triple = ONES
    dilations: Triple = ONES
    pads: tuple[int, int, int, int, int, int] = (0, 0, 0, 0, 0, 0)
    groups: int = 1

    @property
    def out(self) -> tuple[int, int, int, int, int]:
        sizes = [
            (size + self.pads[i] + self.pads[i + 3] - self.dilations[i] * (self.kernel[i] - 1) - 1) // self.strides[i]
            + 1
            for i, size in enumerate(self.input[2:])
        ]
        return self.input[0], self.channels, sizes[0], sizes[1], sizes[2]


def convolve(x: Array, w: Array, conv: Volume, zero: int = 0) -> Array:
    """Output by output: k ascends over input channel, then kernel plane, row, column; padded taps are skipped."""
    own, per = conv.input[1] // conv.groups, conv.channels // conv.groups
    integer = x.dtype != np.float32
    out = np.zeros(conv.out, np.int32 if integer else np.float32)
    for z, y, column in product(*map(range, conv.out[2:])):
        taps = []
        for tap in product(*map(range, conv.kernel)):
            place = (z, y, column)
            at = tuple(p * st + t * di - pad for p, st, t, di, pad in zip(
                place, conv.strides, tap, conv.dilations, conv.pads, strict=False))  # fmt: skip
            if all(0 <= a < size for a, size in zip(at, conv.input[2:], strict=True)):
                taps.append((at, tap))
        for channel in range(conv.channels):
            first = channel // per * own
            left = [x[:, first + c, at[0], at[1], at[2]] for c in range(own) for at, _ in taps]
            right = [w[channel, c, tap[0], tap[1], tap[2]] for c in range(own) for _, tap in taps]
            lhs = np.stack(left, -1) if left else np.zeros((conv.input[0], 0), x.dtype)
            if integer:
                lhs = lhs.astype(np.int32) - zero
            out[:, channel, z, y, column] = dot(lhs, np.array(right, w.dtype)[None])
    return out


# Few output channels per group may take another way than many.
SHAPES = {
    "1x1x1": Volume((1, 1, 1, 1, 1), 1, ONES),
    "pointwise": Volume((2, 5, 2, 3, 2), 9, ONES),
    "same": Volume((2, 3, 3, 4, 5), 7, (3, 3, 3), pads=SAME),
    "same-few": Volume((1, 2, 3, 4, 5), 2, (3, 3, 3), pads=SAME),
    "stride": Volume((1, 2, 5, 6, 7), 5, (3, 2, 3), strides=(2, 1, 3), pads=(1, 0, 1, 0, 1, 2)),
    "stride-few": Volume((1, 2, 5, 6, 7), 2, (3, 2, 3), strides=(2, 1, 3), pads=(1, 0, 1, 0, 1, 2)),
    "dilation": Volume((1, 1, 7, 5, 6), 6, (2, 2, 2), dilations=(3, 1, 2), pads=(1, 1, 0, 1, 0, 1)),
    "groups": Volume((1, 4, 3, 3, 4), 10, (2, 3, 1), pads=(1, 1, 0, 0, 1, 0), groups=2),
    "depthwise": Volume((1, 3, 4, 4, 5), 3, (3, 3, 3), pads=SAME, groups=3),
    "long-volume": Volume((1, 1, 5, 12, 13), 5, (2, 3, 3), pads=(1, 1, 1, 0, 1, 1)),
    "wide-kernel": Volume((1, 1, 2, 2, 2), 5, (4, 3, 3), pads=(2, 1, 1, 2, 1, 1)),
}
FORMS = [(pair, packings(pair)[-1 if pair.endswith("i4") else len(packings(pair)) // 2]) for pair in PAIRS]


@cache
def case(name: str, pair: str, packing: Packing, zero: int = 0) -> tuple[Image, Array, Array]:
    conv = SHAPES[name]
    filter_shape = (conv.channels, conv.input[1] // conv.groups, *conv.kernel)
    x, w = operands(pair, conv.input, filter_shape, seed=31)
    return image_of(conv, x, w, packing, zero), x, convolve(x, w, conv, zero)


def image_of(conv: Volume, x: Array, w: Array, packing: Packing, zero: int) -> Image:
    builder = Builder()
    lhs = builder.input("x", x.shape, DTYPE_OF_NUMPY[x.dtype.name])
    out = builder.output("y", conv.out, DType.F32 if x.dtype == np.float32 else DType.I32)
    builder.volume(
        lhs, builder.constant(w, packing), out, kernel=conv.kernel, strides=conv.strides, dilations=conv.dilations,
        pads=conv.pads[:3], groups=conv.groups, lhs_zero=zero,
    )  # fmt: skip
    return builder.image()


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(("pair", "packing"), FORMS)
def test_convolution(device: DeviceUnderTest, pair: str, packing: Packing, name: str) -> None:
    image, x, expected = case(name, pair, packing)
    assert device.run(image, {"x": x})["y"].tobytes() == expected.tobytes()


def test_padding_stands_for_the_zero_point(device: DeviceUnderTest) -> None:
    image, x, expected = case("same", "i8-i8", Packing.DENSE, -77)
    assert device.run(image, {"x": x})["y"].tobytes() == expected.tobytes()


def test_padded_taps_are_skipped_not_multiplied(device: DeviceUnderTest) -> None:
    """A tap on padding times an infinite weight would be a NaN, and would turn a sum of −0 into +0."""
    x = np.full((1, 1, 2, 1, 1), -1e-30, np.float32)
    w = np.array([np.inf, 1e-30], np.float32).reshape(1, 1, 2, 1, 1)
    conv = Volume((1, 1, 2, 1, 1), 1, (2, 1, 1), pads=(1, 0, 0, 0, 0, 0))
    builder = Builder()
    out = builder.output("y", conv.out, DType.F32)
    builder.volume(
        builder.input("x", x.shape, DType.F32), builder.constant(w), out, kernel=conv.kernel, pads=conv.pads[:3]
    )
    expected = convolve(x, w, conv)
    assert expected.view(np.uint32)[0, 0, 0, 0, 0] == 0x80000000
    assert device.run(builder.image(), {"x": x})["y"].tobytes() == expected.tobytes()


def test_computed_filter_and_epilogue(device: DeviceUnderTest) -> None:
    """A bias per channel and a residual per element, in the epilogue; the filter is an input."""
    conv = Volume((2, 3, 3, 4, 5), 7, (3, 3, 3), pads=SAME)
    x, w = operands("f32-f32", conv.input, (7, 3, 3, 3, 3), seed=32)
    bias, residual = operands("f32-f32", (7,), conv.out, seed=33)
    builder = Builder()
    lhs, rhs = builder.input("x", x.shape, DType.F32), builder.input("w", w.shape, DType.F32)
    other = builder.input("r", residual.shape, DType.F32)
    out = builder.output("y", conv.out, DType.F32)
    words = [
        s("LD", DType.F32, reg=1, win=0, base=2, index=3),
        d("ADD", DType.F32, vd=0, va=0, vb=1),
        s("LD", DType.F32, reg=2, win=1, base=1, index=4),
        {**d("ADD", DType.F32, vd=0, va=0, vb=2), **END},
    ]
    epilogue = builder.epilogue(words, 2)
    args = [builder.constant(bias), other]
    builder.volume(lhs, rhs, out, kernel=conv.kernel, pads=conv.pads[:3], epilogue=epilogue, args=args)
    with np.errstate(all="ignore"):
        biased = canonical(convolve(x, w, conv) + bias.reshape(1, -1, 1, 1, 1))
        expected = canonical(biased + residual)
    given = {"x": x, "w": w, "r": residual}
    assert device.run(builder.image(), given)["y"].tobytes() == expected.astype(np.float32).tobytes()


AXIS = st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 2), st.integers(0, 3), st.integers(0, 3))
"""Kernel, stride, dilation, padding before and behind."""


@given(
    axes=st.tuples(AXIS, AXIS, AXIS), size=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 20)),
    channels=st.tuples(st.sampled_from([1, 3]), st.sampled_from([1, 2, 17]), st.sampled_from([1, 2, 6])),
    zero=st.sampled_from([None, 0, -128, 127]), seed=st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=examples(12))
def test_any_volume(
    device: DeviceUnderTest, axes: tuple[tuple[int, ...], ...], size: Triple, channels: Triple, zero: int | None,
    seed: int,
) -> None:  # fmt: skip
    """Windows that padding reaches far into, of groups, and of input and output channels of each; zero None: of f32."""
    groups, per_group, filters = channels
    kernel, strides, dilations, before, behind = (tuple(axis[i] for axis in axes) for i in range(5))
    conv = Volume((1, per_group * groups, *size), filters * groups, kernel, strides, dilations, before + behind, groups)
    assume(min(conv.out) > 0 and np.prod(conv.out) <= 400)
    shape, rng = (conv.channels, per_group, *kernel), np.random.default_rng(seed)
    x, w = ((floats if zero is None else bytes_i8)(rng, sizes) for sizes in (conv.input, shape))
    image = image_of(conv, x, w, Packing.DENSE, zero or 0)
    assert device.run(image, {"x": x})["y"].tobytes() == convolve(x, w, conv, zero or 0).tobytes()
