"""Epilogues of products in groups, on rows of any magnitude: the bytes of the interpreter on the baseline set."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.conformance.builder import END, Builder, Fields, d
from tests.conformance.data import operands
from tests.conformance.test_epilogue import by_channel
from tfmbs.runtime import _native
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.records import Activations
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
    st.sampled_from([("f32-i8", Packing.DENSE, K), ("f32-i4", Packing.NIBBLES, 64), ("f32-trit", Packing.R5, K)]),
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
