"""The special functions of f64 but for erf and gelu, sin and cos: roots, exponentials, logarithms, what they make."""

from __future__ import annotations

import math

from tfmbs.runtime.abi.special_cases import power_cases
from tfmbs.runtime.abi.special_pairs import Pair, over, product_of, sum_of, whole
from tfmbs.runtime.abi.special_polynomials import POLYNOMIALS
from tfmbs.runtime.abi.special_steps import SHIFTER, Value, f64_bits

LN2 = float.fromhex("0x1.62e42fefa3800p-1")  # 42 bits: its product with an integer below 2**11 is exact
LN2_LOW = float.fromhex("0x1.ef35793c76730p-45")  # ln(2) - LN2
_MANTISSA = (1 << 52) - 1
_THIRD = (1 / 3, float.fromhex("0x1.5555555555555p-56"))  # a third, in two parts


def at(x: Value, name: str) -> Value:
    """The polynomial `name` at x."""
    return x.horner(POLYNOMIALS[name].coefficients)


def power_of_two(shifted: Value) -> Value:
    """2**n of an integer n in -1022…1023, given as n + SHIFTER."""
    return shifted.trace.value(1.0).on_bits("iadd", shifted.trace.step("shl", shifted.bits(), 52))


def scaled(value: Value, shifted: Value) -> Value:
    """value * 2**n, rounded once where it is denormal; n is given as n + SHIFTER.

    |n| < 1200; where n < -980, |value| is between 2**-20 and 2**20.
    """
    small, large = shifted.less(SHIFTER - 980.0), shifted.trace.value(SHIFTER + 980.0).less(shifted)
    moved = shifted + small.select(200.0, large.select(-200.0, 0.0))
    return value * power_of_two(moved) * small.select(2.0**-200, large.select(2.0**200, 1.0))


def exponential(high: Value, low: Value | None = None) -> tuple[Value, Value, Value]:
    """(n + SHIFTER, r, c) with e**(high + low) = 2**n * (1 + r + c), |r| < 0.35 and |c| < r**2, for |high| < 850."""
    shifted = high.fma(1 / math.log(2), SHIFTER)
    n = shifted - SHIFTER
    near = n.fma(-LN2, high)  # exact
    rest = n * -LN2_LOW if low is None else n.fma(-LN2_LOW, low)
    r, r_low = sum_of(near, rest)
    return shifted, r, (r * r).fma(at(r, "EXPM1_64"), r.fma(r_low, r_low))


def one_plus(r: Value, c: Value) -> Pair:
    """1 + r + c."""
    head, tail = sum_of(r.trace.value(1.0), r)
    return sum_of(head, tail + c)


def rsqrt(x: Value) -> Value:
    """1 / sqrt(x), corrected once."""
    trace = x.trace
    low = x.less(2.0**-900)
    raised = low.select(x * 2.0**200, x)
    root = trace.step("sqrt", raised)
    near = trace.value(1.0) / root
    # 1 / sqrt = near + near (rest of the quotient - half of the rest of the root, relative)
    rest = (-root).fma(root, raised) * (near * near)
    correction = rest.fma(-0.5, (-root).fma(near, 1.0))
    result = near.fma(correction, near) * low.select(2.0**100, 1.0)
    return trace.value(0.0).less(x).select(x.less(math.inf).select(result, near), near)


def exp(x: Value) -> Value:
    """e**x; beyond ±800 it is 0 or infinite anyway."""
    shifted, r, c = exponential(x.clamp(-800.0, 800.0))
    head, tail = sum_of(x.trace.value(1.0), r)
    return scaled(head + (tail + c), shifted)


def _split(x: Value) -> tuple[Value, Value]:
    """(k, f) with x = 2**k * (1 + f) and sqrt(1/2) <= 1 + f < sqrt(2), for finite x > 0."""
    trace = x.trace
    denormal = x.less(2.0**-1022)
    bits = denormal.select(x * 2.0**54, x).bits()
    low = f64_bits(math.sqrt(0.5))
    shifted = trace.step("iadd", bits, (1023 << 52) - low)
    biased = trace.step("shr", shifted, 52)
    mantissa = trace.step("iadd", trace.step("and", shifted, _MANTISSA), low)
    k = trace.step("real", trace.step("iadd", biased, f64_bits(SHIFTER) - 1023))
    return k - denormal.select(SHIFTER + 54.0, SHIFTER), trace.step("real", mantissa) - 1.0


def log(x: Value) -> Value:
    """The natural logarithm: k ln 2 + f - (f**2/2 - s (f**2/2 + R(s)))."""
    k, f = _split(x)
    s = f / (f + 2.0)
    z = s * s
    half = f * 0.5
    square = half * f
    inner = s * (z + z).fma(z.fma(at(z, "ATANH_64"), 1 / 3), square)
    rest = (-half).fma(f, inner)
    high, low = sum_of(k * LN2, f)
    result = high + (low + k.fma(LN2_LOW, rest))
    result = x.equal(0.0).select(-math.inf, result)
    result = x.less(0.0).select(math.nan, result)
    return x.less(math.inf).select(result, x)


def _logarithm(x: Value) -> Pair:
    """The natural logarithm of finite x > 0 to about 2**-64 of it, as k ln 2 + 2 s (1 + s**2 / 3 + s**4 Q(s**2))."""
    k, f = _split(x)
    s, s_low = over((f, f.trace.value(0.0)), sum_of(f.trace.value(2.0), f))
    z, z_low = product_of(s, s)
    z_low = (s + s).fma(s_low, z_low)
    q = at(z, "ATANH_64")
    w, w_low = product_of(z, q)
    third, third_low = sum_of(f.trace.value(_THIRD[0]), w)
    third_low = third_low + (z_low.fma(q, w_low) + _THIRD[1])
    v, v_low = product_of(z, third)
    v_low = z.fma(third_low, z_low.fma(third, v_low))
    twice, twice_low = s + s, s_low + s_low
    t, t_low = product_of(twice, v)
    t_low = twice.fma(v_low, twice_low.fma(v, t_low))
    high, low = sum_of(k * LN2, twice)
    high, lower = sum_of(high, t)
    return high, low + (lower + (t_low + k.fma(LN2_LOW, twice_low)))


def power(x: Value, y: Value) -> Value:
    """x**y."""
    trace = x.trace
    magnitude = x.magnitude()
    log_high, log_low = _logarithm(magnitude)
    log_high = magnitude.equal(0.0).select(-math.inf, log_high)
    log_high = magnitude.less(math.inf).select(log_high, magnitude)
    # Beyond 2**65 every power but 1's is 0 or infinite; cut there, infinite exponents need no care.
    exponent = y.clamp(-(2.0**65), 2.0**65)
    high = exponent * log_high
    low = exponent.fma(log_low, exponent.fma(log_high, -high))
    bounded = high.clamp(-800.0, 800.0)
    shifted, r, c = exponential(bounded, bounded.equal(high).select(low, trace.value(0.0)))
    head, tail = sum_of(trace.value(1.0), r)
    return power_cases(x, y, scaled(head + (tail + c), shifted))


def tanh(x: Value) -> Value:
    """The hyperbolic tangent: e / (e + 2) with e = exp(2|x|) - 1, in pairs."""
    magnitude = x.magnitude()
    shifted, r, c = exponential((magnitude + magnitude).clamp(0.0, 44.0))
    scale = power_of_two(shifted)
    high, low = sum_of(scale - 1.0, scale * r)
    e = sum_of(high, scale.fma(c, low))
    d, d_low = e[0] + 2.0, e[1]
    d_low = (e[0] - (d - 2.0)) + d_low
    return whole(over(e, (d, d_low))).on_bits("or", x.sign())


def sigmoid(x: Value) -> Value:
    """1 / (1 + e**-|x|), times e**-|x| where x is negative; the power of two comes last, for denormal results."""
    trace = x.trace
    shifted, r, c = exponential((-x.magnitude()).clamp(-800.0, 0.0))
    power = one_plus(r, c)
    scale = power_of_two(shifted.less(SHIFTER - 900.0).select(SHIFTER - 900.0, shifted))
    below, below_low = sum_of(trace.value(1.0), power[0] * scale)
    below_low = power[1].fma(scale, below_low)
    negative = x.less(0.0)
    top = (negative.select(power[0], 1.0), negative.select(power[1], 0.0))
    return scaled(whole(over(top, (below, below_low))), negative.select(shifted, SHIFTER))
