"""Reductions in vector code on the emulator against their meaning through linalg, byte for byte."""

from __future__ import annotations

from typing import Any

import pytest

from tests.models.graphs import Build, add, assert_same_bytes, graph, mul, normal
from tfmbs.dialect.mlir import arith, ir, math
from tfmbs.passes.linalg import structured
from tfmbs.passes.linalg.scalar import compare, constant, f32, select

P, R = "parallel", "reduction"


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
    "wide_columns": ((39, 600), (R, P)),
    "few_steps": ((6, 2, 70), (P, R, P)),
    "steps_in_blocks": ((3, 64, 80), (P, R, P)),
    "middle": ((2, 40, 3), (P, R, P)),
    "two_inner": ((3, 4, 32), (P, R, R)),
    "apart": ((3, 5, 7), (R, P, R)),
    "apart_aligned": ((3, 5, 32), (R, P, R)),
    "apart_and_long": ((3, 70, 5), (R, P, R)),
    "alternating": ((3, 2, 5, 7), (P, R, P, R)),
}
REDUCTIONS: dict[str, tuple[Build, float, str]] = {
    "sum": (lambda a, o: add(o, a), 0.25, "f32"),
    "sum_f64": (lambda a, o: add(o, a), 0.25, "f64"),
    "sum_f16": (lambda a, o: add(o, a), 0.25, "f16"),
    "minimum_f64": (lambda a, o: arith.MinimumFOp(a, o).result, float("inf"), "f64"),
    "maximum_f16": (lambda a, o: arith.MaximumFOp(a, o).result, 0.0, "f16"),
    "product_f64": (mul, 1.0, "f64"),
    "sum_i64": (lambda a, o: arith.AddIOp(a, o).result, -3, "i64"),
    "product_i64": (lambda a, o: arith.MulIOp(a, arith.AddIOp(o, a)).result, 3, "i64"),
    "least_i16": (lambda a, o: arith.MinSIOp(a, o).result, 7, "i16"),
    "most_u8": (lambda a, o: arith.MaxUIOp(a, o).result, 0, "i8"),
    "most_u32": (lambda a, o: arith.MaxUIOp(a, o).result, 0, "i32"),
    "parity": (lambda a, o: arith.XOrIOp(a, o).result, 0, "i1"),
    "all_bits": (lambda a, o: arith.AndIOp(a, o).result, -1, "i16"),
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


@pytest.mark.parametrize("kinds", [(P, R), (R, P), (R, R)], ids="".join)
def test_several_results(kinds: tuple[str, str]) -> None:
    """A sum by partials beside the place of the maximum, a product in ascending order, and a count."""
    shape = (37, 45)
    i64 = ir_type("i64")

    def build(x: Any) -> list[Any]:
        kept = [d for d, kind in enumerate(kinds) if kind == P]
        sizes = tuple(shape[d] for d in kept)

        def body(a: Any, total: Any, most: Any, where: Any, product: Any, count: Any) -> list[Any]:
            row, column = (structured.linalg.IndexOp(d).result for d in (0, 1))
            place = arith.AddIOp(arith.MulIOp(row, constant(ir.IndexType.get(), 45)).result, column).result
            more = compare("ogt", a, most)
            positive = arith.ExtUIOp(ir.IntegerType.get_signless(16), compare("ogt", a, f32(0.0))).result
            return [
                add(total, a),
                select(more, a, most),
                select(more, arith.IndexCastOp(i64(), place).result, where),
                mul(product, a),
                arith.AddIOp(count, positive).result,
            ]

        inits = [("f32", 0.5), ("f32", float("-inf")), ("i64", -1), ("f32", 1.0), ("i16", 0)]
        outs = [(structured.filled(sizes, ir.Type.parse(t), value), structured.mapping(2, kept)) for t, value in inits]
        return list(structured.generic([(x, structured.identity(2))], outs, kinds, body).results)

    assert_same_bytes(graph({"x": (shape, "f32")}, build), {"x": normal(*shape)}, optimise=False)


def ir_type(text: str) -> Any:
    """Makes the type once there is a context."""
    return lambda: ir.Type.parse(text)
