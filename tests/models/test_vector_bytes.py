"""Vector code on the emulator against its meaning through linalg, byte for byte: every op, reduction and shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tests.models.graphs import (
    DECOMPOSE,
    Inputs,
    assert_same_bytes,
    elementwise,
    graph,
    normal,
    program,
)
from tests.models.scalar_ops import (
    BINARY_FLOAT,
    BINARY_INTEGER,
    COMPOSED_UNARY,
    FLOAT_TESTS,
    FLOATS,
    NUMBER_FLOAT,
    UNARY_FLOAT,
    UNARY_INTEGER,
    each,
    float_patterns,
    integer_edges,
    ir_integer,
    scalar_op,
)
from tfmbs.compiler.driver import Driver
from tfmbs.dialect.mlir import arith
from tfmbs.passes.linalg.scalar import constant


@pytest.mark.parametrize("element", FLOATS)
def test_float_functions(element: str) -> None:
    values = float_patterns(element)
    if element == "f32":
        values = np.concatenate([values, (normal(500) * 4).view(np.int32)])
    inputs: Inputs = {"x": (values.shape, str(ir_integer(values)))}
    assert_same_bytes(
        graph(inputs, each(UNARY_FLOAT, values.shape, (0,), element=element)), {"x": values}, optimise=False
    )


@pytest.mark.parametrize("element", FLOATS)
def test_composed_functions(element: str) -> None:
    values = float_patterns(element)
    inputs: Inputs = {"x": (values.shape, ir_integer(values))}
    build = each(COMPOSED_UNARY, values.shape, (0,), element=element)
    assert_same_bytes(graph(inputs, build), {"x": values}, optimise=False)


@pytest.mark.parametrize("element", ["f32", "f64"])
def test_functions_of_constants(element: str) -> None:
    """Upstream would fold them to what the host's libm gives: the fabric's functions are not folded."""
    kind = np.dtype(f"f{FLOATS[element][0] // 8}")
    constants = np.random.default_rng(4).uniform(0.1, 0.9, 12).astype(kind).tolist()

    def build(x: Any) -> dict[str, Any]:
        def one(factor: Any, name: str, number: float) -> Any:
            return arith.MulFOp(factor, scalar_op(name, constant(factor.type, number))).result

        return {
            f"{name}{i}": elementwise(
                lambda factor, name=name, number=number: one(factor, name, number), (1,), (0,), element=element
            )(x)
            for name in ("exp", "log", "sin", "tanh", "erf", "sigmoid", "asinh")
            for i, number in enumerate(constants)
        }

    assert_same_bytes(graph({"x": ((1,), element)}, build), {"x": np.ones(1, kind)})


@pytest.mark.parametrize("element", FLOATS)
def test_classes_of_floats(element: str) -> None:
    """Against numpy: linalg has the same comparisons."""
    values = float_patterns(element)
    module = graph(
        {"x": (values.shape, ir_integer(values))}, each(FLOAT_TESTS, values.shape, (0,), element=element, result="i1")
    )
    Driver().run_text(module, DECOMPOSE)
    got = program(module).run({"x": values})
    numbers = (
        (values.astype(np.int32) << 16).view(np.float32)
        if element == "bf16"
        else values.view(f"float{FLOATS[element][0]}")
    )
    least = np.finfo(numbers.dtype).smallest_normal
    expected = {"isfinite": np.isfinite(numbers), "isinf": np.isinf(numbers), "isnan": np.isnan(numbers)}
    expected["isnormal"] = np.isfinite(numbers) & (np.abs(numbers) >= least)
    for name in FLOAT_TESTS:
        np.testing.assert_array_equal(got[name], expected[name], err_msg=name)


@pytest.mark.parametrize("names", [BINARY_FLOAT, NUMBER_FLOAT], ids=["all", "numbers"])
@pytest.mark.parametrize("element", FLOATS)
def test_float_arithmetic(element: str, names: Sequence[str]) -> None:
    values = float_patterns(element)
    if names is NUMBER_FLOAT:  # which of two zeros they give is left open
        values = values[2:]
    inputs: Inputs = {name: (values.shape, ir_integer(values)) for name in "xy"}
    build = each(names, (values.size, values.size), (0,), (1,), element=element)
    assert_same_bytes(graph(inputs, build), {"x": values, "y": values[::-1].copy()}, optimise=False)


@pytest.mark.parametrize("element", FLOATS)
def test_fused_multiply_add(element: str) -> None:
    values = float_patterns(element)[::3].copy()
    inputs: Inputs = {name: (values.shape, ir_integer(values)) for name in "xyz"}
    build = each(["fma"], (values.size,) * 3, (0,), (1,), (2,), element=element)
    assert_same_bytes(graph(inputs, build), dict.fromkeys("xyz", values), optimise=False)


@pytest.mark.parametrize("element", ["f16", "f32", "f64"])
def test_floats_in_memory(element: str) -> None:
    """Loaded and stored as what they are: bits of a NaN stay through a negation."""
    values = float_patterns(element)
    stored = values.view(f"float{FLOATS[element][0]}")

    def negated(x: Any) -> Any:
        return elementwise(arith.NegFOp, values.shape, (0,), element=element)(x)

    assert_same_bytes(graph({"x": (values.shape, element)}, negated), {"x": stored}, optimise=False)


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_integer_arithmetic(bits: int) -> None:
    values = integer_edges(bits)
    inputs: Inputs = {"x": (values.shape, f"i{bits}"), "y": (values.shape, f"i{bits}")}
    build = each(BINARY_INTEGER, (values.size, values.size), (0,), (1,), element=f"i{bits}")
    assert_same_bytes(graph(inputs, build), {"x": values, "y": values}, optimise=False)
    build = each(UNARY_INTEGER, values.shape, (0,), element=f"i{bits}")
    assert_same_bytes(graph({"x": (values.shape, f"i{bits}")}, build), {"x": values}, optimise=False)


def test_arithmetic_on_bits() -> None:
    values = np.array([False, True])
    inputs: Inputs = {"x": ((2,), "i1"), "y": ((2,), "i1")}
    build = each(BINARY_INTEGER, (2, 2), (0,), (1,), element="i1")
    assert_same_bytes(graph(inputs, build), {"x": values, "y": values}, optimise=False)


@pytest.mark.parametrize("bits", [8, 16, 32, 64])
def test_chains_of_narrow_integers(bits: int) -> None:
    """What upper bits of a lane do not matter for is not cut; what they matter for is."""

    def body(a: Any, b: Any) -> Any:
        for name in (
            "addi",
            "muli",
            "subi",
            "divsi",
            "addi",
            "remui",
            "shli",
            "minsi",
            "addi",
            "shrui",
            "xori",
            "maxui",
        ):
            a, b = b, scalar_op(name, a, b)
        return a

    values = integer_edges(bits)
    inputs: Inputs = {"x": (values.shape, f"i{bits}"), "y": (values.shape, f"i{bits}")}
    build = elementwise(body, (values.size,) * 2, (0,), (1,), element=f"i{bits}")
    assert_same_bytes(graph(inputs, build), {"x": values, "y": values}, optimise=False)
