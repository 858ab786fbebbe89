"""Epilogues of products in groups, on rows of any magnitude, and of integers: the bytes of the interpreter on the
baseline set."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.conformance.builder import END, Builder, Fields, d, s
from tests.conformance.data import operands
from tests.conformance.test_epilogue import by_channel, by_element
from tfmbs.runtime import _native
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.records import Activations, Kind
from tfmbs.runtime.abi.siw_op import Predicate
from tfmbs.runtime.abi.types import DType, Packing
from tfmbs.runtime.devices.emulator import Emulator

Array = NDArray[Any]
F32 = DType.F32
SETS = (*_native.instruction_sets(), *_native.modelled_sets())
K = 256
FUNCTIONS = ("EXP", "LOG", "TANH", "ERF", "SIGMOID", "GELU")
STEPS = st.lists(st.sampled_from(("ADD", "MUL", "DIV", "MAX", "MIN", *FUNCTIONS)), max_size=5)


def words(steps: list[str]) -> list[Fields]:
    """The steps on v0; what takes another operand has that of the channel."""
    load = by_channel(F32, 1, 0)
    body = [d(op, F32, vd=0, va=0, **({} if op in FUNCTIONS else {"vb": 1})) for op in steps]
    return [load, *body, END]


def magnitudes(rng: np.random.Generator, shape: tuple[int, ...], *, reach: int) -> Array:
    """Of any exponent, with zeros of both signs, infinities and NaNs among them."""
    x = np.ldexp(rng.uniform(-2, 2, shape), rng.integers(-reach, min(reach, 126), (shape[0], 1))).astype(np.float32)
    odd = rng.choice(np.array([0.0, -0.0, np.inf, -np.inf, np.nan], np.float32), shape)
    return np.where(rng.random(shape) < 0.01, odd, x).astype(np.float32)


Form = tuple[str, Packing, int]
"""Types, the packing of weights, and how many of them share a scale."""


def product(form: Form, m: int, n: int, steps: list[str], seed: int) -> tuple[Image, Array]:
    pair, packing, group = form
    rng = np.random.default_rng(seed)
    _, weights = operands(pair, (m, K), (n * (K // group), group), seed=seed)
    weights[: K // group] = 0
    builder = Builder()
    x, out = builder.input("x", (m, K), F32), builder.output("y", (m, n), F32)
    scales = builder.constant(magnitudes(rng, (n, K // group), reach=130))
    operand = builder.constant(magnitudes(rng, (n, 1), reach=10).ravel())
    builder.groups(
        x, builder.constant(weights, packing), scales, out, epilogue=builder.epilogue(words(steps), 1), args=[operand],
        m=m, n=n, k=K, group=group, activations=Activations.ABSMAX,
    )  # fmt: skip
    return builder.image(), magnitudes(rng, (m, K), reach=130)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([("f32-i8", Packing.DENSE, K), ("f32-i4", Packing.NIBBLES, 64), ("f32-trit", Packing.A5, K)]),
    st.integers(1, 20),
    st.sampled_from([1, 15, 64, 131, 600]),
    STEPS,
    st.integers(0, 9),
)
def test_any_chain(form: Form, m: int, n: int, steps: list[str], seed: int) -> None:
    image, x = product(form, m, n, steps, seed)
    expected = Emulator(image, "baseline").context(1).run("main", {"x": x})["y"].tobytes()
    for isa in SETS:
        assert Emulator(image, isa).context(1).run("main", {"x": x})["y"].tobytes() == expected


def test_counters_of_a_chain_with_a_function() -> None:
    """Those of the interpreter."""
    image, x = product(("f32-i8", Packing.DENSE, K), 9, 600, ["ADD", "GELU", "MUL"], 1)
    counted = set()
    for isa in SETS:
        context = Emulator(image, isa).context(1)
        context.run("main", {"x": x})
        counted.add(context.stats.launches[0].total_ops)
    assert len(counted) == 1


ENDS = {
    "none": [],
    "relu": [d("CMP", F32, vd=6, va=0, vb=5, aux=int(Predicate.UGT)), d("SEL", vd=0, va=6, vb=0, vc=5)],
    "both": [d("MAX", F32, vd=0, va=0, vb=5), d("MIN", F32, vd=0, va=0, vb=7)],
    "sum": [d("ADD", F32, vd=0, va=0, vb=7)],
}
"""By name; v5 is zero and v7 is six."""


def number(reg: int, bits: int) -> list[Fields]:
    """In all lanes."""
    return [s("LI", reg=5, imm=bits >> 17), s("LIH", reg=5, imm=0), s("INDEX", DType.I32, reg=reg, base=5, index=0)]


def quantized(divides: bool) -> list[Fields]:
    """v0 by 6, if it `divides`, to i8 about 0."""
    return [
        *([d("DIV", F32, vd=0, va=0, vb=7)] if divides else []),
        *number(8, 0xC3000000 - (1 << 32)), *number(9, 0x42FE0000),
        d("ROUND", F32, vd=0, va=0), d("MAX", F32, vd=0, va=0, vb=8), d("MIN", F32, vd=0, va=0, vb=9),
        d("CMP", F32, vd=6, va=0, vb=0, aux=int(Predicate.UNO)), d("SEL", vd=0, va=6, vb=5, vc=0),
        d("CVT", DType.I8, vd=0, va=0, aux=int(F32)),
    ]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([1, 7, 31, 64, 91, 130]),
    st.sampled_from([3, 16, 33]),
    st.booleans(),
    st.sampled_from(list(ENDS)),
    st.sampled_from(["real", "bytes", "divided"]),
    st.integers(0, 9),
)
def test_sums_that_are_scaled(width: int, channels: int, adds: bool, end: str, result: str, seed: int) -> None:
    """A bias, a scale by channel, perhaps elements that are added, ends, perhaps a quantization."""
    rng = np.random.default_rng(seed)
    shape, out = (1, 20, 3, width), (1, channels, 3, width)
    dtype = F32 if result == "real" else DType.I8
    builder = Builder()
    x, y = builder.input("x", shape, DType.I8), builder.output("y", out, dtype)
    bias = builder.constant(rng.integers(-9000, 9000, channels).astype(np.int32))
    scale = builder.constant(magnitudes(rng, (channels, 1), reach=8).ravel() / 500)
    added = builder.constant(magnitudes(rng, (channels * 3 * width, 1), reach=3).reshape(out))
    words = [
        *number(5, 0), *number(7, 0x40C00000),
        by_channel(DType.I32, 1, 0), by_channel(F32, 2, 1), by_element(F32, 3, 2),
        d("ADD", DType.I32, vd=0, va=0, vb=1), d("CVT", F32, vd=0, va=0, aux=int(DType.I32)),
        d("MUL", F32, vd=0, va=0, vb=2), *([d("ADD", F32, vd=0, va=0, vb=3)] if adds else []),
        *ENDS[end], *(quantized(result == "divided") if result != "real" else []), END,
    ]  # fmt: skip
    weights = builder.constant(rng.integers(-128, 128, (channels, 20, 3, 3)).astype(np.int8))
    builder.window(
        Kind.CONV2D, x, weights, y, kernel=(3, 3), pads=(1, 1, 1, 1), epilogue=builder.epilogue(words, 3),
        args=[bias, scale, added],
    )  # fmt: skip
    image, given_ = builder.image(), {"x": rng.integers(-128, 128, shape).astype(np.int8)}
    expected = Emulator(image, "baseline").context(1).run("main", given_)["y"].tobytes()
    for isa in SETS:
        assert Emulator(image, isa).context(1).run("main", given_)["y"].tobytes() == expected
