"""Exact products whose weights have a scale for each group of the reduction, as structured ops.

Integers: the products of a group are summed in i32; fma(f32(sum), scale, accumulator) takes the groups in, in ascending
order, from +0.0. f32: a weight is f32(stored) · scale, rounded, and the accumulator that of any f32 product. Where rows
of activations become i8 by their largest magnitude, as in Ma et al., "The era of 1-bit LLMs: all large language models
are in 1.58 bits", 2024: factor = 127 / max(max|x|, 1e-5), stored = saturate(round(x · factor)),
and the accumulator is divided by the factor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tfmbs.dialect.mlir import arith, ir, math
from tfmbs.dialect.shapes import element_of, shape_of
from tfmbs.passes.linalg import scalar
from tfmbs.passes.linalg.products import Product, finish, gemm
from tfmbs.passes.linalg.structured import PARALLEL, REDUCTION, dims, identity, mapping

I8_MIN, I8_MAX = -128, 127
LEAST_MAGNITUDE = 1e-5


@dataclass(frozen=True)
class Groups:
    """What a product has besides: `scales` N×G, and whether rows of `lhs` become i8 first."""

    scales: Any
    absmax: bool = False


def group_gemm(place: Any, product: Product, groups: Groups) -> Any:
    """M×N from lhs M×K and the rows of all groups, (N·G)×(K/G)."""
    if groups.absmax:
        factors = _factors(place, product.lhs)
        stored = replace(product, lhs=_stored(place, product.lhs, factors))
        return finish(place, product, _divided(place, product, _by_groups(place, stored, groups), factors))
    if isinstance(element_of(product.lhs), ir.F32Type):
        return gemm(place, replace(product, rhs=_real(place, product, groups)))
    return finish(place, product, _by_groups(place, product, groups))


def _real(place: Any, product: Product, groups: Groups) -> Any:
    """The weights N×K in f32."""
    n, count = shape_of(groups.scales.type)
    group = shape_of(product.rhs.type)[1]
    row, k = dims(0, 1)
    number, step = ir.AffineExpr.get_floor_div(k, group), ir.AffineExpr.get_mod(k, group)
    return place.run(
        [(product.rhs, mapping(2, [row * count + number, step])), (groups.scales, mapping(2, [row, number]))],
        (place.empty((n, count * group), ir.F32Type.get()), identity(2)),
        [PARALLEL] * 2,
        lambda weight, scale, _: arith.MulFOp(scalar.to_float(weight), scale).result,
    )


def _by_groups(place: Any, product: Product, groups: Groups) -> Any:
    """The f32 accumulators of stored activations."""
    m, n = product.shape
    count, group = shape_of(groups.scales.type)[1], shape_of(product.rhs.type)[1]
    i32 = scalar.integer_type(32)
    integers = replace(product, accumulator=i32)
    _, column, number, step = dims(0, 1, 2, 3)
    parts = place.run(
        [
            (product.lhs, mapping(4, [0, number * group + step])),
            (product.rhs, mapping(4, [column * count + number, step])),
        ],
        (place.filled((m, n, count), i32, 0), mapping(4, [0, 1, 2])),
        [PARALLEL] * 3 + [REDUCTION],
        integers.accumulate,
        product.discardable,
    )
    return place.run(
        [(parts, identity(3)), (groups.scales, mapping(3, [1, 2]))],
        (place.filled((m, n), ir.F32Type.get(), 0), mapping(3, [0, 1])),
        [PARALLEL] * 2 + [REDUCTION],
        lambda part, scale, acc: math.FmaOp(scalar.to_float(part), scale, acc).result,
    )


def _factors(place: Any, lhs: Any) -> Any:
    """127 / max(largest magnitude, 1e-5) of each row; a NaN has no magnitude."""
    m = shape_of(lhs.type)[0]
    f32 = ir.F32Type.get()

    def larger(x: Any, most: Any) -> Any:
        magnitude = math.AbsFOp(x).result
        return scalar.select(scalar.compare("ogt", magnitude, most), magnitude, most)

    def factor(most: Any, _: Any) -> Any:
        least = scalar.f32(LEAST_MAGNITUDE)
        bounded = scalar.select(scalar.compare("olt", most, least), least, most)
        return arith.DivFOp(scalar.f32(I8_MAX), bounded).result

    most = place.run([(lhs, identity(2))], (place.filled((m,), f32, 0), mapping(2, [0])), [PARALLEL, REDUCTION], larger)
    return place.run([(most, identity(1))], (place.empty((m,), f32), identity(1)), [PARALLEL], factor)


def _stored(place: Any, lhs: Any, factors: Any) -> Any:
    """Rows as i8; 0 for a NaN."""
    i8 = scalar.integer_type(8)

    def body(x: Any, factor: Any, _: Any) -> Any:
        scaled = arith.MulFOp(x, factor).result
        number = scalar.select(scalar.compare("uno", scaled, scaled), scalar.f32(0), scaled)
        bounded = scalar.clamp(math.RoundEvenOp(number).result, I8_MIN, I8_MAX)
        return arith.FPToSIOp(i8, bounded).result

    shape = shape_of(lhs.type)
    inputs = [(lhs, identity(2)), (factors, mapping(2, [0]))]
    return place.run(inputs, (place.empty(shape, i8), identity(2)), [PARALLEL] * 2, body)


def _divided(place: Any, product: Product, sums: Any, factors: Any) -> Any:
    inputs = [(sums, identity(2)), (factors, mapping(2, [0]))]
    out = place.empty(product.shape, ir.F32Type.get())
    return place.run(inputs, (out, identity(2)), [PARALLEL] * 2, lambda x, factor, _: arith.DivFOp(x, factor).result)
