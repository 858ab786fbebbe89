"""erf and gelu of f64: the normal distribution's tail as a Gaussian times a polynomial in (x - k) / (x + k)."""

from __future__ import annotations

from tfmbs.runtime.abi.special_f64 import at, exponential, one_plus, power_of_two, scaled
from tfmbs.runtime.abi.special_pairs import over, product_of, sum_of, times
from tfmbs.runtime.abi.special_steps import SHIFTER, Value

ERFC_MIDDLE = 3.0  # k of erfc
TAIL_MIDDLE = 6.0  # k of the tail
TAIL_SLOPE = 0.8  # the tail times 1 + TAIL_SLOPE * m is nearly flat, and flat at 0, where it would show most
_SLOPE = (float.fromhex("0x1.20dd750429b6dp+0"), float.fromhex("0x1.1ae3a914fed80p-56"))  # 2 / sqrt(pi)
_AT_MIDDLE = (float.fromhex("0x1.80bcbfee5ac9ep-2"), float.fromhex("-0x1.8d22ca30f8f8cp-57"))
"""(1 + TAIL_SLOPE k) e**(k**2 / 2) P(-k)."""
_LAST = 40.0  # P(-40) is 0, P(40) is 1, in f64


def erf(x: Value) -> Value:
    """Below 1 an odd polynomial, from there 1 - erfc."""
    trace = x.trace
    z = x * x
    small, small_low = product_of(x, trace.value(_SLOPE[0]))
    small_low = x.fma(_SLOPE[1], small_low)
    small = small + (x * z).fma(at(z, "ERF_64"), small_low)
    m = x.magnitude()
    m = trace.value(6.0).less(m).select(6.0, m)
    shifted, r, c = exponential(-(m * m))
    gaussian = power_of_two(shifted) * ((r + c) + 1.0)
    large = trace.value(1.0) - gaussian * at((m - ERFC_MIDDLE) / (m + ERFC_MIDDLE), "ERFC_64")
    return x.magnitude().less(1.0).select(small, large).on_bits("or", x.sign())


def gelu(x: Value) -> Value:
    """x P(x), P the tail P(-|x|) where x is negative, else 1 - the tail; the power of two comes last, for denormals."""
    trace = x.trace
    one = trace.value(1.0)
    m = x.magnitude()
    m = trace.value(_LAST).less(m).select(_LAST, m)
    square, square_low = product_of(m, m)
    shifted, r, c = exponential(square * -0.5, square_low * -0.5)
    q = (m - TAIL_MIDDLE) / (m + TAIL_MIDDLE)
    slope = at(q, "NORMAL_TAIL_64")
    step, step_low = product_of(q, slope)
    high, low = sum_of(trace.value(_AT_MIDDLE[0]), step)
    below = m.fma(TAIL_SLOPE, one)
    quotient = over((high, low + (step_low + _AT_MIDDLE[1])), (below, m.fma(TAIL_SLOPE, one - below)))
    tail = times(one_plus(r, c), quotient)
    scale = power_of_two(shifted.less(SHIFTER - 900.0).select(SHIFTER - 900.0, shifted))
    body, body_low = sum_of(one, -(tail[0] * scale))
    negative = x.less(0.0)
    probability = negative.select(tail[0], body)
    rest = negative.select(tail[1], (-tail[1]).fma(scale, body_low))
    bounded = x.less(-_LAST).select(-_LAST, x)  # so that -inf gives -0, the limit
    result = scaled(bounded.fma(probability, bounded * rest), negative.select(shifted, SHIFTER))
    return trace.value(_LAST).less(x).select(x, result).on_bits("or", x.sign())
