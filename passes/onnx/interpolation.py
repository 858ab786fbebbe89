"""Scalar code of interpolation: the cubic kernel, and coordinates as places of a tensor."""

from __future__ import annotations

from typing import Any

from tfmbs.dialect.mlir import arith
from tfmbs.passes.linalg.scalar import select
from tfmbs.passes.onnx.arithmetic import SI64, Arithmetic

Value = Any


def cubic(a: Arithmetic, distance: Value, coefficient: float) -> Value:
    """Keys's kernel at d ≥ 0: (A + 2)d³ − (A + 3)d² + 1 up to 1, A·d³ − 5A·d² + 8A·d − 4A up to 2, then 0."""
    k = coefficient

    def horner(*factors: float) -> Value:
        result = a.constant(factors[0])
        for factor in factors[1:]:
            result = a.add(a.multiply(result, distance), a.constant(factor))
        return result

    near, far = horner(k + 2, -(k + 3), 0, 1), horner(k, -5 * k, 8 * k, -4 * k)
    beyond = select(a.less(distance, a.constant(2)), far, a.constant(0))
    return select(a.at_most(distance, a.constant(1)), near, beyond)


def place_of(a: Arithmetic, x: Value, last: Value) -> Value:
    """A float as i64, moved into 0 … `last` (a float); a NaN is 0."""
    return arith.FPToSIOp(SI64.mlir, a.minimum(a.maximum(x, a.constant(0)), last)).result
