"""LSTM: directions, orders of gates, biases, first and last states, against the written steps, by bytes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.conformance.arithmetic import canonical, dot
from tests.conformance.builder import Builder
from tests.conformance.data import floats
from tests.conformance.devices import DeviceUnderTest
from tests.native import examples
from tfmbs.runtime.abi.records import Direction, GateOrder
from tfmbs.runtime.abi.special_model import evaluate
from tfmbs.runtime.abi.types import DType

Array = NDArray[Any]
Operands = dict[str, Array]


@dataclass(frozen=True)
class Lstm:
    """Sizes: steps, batch, width, hidden; and what else the geometry says."""

    sizes: tuple[int, int, int, int]
    direction: Direction = Direction.FORWARD
    order: GateOrder = GateOrder.IOFC
    bias: bool = False
    recurrent_bias: bool = False
    initial: bool = False
    cell: bool = False

    @property
    def ways(self) -> int:
        return 2 if self.direction is Direction.BOTH else 1


ORDERS = {GateOrder.IOFC: "iofg", GateOrder.IFCO: "ifgo"}


def gate(name: str, x: Array) -> Array:
    return canonical(evaluate("tanh" if name == "g" else "sigmoid", x))


def recur(given: Operands, a: Lstm) -> Array:
    """The steps of docs/numerics.md, each rounded to f32."""
    steps, batch, _, hidden = a.sizes
    x, ways = given["x"], []
    for way in range(a.ways):
        w, r = given["w"][way], given["r"][way]
        h, c = ((given[name][way] if a.initial else np.zeros((batch, hidden), np.float32)) for name in "hc")
        backwards = a.direction is Direction.REVERSE or way == 1
        states = [h] * steps
        with np.errstate(all="ignore"):
            for t in reversed(range(steps)) if backwards else range(steps):
                of_input = dot(x[t][:, None], w[None])
                of_input = canonical(of_input + given["wb"][way]) if a.bias else of_input
                of_state = dot(h[:, None], r[None])
                of_state = canonical(of_state + given["rb"][way]) if a.recurrent_bias else of_state
                sums = np.split(canonical(of_state + of_input), 4, axis=1)
                gates = {name: gate(name, s) for name, s in zip(ORDERS[a.order], sums, strict=True)}
                c = canonical(canonical(gates["f"] * c) + canonical(gates["i"] * gates["g"]))
                h = canonical(gates["o"] * canonical(evaluate("tanh", c)))
                states[t] = h
        ways.append(np.stack([*states, c] if a.cell else states))
    return np.ascontiguousarray(np.stack(ways, 1))


CASES = {
    "one": Lstm((1, 1, 1, 1)),
    "plain": Lstm((5, 3, 4, 6)),
    "odd-sizes": Lstm((3, 7, 19, 37), bias=True, cell=True),
    "many-sequences": Lstm((2, 71, 3, 5), recurrent_bias=True),
    "one-sequence": Lstm((9, 1, 33, 48), bias=True, initial=True),
    "wide": Lstm((3, 2, 8, 150), Direction.FORWARD, GateOrder.IFCO, True, True, True, True),
    "reverse": Lstm((4, 2, 5, 8), Direction.REVERSE, bias=True, cell=True),
    "both": Lstm((4, 2, 5, 8), Direction.BOTH, bias=True, initial=True, cell=True),
    "both-as-pytorch": Lstm((6, 3, 5, 9), Direction.BOTH, GateOrder.IFCO, bias=True, recurrent_bias=True),
    "shared-steps": Lstm((2, 3, 4, 260), Direction.BOTH, initial=True, cell=True),
}


def operands(a: Lstm, seed: int) -> Operands:
    rng = np.random.default_rng(seed)
    steps, batch, width, hidden = a.sizes
    state = (a.ways, batch, hidden)
    shapes = {
        "x": (steps, batch, width),
        "w": (a.ways, 4 * hidden, width),
        "r": (a.ways, 4 * hidden, hidden),
        "wb": (a.ways, 4 * hidden),
        "rb": (a.ways, 4 * hidden),
        "h": state,
        "c": state,
    }
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def run(device: DeviceUnderTest, a: Lstm, arrays: Operands, *, constant: bool = False) -> Array:
    """With `constant`, weights and biases are in the binary."""
    builder = Builder()
    present = {"r": True, "wb": a.bias, "rb": a.recurrent_bias, "h": a.initial, "c": a.initial}
    given = {name: arrays[name] for name in ("x", "w", *(name for name, is_there in present.items() if is_there))}
    stored = {"w", "r", "wb", "rb"} if constant else set()
    tensors = {
        name: builder.constant(x) if name in stored else builder.input(name, x.shape, DType.F32)
        for name, x in given.items()
    }
    steps, batch, _, hidden = a.sizes
    out = builder.output("y", (steps + a.cell, a.ways, batch, hidden), DType.F32)
    further = [tensors[name] for name in present if name in tensors]
    flags = {"bias": a.bias, "recurrent_bias": a.recurrent_bias, "initial": a.initial, "cell": a.cell}
    fields = {"direction": a.direction, "order": a.order, **{name: int(flag) for name, flag in flags.items()}}
    builder.lstm(tensors["x"], tensors["w"], out, further, **fields)
    return device.run(builder.image(), {name: x for name, x in given.items() if name not in stored})["y"]


@cache
def case(name: str) -> tuple[Operands, Array]:
    arrays = operands(CASES[name], seed=51)
    return arrays, recur(arrays, CASES[name])


@pytest.mark.parametrize("constant", [False, True], ids=["given", "constant"])
@pytest.mark.parametrize("name", CASES)
def test_lstm(device: DeviceUnderTest, name: str, constant: bool) -> None:
    arrays, expected = case(name)
    assert run(device, CASES[name], arrays, constant=constant).tobytes() == expected.tobytes()


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, -0.0, 1e-45], ids=str)
@pytest.mark.parametrize("operand", ["x", "w", "r", "wb", "rb", "h", "c"])
def test_numbers_that_are_not_ordinary(device: DeviceUnderTest, operand: str, value: float) -> None:
    """The first state takes part in its product also where it is zero: what is infinite makes a NaN of it."""
    a = Lstm((3, 2, 4, 5), Direction.BOTH, bias=True, recurrent_bias=True, initial=True, cell=True)
    arrays = operands(a, seed=52)
    arrays[operand].flat[3] = value
    assert run(device, a, arrays).tobytes() == recur(arrays, a).tobytes()


def test_first_states_of_zero(device: DeviceUnderTest) -> None:
    a = Lstm((2, 1, 2, 3))
    arrays = operands(a, seed=53)
    arrays["r"][0, 1, 1] = np.inf
    got = run(device, a, arrays)
    assert got.tobytes() == recur(arrays, a).tobytes()
    assert np.isnan(got).any()


FLAGS = st.booleans()


@given(
    a=st.builds(
        Lstm, st.tuples(st.integers(1, 4), st.integers(1, 18), st.integers(1, 40), st.integers(1, 70)),
        st.sampled_from(Direction), st.sampled_from(GateOrder), FLAGS, FLAGS, FLAGS, FLAGS,
    ),
    seed=st.integers(0, 99), constant=st.booleans(), extreme=st.booleans(),
)  # fmt: skip
@settings(max_examples=examples(12))
def test_any_lstm(device: DeviceUnderTest, a: Lstm, seed: int, constant: bool, extreme: bool) -> None:
    """Of tiles and panels that are not full; `extreme`: sums that are infinite, or no number."""
    arrays = operands(a, seed)
    if extreme:
        rng = np.random.default_rng(seed)
        arrays = {name: floats(rng, x.shape) for name, x in arrays.items()}
    assert run(device, a, arrays, constant=constant).tobytes() == recur(arrays, a).tobytes()
