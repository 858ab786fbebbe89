"""Pairs of f64 that stand for their sum, high + low with low small: twice the precision for steps that need it."""

from __future__ import annotations

from tfmbs.runtime.abi.special_steps import Value

Pair = tuple[Value, Value]


def sum_of(a: Value, b: Value) -> Pair:
    """a + b exactly, where |a| is not below |b| or a is 0 (Dekker)."""
    high = a + b
    return high, b - (high - a)


def sum_near(a: Value, b: Value) -> Pair:
    """a + b exactly, whichever is larger (Knuth)."""
    high = a + b
    other = high - a
    return high, (a - (high - other)) + (b - other)


def product_of(a: Value, b: Value) -> Pair:
    """a * b exactly, but for underflow."""
    high = a * b
    return high, a.fma(b, -high)


def times(a: Pair, b: Pair) -> Pair:
    """The product of pairs, to about 2**-104 of it."""
    high, low = product_of(a[0], b[0])
    return high, a[0].fma(b[1], a[1].fma(b[0], low))


def over(a: Pair, b: Pair) -> Pair:
    """The quotient of pairs, to about 2**-100 of it, with one division."""
    reciprocal = a[0].trace.value(1.0) / b[0]
    high = a[0] * reciprocal
    rest = (-high).fma(b[1], (-high).fma(b[0], a[0]) + a[1])
    return high, rest * reciprocal


def whole(pair: Pair) -> Value:
    """The sum, rounded."""
    return pair[0] + pair[1]
