"""Loop nests of vector code on the emulator against their meaning through linalg, byte for byte."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models.graphs import Inputs, add, assert_same_bytes, elementwise, graph, mul, normal, weights
from tfmbs.dialect.mlir import arith, ir, math, tensor
from tfmbs.passes.linalg import structured
from tfmbs.passes.linalg.scalar import compare, constant, f32, select

P, R = "parallel", "reduction"


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


@pytest.mark.parametrize("element", ["i8", "i16", "i32", "i64"])
def test_rows_at_computed_places(element: str) -> None:
    """A table's rows by index: whole rows, single elements, and elements at linear places."""
    values = np.array([4, 0, 3, 3, 1, 2], f"int{element[1:]}")

    def build(table: Any, index: Any) -> list[Any]:
        def row(i: Any) -> Any:
            column = structured.linalg.IndexOp(1).result
            return tensor.ExtractOp(table, [arith.IndexCastOp(ir.IndexType.get(), i).result, column]).result

        def shuffled(i: Any) -> Any:
            at = arith.IndexCastOp(ir.IndexType.get(), i).result
            other = arith.AddIOp(structured.linalg.IndexOp(0).result, constant(ir.IndexType.get(), 3)).result
            return tensor.ExtractOp(table, [at, arith.MulIOp(at, other).result]).result

        def linear(i: Any) -> Any:
            first, second = (structured.linalg.IndexOp(d).result for d in (0, 1))
            four, two = (constant(ir.IndexType.get(), number) for number in (4, 2))
            place = [arith.SubIOp(four, first).result, arith.MulIOp(second, two).result]
            return tensor.ExtractOp(table, place).result

        return [
            elementwise(row, (6, 600), (0,), element="f16")(index),
            elementwise(shuffled, (6,), (0,), element="f16")(index),
            elementwise(linear, (5, 300), (0,), element="f16")(
                tensor.ExtractSliceOp(
                    ir.RankedTensorType.get([5], index.type.element_type), index, [], [], [], [0], [5], [1]
                ).result
            ),
        ]

    inputs: Inputs = {"table": ((5, 600), "f16"), "index": ((6,), element)}
    table = normal(5, 600).astype(np.float16)
    assert_same_bytes(graph(inputs, build), {"table": table, "index": values}, optimise=False)


MAPS = {
    "division": "(d0, d1) -> (d0 floordiv 2, d1 + 1)",
    "remainder": "(d0, d1) -> (d0, d1 mod 7)",
    "ceiling": "(d0, d1) -> (d0, (d1 + 1) ceildiv 3)",
    "below_zero": "(d0, d1) -> (d0, (d1 - 5) floordiv 4 + 2)",
    "diagonal": "(d0, d1) -> (d0, d0 + d1)",
}


@pytest.mark.parametrize("name", MAPS)
def test_maps_that_are_not_projections(name: str) -> None:
    def build(x: Any) -> Any:
        maps = [ir.AffineMapAttr.parse(f"affine_map<{MAPS[name]}>").value, structured.identity(2)]
        out = structured.empty((9, 33), x.type.element_type)
        return structured.generic([(x, maps[0])], [(out, maps[1])], (P, P), lambda a, _: mul(a, a)).results[0]

    assert_same_bytes(graph({"x": ((9, 42), "f32")}, build), optimise=False)


@pytest.mark.parametrize("reread", [False, True], ids=["registers", "spills"])
def test_more_operands_than_windows(reread: bool) -> None:
    """Constants lie side by side, so that windows can span several of them; spilled values need windows too."""

    def build(x: Any) -> Any:
        def body(a: Any, *others: Any) -> Any:
            made = []
            for other in others:
                a = math.FmaOp(a, other, other).result
                made.append(a)
            for value in made if reread else []:
                a = mul(a, value)
            return a

        others = [weights(normal(5, 7, seed=i)) for i in range(40)]
        return elementwise(body, (5, 7), *(((0, 1),) * 41))(x, *others)

    assert_same_bytes(graph({"x": ((5, 7), "f32")}, build), optimise=False)


def test_operands_that_are_the_same_in_all_lanes() -> None:
    """A factor for each row and a bias for each column, both computed from inputs."""

    def body(a: Any, variance: Any, bias: Any) -> Any:
        scale = math.RsqrtOp(add(math.AbsFOp(variance).result, f32(0.5))).result
        return add(mul(a, scale), math.TanhOp(bias).result)

    inputs: Inputs = {"x": ((9, 200), "f32"), "v": ((9,), "f32"), "b": ((200,), "f32")}
    assert_same_bytes(graph(inputs, elementwise(body, (9, 200), (0, 1), (0,), (1,))), optimise=False)
    inputs = {"x": ((3, 1100), "f32"), "v": ((3,), "f32"), "b": ((1100,), "f32")}
    assert_same_bytes(graph(inputs, elementwise(body, (3, 1100), (0, 1), (0,), (1,))), optimise=False)


def test_a_short_dimension_that_shares_work() -> None:
    """Both halves of a byte."""

    def body(a: Any, scale: Any) -> Any:
        i32 = ir.IntegerType.get_signless(32)
        half = arith.IndexCastOp(i32, structured.linalg.IndexOp(1).result).result
        shift = arith.MulIOp(half, constant(i32, 4)).result
        nibble = arith.AndIOp(arith.ShRUIOp(arith.ExtUIOp(i32, a).result, shift).result, constant(i32, 15)).result
        return mul(arith.SIToFPOp(ir.F32Type.get(), arith.SubIOp(nibble, constant(i32, 8)).result).result, scale)

    inputs: Inputs = {"x": ((50, 16), "i8"), "s": ((50,), "f32")}
    values = np.random.default_rng(2).integers(-128, 128, (50, 16)).astype(np.int8)
    build = elementwise(body, (50, 2, 16), (0, 2), (0,))
    assert_same_bytes(graph(inputs, build), {"x": values, "s": normal(50)}, optimise=False)


def test_turned_operands_beyond_what_caches_hold() -> None:
    build = elementwise(add, (530, 1030), (1, 0), (0, 1))
    assert_same_bytes(graph({"x": ((1030, 530), "f32"), "y": ((530, 1030), "f32")}, build), optimise=False)


def test_more_dimensions_than_loops() -> None:
    shape = (2, 3, 2, 2, 3, 2, 2, 2, 2, 3)
    order = tuple(reversed(range(10)))
    turned = tuple(shape[d] for d in order)
    square = elementwise(lambda a: mul(a, a), turned, order)

    def build(x: Any) -> Any:
        """Arguments have at most eight dimensions."""
        full = ir.RankedTensorType.get(list(shape), x.type.element_type)
        group = [[*range(10)]]
        return tensor.CollapseShapeOp(
            x.type, square(tensor.ExpandShapeOp(full, x, group, [], shape).result), group
        ).result

    assert_same_bytes(graph({"x": ((prod(shape),), "f32")}, build), optimise=False)
