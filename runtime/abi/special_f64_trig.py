"""Sine and cosine of f64: the rest of the division by pi/2 is a pair, so that it keeps its precision near zeros."""

from __future__ import annotations

import math

from tfmbs.runtime.abi.special_cases import turned, within_reach
from tfmbs.runtime.abi.special_f64 import at
from tfmbs.runtime.abi.special_pairs import product_of, sum_near
from tfmbs.runtime.abi.special_steps import SHIFTER, Value

_HALF_PI = (math.pi / 2, float.fromhex("0x1.1a62633145c07p-54"), float.fromhex("-0x1.f1976b7ed8fbcp-110"))


def _rest(x: Value) -> tuple[Value, Value, Value]:
    """(n + SHIFTER, r, r_low): x = n pi/2 + r + r_low with |r| < 0.8."""
    shifted = x.fma(2 / math.pi, SHIFTER)
    n = shifted - SHIFTER
    near = n.fma(-_HALF_PI[0], x)  # exact
    second, second_low = product_of(n, x.trace.value(-_HALF_PI[1]))
    r, r_low = sum_near(near, second)
    return shifted, r, r_low + n.fma(-_HALF_PI[2], second_low)


def _both(r: Value, r_low: Value) -> tuple[Value, Value]:
    """Sine and cosine of r + r_low."""
    z = r * r
    half = z * 0.5
    sine = r + (z * r).fma(at(z, "SIN_64"), r_low * (r.trace.value(1.0) - half))
    head = r.trace.value(1.0) - half
    tail = (r.trace.value(1.0) - head) - half
    cosine = head + (tail + (z * z).fma(at(z, "COS_64"), -(r * r_low)))
    return sine, cosine


def sin(x: Value) -> Value:
    """The sine; a zero's sign stays."""
    bounded = within_reach(x)
    shifted, r, r_low = _rest(bounded)
    return bounded.equal(0.0).select(bounded, turned(shifted.bits(), *_both(r, r_low)))


def cos(x: Value) -> Value:
    """The cosine, as the sine a quarter turn further."""
    shifted, r, r_low = _rest(within_reach(x))
    return turned((shifted + 1.0).bits(), *_both(r, r_low))
