"""Linear algebra: determinants of small matrices, division of vectors by their norm, products of scalars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tfmbs.dialect.mlir import arith, ir, math, scf, tensor
from tfmbs.dialect.shapes import shape_of
from tfmbs.passes.linalg.scalar import compare, constant, select
from tfmbs.passes.linalg.structured import elementwise, filled, identity, mapping
from tfmbs.passes.onnx import build
from tfmbs.passes.onnx.arithmetic import F64, Arithmetic, accumulator, cast
from tfmbs.passes.onnx.node import Node, Results

Value = Any


def det(node: Node) -> Results:
    """Det: the determinant of each M×M matrix of a batch, in f64 and rounded once to the element type.

    Gaussian elimination with partial pivoting: the product of the pivots, negated at each exchange of rows.
    """
    *batch, rows, columns = node.shape(0)
    if rows != columns:
        raise node.refuse("matrix", "as many rows as columns", f"{rows}×{columns}")
    count = 1
    for size in batch:
        count *= size
    double = F64.mlir
    matrices = build.cast_all(build.reshape(node.tensor(0), (count, rows, rows)), node.element(0), F64)

    def one(number: Value, carried: Sequence[Value]) -> Sequence[Value]:
        work, found = carried
        work, value = build.count_loop(rows, [work, constant(double, 1.0)], lambda k, c: _eliminate(number, k, c))
        return [work, tensor.InsertOp(value, found, [number]).result]

    _, result = build.count_loop(count, [matrices, filled((count,), double, 1.0)], one)
    return build.reshape(build.cast_all(result, F64, node.element(0)), tuple(batch))


def _eliminate(number: Value, step: Value, carried: Sequence[Value]) -> Sequence[Value]:
    """Step `step` of the elimination of matrix `number`: carries the matrices and the determinant so far."""
    work, product = carried
    size = shape_of(work.type)[1]
    row = _pivot_row(work, number, step)

    def exchange(column: Value, rows: Sequence[Value]) -> Sequence[Value]:
        (held,) = rows
        upper, lower = (build.extract(held, [number, at, column]) for at in (step, row))
        held = tensor.InsertOp(lower, held, [number, step, column]).result
        return [tensor.InsertOp(upper, held, [number, row, column]).result]

    (work,) = build.count_loop(size, [work], exchange)
    pivot = build.extract(work, [number, step, step])
    signed = select(compare("eq", row, step), pivot, arith.NegFOp(pivot).result)
    zero = compare("oeq", pivot, constant(pivot.type, 0.0))

    def below(offset: Value, rows: Sequence[Value]) -> Sequence[Value]:
        at = arith.AddIOp(arith.AddIOp(step, build.index(1)).result, offset).result
        ratio = arith.DivFOp(build.extract(rows[0], [number, at, step]), pivot).result
        factor = select(zero, constant(pivot.type, 0.0), ratio)

        def subtract(column: Value, held: Sequence[Value]) -> Sequence[Value]:
            upper, lower = (build.extract(held[0], [number, line, column]) for line in (step, at))
            less = arith.SubFOp(lower, arith.MulFOp(factor, upper).result).result
            return [tensor.InsertOp(less, held[0], [number, at, column]).result]

        return build.count_loop(size, rows, subtract)

    rest = arith.SubIOp(build.index(size - 1), step).result
    (work,) = build.count_loop(rest, [work], below)
    return [work, arith.MulFOp(product, signed).result]


def _pivot_row(work: Value, number: Value, step: Value) -> Value:
    """The row from `step` on whose element in column `step` has the largest magnitude, the first of several."""
    first = math.AbsFOp(build.extract(work, [number, step, step])).result
    loop = scf.ForOp(step, build.index(shape_of(work.type)[1]), build.index(1), [step, first])
    with ir.InsertionPoint(loop.body):
        row, most = loop.inner_iter_args
        here = math.AbsFOp(build.extract(work, [number, loop.induction_variable, step])).result
        larger = compare("ogt", here, most)
        scf.YieldOp([select(larger, loop.induction_variable, row), select(larger, here, most)])
    return loop.results[0]


def lp_normalization(node: Node) -> Results:
    """LpNormalization: x / ‖x‖ along an axis, the norm by magnitudes or squares; 0 where that is 0."""
    element, shape = node.element(0), node.shape(0)
    wide, power = accumulator(element), node.integer("p", 2)
    if power not in (1, 2):
        raise node.refuse("p", "1 or 2", power)
    a, axis = Arithmetic(wide), node.integer("axis", -1) % len(shape)
    value = build.cast_all(node.tensor(0), element, wide)

    def add(x: Value, total: Value) -> Value:
        return a.add(total, a.absolute(x) if power == 1 else a.multiply(x, x))

    lengths = build.reduce(value, [axis], a.constant(0), add)
    outer = mapping(len(shape), [i for i in range(len(shape)) if i != axis])

    def divide(x: Value, total: Value) -> Value:
        length = total if power == 1 else math.SqrtOp(total).result
        ratio = select(compare("oeq", length, a.constant(0)), a.constant(0), a.divide(x, length))
        return cast(ratio, wide, element)

    return elementwise([(value, identity(len(shape))), (lengths, outer)], shape, element.mlir, divide)


def einsum(node: Node) -> Results | None:
    """Einsum of scalars alone, which torch-mlir does not survive: their product, from left to right."""
    if any(node.shape(operand) for operand in range(len(node))):
        return None
    a = Arithmetic(node.element(0))

    def product(*factors: Value) -> Value:
        result = factors[0]
        for factor in factors[1:]:
            result = a.multiply(result, factor)
        return result

    return build.broadcasting([node.tensor(i) for i in range(len(node))], (), a.element.mlir, product)


LOWERINGS: dict[str, Callable[[Node], Results | None]] = {
    "Det": det,
    "Einsum": einsum,
    "LpNormalization": lp_normalization,
}
