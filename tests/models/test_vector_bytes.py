"""Vector code on the emulator against its meaning through linalg, byte for byte: every op, reduction and shape."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models.graphs import Build, Inputs, add, assert_same_bytes, elementwise, graph, mul, normal
from tfmbs.dialect.mlir import arith, ir, math, tensor
from tfmbs.passes.linalg import structured
from tfmbs.passes.linalg.scalar import compare, constant, f32, select

P, R = "parallel", "reduction"


SPECIAL = np.array(
    [0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, -2.5, 1e-45, -1e-40, 3.4e38, -3.4e38, np.inf, -np.inf, np.nan, 127.5, -128.5],
    np.float32,
)
UNARY_FLOAT = ("absf", "ceil", "erf", "exp", "floor", "log", "roundeven", "rsqrt", "sqrt", "tanh", "trunc")
BINARY_FLOAT = ("addf", "subf", "mulf", "divf", "maximumf", "minimumf")
NUMBER_FLOAT = ("maxnumf", "minnumf")
BINARY_INTEGER = (
    "addi", "subi", "muli", "divsi", "remsi", "maxsi", "minsi", "maxui", "minui", "andi", "ori", "xori", "shli",
    "shrsi", "shrui",
)  # fmt: skip


def scalar_op(name: str, *operands: Any) -> Any:
    """The arith or math op of this name on scalars, of the first operand's type."""
    dialect = "math" if name in UNARY_FLOAT else "arith"
    return ir.Operation.create(f"{dialect}.{name}", results=[operands[0].type], operands=list(operands)).results[0]


def each(names: Sequence[str], shape: tuple[int, ...], *maps: tuple[int, ...], element: str = "f32") -> Build:
    """Builds one result for each scalar op, called like it."""

    def build(*inputs: Any) -> dict[str, Any]:
        return {
            name: elementwise(lambda *s, name=name: scalar_op(name, *s), shape, *maps, element=element)(*inputs)
            for name in names
        }

    return build


def test_float_functions() -> None:
    values = np.concatenate([SPECIAL, normal(500) * 4])
    build = each(UNARY_FLOAT, values.shape, (0,))
    assert_same_bytes(graph({"x": (values.shape, "f32")}, build), {"x": values}, optimise=False)


@pytest.mark.parametrize("names", [BINARY_FLOAT, NUMBER_FLOAT], ids=["all", "numbers"])
def test_float_arithmetic(names: Sequence[str]) -> None:
    values = SPECIAL if names is BINARY_FLOAT else SPECIAL[SPECIAL != 0]  # which of two zeros they give is left open
    inputs: Inputs = {"x": (values.shape, "f32"), "y": (values.shape, "f32")}
    build = each(names, (values.size, values.size), (0,), (1,))
    assert_same_bytes(graph(inputs, build), {"x": values, "y": values[::-1].copy()}, optimise=False)


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_integer_arithmetic(bits: int) -> None:
    limit = 1 << (bits - 1)
    edge = np.array([0, 1, -1, 2, 7, 8, 9, bits - 1, bits, bits + 1, 100, -100, limit - 1, -limit, 1 - limit])
    values = edge.astype(f"int{bits}")
    inputs: Inputs = {"x": (values.shape, f"i{bits}"), "y": (values.shape, f"i{bits}")}
    build = each(BINARY_INTEGER, (values.size, values.size), (0,), (1,), element=f"i{bits}")
    assert_same_bytes(graph(inputs, build), {"x": values, "y": values}, optimise=False)


PREDICATES_FLOAT = ("oeq", "ogt", "oge", "olt", "ole", "one", "ord", "ueq", "ugt", "uge", "ult", "ule", "une", "uno")
PREDICATES_INTEGER = ("eq", "ne", "slt", "sle", "sgt", "sge", "ult", "ule", "ugt", "uge")


@pytest.mark.parametrize("element", ["f32", "i8", "i32"])
def test_comparisons(element: str) -> None:
    values = SPECIAL if element == "f32" else np.array([0, 1, -1, 100, -100], f"int{element[1:]}")
    predicates = PREDICATES_FLOAT if element == "f32" else PREDICATES_INTEGER
    shape = (values.size, values.size)

    def build(x: Any, y: Any) -> dict[str, Any]:
        return {
            name: elementwise(lambda a, b, name=name: compare(name, a, b), shape, (0,), (1,), element="i1")(x, y)
            for name in predicates
        }

    inputs: Inputs = {"x": (values.shape, element), "y": (values.shape, element)}
    assert_same_bytes(graph(inputs, build), {"x": values, "y": values}, optimise=False)


CONVERSIONS = {
    "i8_to_f32": ("i8", "f32", "sitofp"),
    "u8_to_f32": ("i8", "f32", "uitofp"),
    "i1_to_f32": ("i1", "f32", "uitofp"),
    "signed_i1_to_f32": ("i1", "f32", "sitofp"),
    "i32_to_f32": ("i32", "f32", "sitofp"),
    "f32_to_i8": ("f32", "i8", "fptosi"),
    "f32_to_u8": ("f32", "i8", "fptoui"),
    "f32_to_i32": ("f32", "i32", "fptosi"),
    "i32_to_i8": ("i32", "i8", "trunci"),
    "i32_to_i1": ("i32", "i1", "trunci"),
    "i8_to_i32": ("i8", "i32", "extsi"),
    "u8_to_i32": ("i8", "i32", "extui"),
    "i1_to_i32": ("i1", "i32", "extui"),
    "signed_i1_to_i32": ("i1", "i32", "extsi"),
    "bits_of_f32": ("f32", "i32", "bitcast"),
}


def test_conversions() -> None:
    edges = {
        "f32": np.concatenate([SPECIAL, np.array([254.9, 255.5, 256, -0.9, 2**31, -(2.0**31), 1e10], np.float32)]),
        "i32": np.array([0, 1, -1, 127, 128, 255, 256, -129, 2**31 - 1, -(2**31), 16777217], np.int32),
        "i8": np.array([0, 1, -1, 127, -128], np.int8),
        "i1": np.array([True, False]),
    }

    def convert(value: Any, target: str, op: str) -> Any:
        def body(a: Any) -> Any:
            return ir.Operation.create(f"arith.{op}", results=[ir.Type.parse(target)], operands=[a]).results[0]

        return elementwise(body, tuple(value.type.shape), (0,), element=target)(value)

    def build(*values: Any) -> dict[str, Any]:
        sources = dict(zip(edges, values, strict=True))
        return {name: convert(sources[source], target, op) for name, (source, target, op) in CONVERSIONS.items()}

    inputs: Inputs = {element: (array.shape, element) for element, array in edges.items()}
    assert_same_bytes(graph(inputs, build), edges, optimise=False)


def reduction(shape: tuple[int, ...], kinds: tuple[str, ...], body: Build, init: float) -> Build:
    """Builds the reduction of one input over the loops that are called so."""

    def build(x: Any) -> Any:
        kept = [d for d, kind in enumerate(kinds) if kind == P]
        out = structured.filled(tuple(shape[d] for d in kept), x.type.element_type, init)
        inputs = [(x, structured.identity(len(shape)))]
        outs = [(out, structured.mapping(len(shape), kept))]
        return structured.generic(inputs, outs, kinds, body).results[0]

    return build


REDUCED: dict[str, tuple[tuple[int, ...], tuple[str, ...]]] = {
    "to_a_scalar": ((5,), (R,)),
    "of_one_element": ((5, 1), (P, R)),
    "rows": ((3, 1000), (P, R)),
    "columns": ((1000, 3), (R, P)),
    "middle": ((2, 40, 3), (P, R, P)),
    "two_inner": ((3, 4, 32), (P, R, R)),
    "apart": ((3, 5, 7), (R, P, R)),
    "apart_aligned": ((3, 5, 32), (R, P, R)),
    "apart_and_long": ((3, 70, 5), (R, P, R)),
    "alternating": ((3, 2, 5, 7), (P, R, P, R)),
}
REDUCTIONS: dict[str, tuple[Build, float, str]] = {
    "sum": (lambda a, o: add(o, a), 0.25, "f32"),
    "sum_of_squares": (lambda a, o: add(mul(a, a), o), -0.0, "f32"),
    "maximum": (lambda a, o: arith.MaximumFOp(a, o).result, float("-inf"), "f32"),
    "product": (mul, 1.0, "f32"),
    "fma": (lambda a, o: math.FmaOp(a, a, o).result, 0.5, "f32"),
    "integer_sum": (lambda a, o: arith.AddIOp(a, o).result, 3, "i32"),
    "any": (lambda a, o: arith.OrIOp(a, o).result, 0, "i1"),
    "narrow_sum": (lambda a, o: arith.AddIOp(a, o).result, 0, "i8"),
}


@pytest.mark.parametrize("name", REDUCED)
def test_reductions(name: str) -> None:
    shape, kinds = REDUCED[name]
    elements = dict.fromkeys(element for _, _, element in REDUCTIONS.values())

    def build(*inputs: Any) -> dict[str, Any]:
        values = dict(zip(elements, inputs, strict=True))
        return {
            kind: reduction(shape, kinds, body, init)(values[element])
            for kind, (body, init, element) in REDUCTIONS.items()
        }

    assert_same_bytes(graph({element: (shape, element) for element in elements}, build), optimise=False)


def test_indices() -> None:
    def body(a: Any) -> Any:
        row, column = (
            arith.IndexCastOp(ir.IntegerType.get_signless(32), structured.linalg.IndexOp(d).result).result
            for d in (0, 1)
        )
        sign = select(compare("slt", row, column), f32(-1.0), f32(2.0))
        return mul(a, add(sign, arith.SIToFPOp(ir.F32Type.get(), column).result))

    build = elementwise(body, (7, 600), (0, 1))
    assert_same_bytes(graph({"x": ((7, 600), "f32")}, build), optimise=False)


def test_many_live_values() -> None:
    """More constants than registers: they are loaded at their use instead of being kept."""

    def body(a: Any) -> Any:
        for i in range(45):
            a = add(mul(a, f32(1.0 + i / 64)), f32(i / 7))
        return a

    assert_same_bytes(graph({"x": ((3, 600), "f32")}, elementwise(body, (3, 600), (0, 1))), optimise=False)


def test_offsets_beyond_an_immediate() -> None:
    def build(x: Any) -> Any:
        row = ir.RankedTensorType.get([998], x.type.element_type)
        return tensor.ExtractSliceOp(row, x, [], [], [], [299, 1], [1, 998], [1, 1]).result

    assert_same_bytes(graph({"x": ((300, 1000), "f32")}, build), optimise=False)


@st.composite
def elementwise_cases(draw: st.DrawFn) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    """A shape of at most four dimensions, and for each of one to three inputs the dimensions that index it."""
    rank = draw(st.integers(0, 4))
    shape = tuple(draw(st.lists(st.sampled_from([1, 2, 3, 5, 8, 17, 513]), min_size=rank, max_size=rank)))
    if prod(shape) > 1 << 14:
        shape = tuple(min(size, 8) for size in shape)
    maps = [
        tuple(draw(st.permutations(draw(st.lists(st.sampled_from(range(rank)), unique=True))))) if rank else ()
        for _ in range(draw(st.integers(1, 3)))
    ]
    return shape, maps


@settings(max_examples=12, deadline=None)
@given(elementwise_cases())
def test_any_shape_and_map(case: tuple[tuple[int, ...], list[tuple[int, ...]]]) -> None:
    shape, maps = case

    def body(*scalars: Any) -> Any:
        result = constant(ir.F32Type.get(), 0.5)
        for scalar in scalars:
            result = math.FmaOp(result, scalar, add(scalar, result)).result
        return result

    inputs: Inputs = {f"x{i}": (tuple(shape[d] for d in m), "f32") for i, m in enumerate(maps)}
    assert_same_bytes(graph(inputs, elementwise(body, shape, *maps)), optimise=False)
