"""What special functions of f32 and f64 share: exceptional cases of powers, quadrants of sine and cosine."""

from __future__ import annotations

import math

from tfmbs.runtime.abi.special_steps import SIGN, Value

REACH = 2.0**32
"""Sine and cosine know pi/2 to as many bits as arguments of a smaller magnitude need; see `within_reach`."""


def power_cases(x: Value, y: Value, magnitude: Value) -> Value:
    """x**y from |x|**y, by IEEE 754's `pow`; `magnitude` may be anything where x is 1 or y is 0.

    A negative finite x has powers of whole y only, negative ones of odd y; x**0 and 1**y are 1, even with a NaN.
    """
    trace = x.trace
    whole = y.round().equal(y)
    half = y * 0.5
    even = half.round().equal(half)
    odd = whole.select(even.select(0.0, -0.0), 0.0)  # the sign bit says it
    signed = magnitude.on_bits("or", trace.step("and", x.bits(), odd.bits()))
    of_negative = whole.select(signed, x.equal(-math.inf).select(signed, math.nan))
    result = x.less(0.0).select(of_negative, signed)
    result = y.equal(0.0).select(1.0, result)
    return x.equal(1.0).select(1.0, result)


def within_reach(x: Value) -> Value:
    """x where |x| < REACH, beyond it a zero of its sign (so that sines are zeros and cosines 1), NaN for infinities."""
    return x.magnitude().less(REACH).select(x, x * 0.0)


def turned(quadrant: Value, sine: Value, cosine: Value) -> Value:
    """The sine of an angle in a quadrant (an i64, modulo 4) from sine and cosine of the rest."""
    trace = sine.trace
    parity = trace.step("real", trace.step("or", trace.value(1.0).bits(), trace.step("shl", quadrant, 63)))
    result = parity.less(0.0).select(cosine, sine)
    return result.on_bits("xor", trace.step("and", trace.step("shl", quadrant, 62), SIGN))
