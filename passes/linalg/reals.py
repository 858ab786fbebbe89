"""Formulas of f64 values, written with operators: each builds ops at the current insertion point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfmbs.dialect.mlir import arith, ir, math
from tfmbs.dialect.scalars import function
from tfmbs.passes.linalg import scalar


class Real:
    """An f64 value. Operators and methods give new ones; plain numbers stand for constants."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __add__(self, other: Number) -> Real:
        return Real(arith.AddFOp(self.value, _value(other)).result)

    def __radd__(self, other: float) -> Real:
        return Real(arith.AddFOp(_value(other), self.value).result)

    def __sub__(self, other: Number) -> Real:
        return Real(arith.SubFOp(self.value, _value(other)).result)

    def __rsub__(self, other: float) -> Real:
        return Real(arith.SubFOp(_value(other), self.value).result)

    def __mul__(self, other: Number) -> Real:
        return Real(arith.MulFOp(self.value, _value(other)).result)

    def __rmul__(self, other: float) -> Real:
        return Real(arith.MulFOp(_value(other), self.value).result)

    def __truediv__(self, other: Number) -> Real:
        return Real(arith.DivFOp(self.value, _value(other)).result)

    def __rtruediv__(self, other: float) -> Real:
        return Real(arith.DivFOp(_value(other), self.value).result)

    def __neg__(self) -> Real:
        return Real(arith.NegFOp(self.value).result)

    def __abs__(self) -> Real:
        return Real(math.AbsFOp(self.value).result)

    def fma(self, factor: Number, addend: Number) -> Real:
        """self * factor + addend, rounded once."""
        return Real(math.FmaOp(self.value, _value(factor), _value(addend)).result)

    def polynomial(self, coefficients: Sequence[float]) -> Real:
        """The polynomial with these coefficients, constant first, at self."""
        result = Real(_value(coefficients[-1]))
        for coefficient in reversed(coefficients[:-1]):
            result = result.fma(self, coefficient)
        return result

    def when(self, predicate: str, other: Number, yes: Number, no: Number) -> Real:
        """`yes` where self `predicate` (of `arith.cmpf`) other holds, else `no`; bits unchanged."""
        condition = scalar.compare(predicate, self.value, _value(other))
        return Real(scalar.select(condition, _value(yes), _value(no)))


Number = Real | float


def _value(number: Number) -> Any:
    return number.value if isinstance(number, Real) else scalar.constant(ir.F64Type.get(), number)


def sqrt(x: Real) -> Real:
    """The square root."""
    return Real(math.SqrtOp(x.value).result)


def exp(x: Real) -> Real:
    """e**x."""
    return Real(function("exp", x.value))


def log(x: Real) -> Real:
    """The natural logarithm."""
    return Real(function("log", x.value))


def tanh(x: Real) -> Real:
    """The hyperbolic tangent."""
    return Real(function("tanh", x.value))


def sin(x: Real) -> Real:
    """The sine."""
    return Real(function("sin", x.value))


def cos(x: Real) -> Real:
    """The cosine."""
    return Real(function("cos", x.value))


def gelu(x: Real) -> Real:
    """x times the normal distribution's probability of at most x."""
    return Real(function("gelu", x.value))


def power(x: Number, y: Number) -> Real:
    """x**y."""
    return Real(function("pow", _value(x), _value(y)))


def with_sign(x: Number, sign: Real) -> Real:
    """The magnitude of x with the sign of `sign`, bits."""
    return Real(math.CopySignOp(_value(x), sign.value).result)
