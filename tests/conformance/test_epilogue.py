"""Epilogues on every kernel: bias by channel, residual by element, scalars, requantization; and COPY and STATE."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.conformance.arithmetic import canonical, dot, maximum
from tests.conformance.builder import END, Builder, Fields, c, d, s
from tests.conformance.data import floats, operands
from tests.conformance.devices import DeviceUnderTest
from tests.conformance.test_window import SAME3, Conv, Window, convolve
from tfmbs.runtime.abi.records import NONE, Kind, PoolMode
from tfmbs.runtime.abi.siw import (
    EPILOGUE_CHANNEL,
    EPILOGUE_CHANNEL_STEP,
    EPILOGUE_ELEMENT,
    EPILOGUE_ONE,
)
from tfmbs.runtime.abi.types import DType, Packing

Array = NDArray[Any]
F32, I8, I32 = DType.F32, DType.I8, DType.I32


def by_channel(dtype: DType, reg: int, win: int) -> Fields:
    return s("LD", dtype, reg=reg, win=win, base=EPILOGUE_CHANNEL, index=EPILOGUE_CHANNEL_STEP)


def by_element(dtype: DType, reg: int, win: int) -> Fields:
    return s("LD", dtype, reg=reg, win=win, base=EPILOGUE_ELEMENT, index=EPILOGUE_ONE)


def scalar(dtype: DType, reg: int, win: int) -> Fields:
    return s("LD", dtype, reg=reg, win=win, base=0, index=0)


# relu((acc + bias[channel]) · scale) + residual[element]
FLOAT_EPILOGUE = [
    by_channel(F32, 1, 0),
    {**d("ADD", F32, vd=0, va=0, vb=1), **scalar(F32, 2, 1)},
    {**d("MUL", F32, vd=0, va=0, vb=2), **by_element(F32, 3, 2)},
    d("MAX", F32, vd=0, va=0, vb=4),
    {**d("ADD", F32, vd=0, va=0, vb=3), **END},
]


def float_epilogue(acc: Array, bias: Array, scale: Array, residual: Array) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        return canonical(maximum(canonical((acc + bias) * scale), np.zeros_like(acc)) + residual)


# saturate(round(f32(acc) · scale[channel]) + zero) to i8, a NaN-free path
REQUANTIZE = [
    {**d("CVT", F32, vd=0, va=0, aux=I32), **by_channel(F32, 1, 0)},
    {**d("MUL", F32, vd=0, va=0, vb=1), **scalar(F32, 2, 1)},
    d("ROUND", F32, vd=0, va=0),
    d("ADD", F32, vd=0, va=0, vb=2),
    {**d("CVT", I8, vd=0, va=0, aux=F32), **END},
]


def requantize(acc: Array, scale: Array, zero: float) -> Array:
    product = acc.astype(np.float32) * scale
    return np.clip(np.rint(product) + np.float32(zero), -128, 127).astype(np.int8)


@pytest.mark.parametrize("packing", [Packing.DENSE, Packing.PT5])
@pytest.mark.parametrize(("batch", "m", "n", "k"), [(1, 1, 1, 1), (1, 5, 600, 7), (2, 3, 20, 9), (1, 75, 150, 200)])
def test_gemm_f32(device: DeviceUnderTest, packing: Packing, batch: int, m: int, n: int, k: int) -> None:
    pair = "f32-f32" if packing is Packing.DENSE else "f32-trit"
    lhs, rhs = operands(pair, (batch, m, k), (n, k), seed=21)
    rng = np.random.default_rng(22)
    bias, scale, residual = floats(rng, (n,)), np.float32([1.7]), floats(rng, (batch, m, n))
    builder = Builder()
    x, r = builder.input("x", lhs.shape, F32), builder.input("r", residual.shape, F32)
    args = [builder.constant(bias), builder.constant(scale), r]
    epilogue = builder.epilogue(FLOAT_EPILOGUE, 3)
    out = builder.output("y", residual.shape, F32)
    weights = builder.constant(rhs, packing)
    builder.gemm(x, weights, out, epilogue=epilogue, args=args, batch=batch, m=m, n=n, k=k)
    expected = float_epilogue(dot(lhs[:, :, None], rhs), bias, scale, residual)
    assert device.run(builder.image(), {"x": lhs, "r": residual})["y"].tobytes() == expected.tobytes()


@pytest.mark.parametrize(("m", "n", "k"), [(3, 17, 33), (2, 520, 5)])
def test_gemm_requantizes(device: DeviceUnderTest, m: int, n: int, k: int) -> None:
    lhs, rhs = operands("i8-i8", (m, k), (n, k), seed=23)
    scale = (np.random.default_rng(24).random(n) * 0.01).astype(np.float32)
    builder = Builder()
    args = [builder.constant(scale), builder.constant(np.float32([-3.0]))]
    epilogue = builder.epilogue(REQUANTIZE, 2)
    x, out = builder.input("x", lhs.shape, I8), builder.output("y", (m, n), I8)
    builder.gemm(x, builder.constant(rhs), out, epilogue=epilogue, args=args, m=m, n=n, k=k, lhs_zero=4)
    acc = dot(lhs[:, None].astype(np.int32) - 4, rhs[None])
    assert device.run(builder.image(), {"x": lhs})["y"].tobytes() == requantize(acc, scale, -3.0).tobytes()


@pytest.mark.parametrize("size", [5, 26], ids=["one-chunk", "two-chunks"])
def test_conv_f32(device: DeviceUnderTest, size: int) -> None:
    x, w = operands("f32-f32", (2, 3, size, size), (10, 3, 3, 3), seed=25)
    rng = np.random.default_rng(26)
    bias, scale, residual = floats(rng, (10,)), np.float32([0.3]), floats(rng, (2, 10, size, size))
    builder = Builder()
    lhs, r = builder.input("x", x.shape, F32), builder.input("r", residual.shape, F32)
    args = [builder.constant(bias), builder.constant(scale), r]
    epilogue = builder.epilogue(FLOAT_EPILOGUE, 3)
    out = builder.output("y", residual.shape, F32)
    builder.window(
        Kind.CONV2D, lhs, builder.constant(w), out, kernel=(3, 3), pads=SAME3.pads, epilogue=epilogue, args=args
    )
    acc = convolve(x, w, Conv(x.shape, 10, SAME3))
    expected = float_epilogue(acc, bias[:, None, None], scale, residual)
    assert device.run(builder.image(), {"x": x, "r": residual})["y"].tobytes() == expected.tobytes()


def test_grouped_conv_requantizes(device: DeviceUnderTest) -> None:
    """The channel in s2 counts over all groups."""
    conv = Conv((1, 4, 6, 6), 6, SAME3, groups=2, zero=-7, pair="i8-trit")
    x, w = operands(conv.pair, conv.input, (6, 2, 3, 3), seed=27)
    scale = np.linspace(0.1, 2.0, 6, dtype=np.float32)
    builder = Builder()
    args = [builder.constant(scale), builder.constant(np.float32([0.0]))]
    epilogue = builder.epilogue(REQUANTIZE, 2)
    lhs, out = builder.input("x", x.shape, I8), builder.output("y", (1, 6, 6, 6), I8)
    builder.window(
        Kind.CONV2D, lhs, builder.constant(w, Packing.T2), out, kernel=(3, 3), pads=SAME3.pads, groups=2, lhs_zero=-7,
        epilogue=epilogue, args=args,
    )  # fmt: skip
    expected = requantize(convolve(x, w, conv), scale[:, None, None], 0.0)
    assert device.run(builder.image(), {"x": x})["y"].tobytes() == expected.tobytes()


def test_pool_with_an_epilogue_of_another_type(device: DeviceUnderTest) -> None:
    """i8 maxima are i32 lanes; the epilogue makes f32 of them."""
    x = np.random.default_rng(28).integers(-128, 128, (1, 3, 6, 6)).astype(np.int8)
    scale = np.float32([0.5, 0.25, 0.125])
    words = [
        {**d("CVT", F32, vd=0, va=0, aux=I32), **by_channel(F32, 1, 0)},
        {**d("MUL", F32, vd=0, va=0, vb=1), **END},
    ]
    builder = Builder()
    epilogue = builder.epilogue(words, 1)
    lhs, out = builder.input("x", x.shape, I8), builder.output("y", (1, 3, 3, 3), F32)
    builder.window(
        Kind.POOL, lhs, NONE, out, kernel=(2, 2), strides=(2, 2), mode=PoolMode.MAX, epilogue=epilogue,
        args=[builder.constant(scale)],
    )  # fmt: skip
    taps, _ = Window((2, 2), strides=(2, 2)).gather(x)
    expected = taps.max(-1).astype(np.float32) * scale[:, None, None]
    assert device.run(builder.image(), {"x": x})["y"].tobytes() == expected.tobytes()


def test_gather_in_an_epilogue(device: DeviceUnderTest) -> None:
    """An index that the lane computes: a lookup table on the accumulator's low bits."""
    lhs, rhs = operands("i8-i8", (2, 8), (40, 8), seed=29)
    table = np.random.default_rng(30).integers(-1000, 1000, 16).astype(np.int32)
    words = [
        scalar(I32, 1, 1),
        d("AND", I32, vd=2, va=0, vb=1),
        {**s("GATHER", I32, reg=0, win=0, base=0, index=2), **END},
    ]
    builder = Builder()
    args = [builder.constant(table), builder.constant(np.int32([15]))]
    epilogue = builder.epilogue(words, 2)
    x, out = builder.input("x", lhs.shape, I8), builder.output("y", (2, 40), I32)
    builder.gemm(x, builder.constant(rhs), out, epilogue=epilogue, args=args, m=2, n=40, k=8)
    expected = table[dot(lhs[:, None], rhs[None]) & 15]
    assert device.run(builder.image(), {"x": lhs})["y"].tobytes() == expected.tobytes()


def test_result_of_one_byte_truth(device: DeviceUnderTest) -> None:
    """BOOL results store lane != 0."""
    lhs, rhs = operands("f32-f32", (3, 4), (5, 4), seed=31)
    words = [{**d("CMP", F32, vd=0, va=0, vb=1, aux=2), **END}]
    builder = Builder()
    x, out = builder.input("x", lhs.shape, F32), builder.output("y", (3, 5), DType.BOOL)
    builder.gemm(x, builder.constant(rhs), out, epilogue=builder.epilogue(words, 0), m=3, n=5, k=4)
    expected = dot(lhs[:, None], rhs[None]) > 0
    assert device.run(builder.image(), {"x": lhs})["y"].tobytes() == expected.tobytes()


# --- COPY, STATE, several launches ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bool", "int8", "uint16", "int64", "float16", "float32", "float64"])
def test_copy_keeps_bits_of_every_type(device: DeviceUnderTest, name: str) -> None:
    dtype = next(dtype for dtype in DType if dtype.name == {"float32": "F32", "float16": "F16", "float64": "F64",
                 "bool": "BOOL", "int8": "I8", "uint16": "U16", "int64": "I64"}[name])  # fmt: skip
    x = np.random.default_rng(32).integers(0, 2, (3, 5)).astype(name)
    if name == "float32":
        x.view(np.uint32)[0, :2] = 0x7F800001, 0xFFC01234
    builder = Builder()
    source, out = builder.input("x", x.shape, dtype), builder.output("y", x.shape, dtype)
    through = builder.scratch(x.shape, dtype)
    builder.copy(source, through)
    builder.copy(through, out)
    assert device.run(builder.image(), {"x": x})["y"].tobytes() == x.tobytes()


def test_scalar_of_rank_0(device: DeviceUnderTest) -> None:
    builder = Builder()
    builder.copy(builder.input("x", (), F32), builder.output("y", (), F32))
    result = device.run(builder.image(), {"x": np.array(2.5, np.float32)})["y"]
    assert (result.shape, float(result)) == ((), 2.5)


def test_chain_through_scratch(device: DeviceUnderTest) -> None:
    """A convolution, a pool on its result, a reshape (another record on the same bytes), a product."""
    x, w = operands("f32-f32", (1, 2, 6, 6), (3, 2, 3, 3), seed=33)
    dense = floats(np.random.default_rng(34), (4, 27))
    builder = Builder()
    lhs = builder.input("x", x.shape, F32)
    features, pooled = builder.scratch((1, 3, 6, 6), F32), builder.scratch((1, 3, 3, 3), F32)
    builder.window(Kind.CONV2D, lhs, builder.constant(w), features, kernel=(3, 3), pads=SAME3.pads)
    builder.window(Kind.POOL, features, NONE, pooled, kernel=(2, 2), strides=(2, 2), mode=PoolMode.MAX)
    flat = builder.view(pooled, (1, 27))
    builder.gemm(flat, builder.constant(dense), builder.output("y", (1, 4), F32), m=1, n=4, k=27)
    acc = convolve(x, w, Conv(x.shape, 3, SAME3))
    taps, _ = Window((2, 2), strides=(2, 2)).gather(acc)
    expected = dot(taps.max(-1).reshape(1, 1, 27), dense[None])
    assert device.run(builder.image(), {"x": x})["y"].tobytes() == expected.tobytes()


def test_state_lives_in_a_context(device: DeviceUnderTest) -> None:
    """A counter: starts at zero, adds its input, is its own for each context, and can be reset."""
    words = [
        {**s("LI", reg=1, imm=1), **c("SETVL", imm=2)},
        s("LD", I32, reg=1, win=0, base=0, index=1),
        s("LD", I32, reg=2, win=1, base=0, index=1),
        d("ADD", I32, vd=1, va=1, vb=2),
        s("ST", I32, reg=1, win=1, base=0, index=1),
        s("ST", I32, reg=1, win=2, base=0, index=1),
        END,
    ]
    builder = Builder()
    x, state = builder.input("x", (2,), I32), builder.state("count", (2,), I32)
    builder.vector(words, [x, state, builder.output("y", (2,), I32)])
    image = builder.image()
    step = {"x": np.array([1, 10], np.int32)}
    first, second = device.open(image), device.open(image)
    assert [first.run("main", step)["y"].tolist() for _ in range(2)] == [[1, 10], [2, 20]]
    assert second.run("main", step)["y"].tolist() == [1, 10]
    first.reset()
    assert first.run("main", step)["y"].tolist() == [1, 10]
