"""The special functions of f32, computed in f64 and rounded once at the end: each body takes and gives an f64 value."""

from __future__ import annotations

import math
from collections.abc import Callable

from tfmbs.runtime.abi.special_cases import power_cases, turned, within_reach
from tfmbs.runtime.abi.special_polynomials import POLYNOMIALS
from tfmbs.runtime.abi.special_steps import SHIFTER, Value, f64_bits

_LN2_HIGH = float.fromhex("0x1.62e42fefa0000p-1")  # 37 bits: its product with an integer below 2**15 is exact
_LN2_LOW = float.fromhex("0x1.cf79abc9e3b3ap-40")  # ln(2) - _LN2_HIGH
_HALF_PI = math.pi / 2  # its product with an integer, taken off a near f32, is exact in an fma
_HALF_PI_LOW = float.fromhex("0x1.1a62633145c07p-54")  # pi/2 - _HALF_PI
_MANTISSA = (1 << 52) - 1


def _at(x: Value, name: str) -> Value:
    return x.horner(POLYNOMIALS[name].coefficients)


def _expm1_parts(x: Value) -> tuple[Value, Value]:
    """(2**n, p) with e**x = 2**n * (1 + p) and |p| < 0.42, for |x| < 700."""
    shifted = x.fma(1 / math.log(2), SHIFTER)
    n = shifted - SHIFTER
    r = n.fma(-_LN2_LOW, n.fma(-_LN2_HIGH, x))
    p = (r * r).fma(_at(r, "EXPM1"), r)
    exponent = x.trace.step("shl", shifted.bits(), 52)
    return x.trace.value(1.0).on_bits("iadd", exponent), p


def _expm1(x: Value) -> Value:
    """e**x - 1 with small relative error, also near 0."""
    scale, p = _expm1_parts(x)
    return scale.fma(p, scale - 1.0)


def _odd(x: Value, f: Callable[[Value], Value]) -> Value:
    """f(|x|) with the sign of x; f is not negative."""
    return f(x.magnitude()).on_bits("or", x.sign())


def rsqrt(x: Value) -> Value:
    """1 / sqrt(x)."""
    return x.trace.value(1.0) / x.trace.step("sqrt", x)


def exp(x: Value) -> Value:
    """e**x; what lies outside of f32 is cut to what rounds to 0 or infinity."""
    scale, p = _expm1_parts(x.clamp(-150.0, 100.0))
    return scale.fma(p, scale)


def _log_of_magnitude(x: Value) -> Value:
    """The natural logarithm of a finite x > 0 (an f32, so never denormal in f64)."""
    trace = x.trace
    low = f64_bits(math.sqrt(0.5))
    shifted = trace.step("iadd", x.bits(), (1023 << 52) - low)
    biased = trace.step("shr", shifted, 52)
    mantissa = trace.step("iadd", trace.step("and", shifted, _MANTISSA), low)
    exponent = trace.step("real", trace.step("iadd", biased, f64_bits(SHIFTER) - 1023)) - SHIFTER
    f = trace.step("real", mantissa) - 1.0
    s = f / (f + 2.0)
    z = s * s
    twice = s + s
    core = twice.fma(z * _at(z, "ATANH"), twice)
    return exponent.fma(math.log(2), core)


def log(x: Value) -> Value:
    """The natural logarithm."""
    result = _log_of_magnitude(x)
    result = x.equal(0.0).select(-math.inf, result)
    result = x.less(0.0).select(math.nan, result)
    return x.less(math.inf).select(result, x)


def power(x: Value, y: Value) -> Value:
    """x**y."""
    magnitude = x.magnitude()
    logarithm = magnitude.equal(0.0).select(-math.inf, _log_of_magnitude(magnitude))
    logarithm = magnitude.less(math.inf).select(logarithm, magnitude)
    # Beyond 2**40 every power but 1's is 0 or infinite; cut there, infinite exponents need no care.
    exponent = (y.clamp(-(2.0**40), 2.0**40) * logarithm).clamp(-150.0, 100.0)
    scale, p = _expm1_parts(exponent)
    return power_cases(x, y, scale.fma(p, scale))


def tanh(x: Value) -> Value:
    """The hyperbolic tangent."""

    def positive(magnitude: Value) -> Value:
        e = _expm1((magnitude + magnitude).clamp(0.0, 40.0))
        return e / (e + 2.0)

    return _odd(x, positive)


def sigmoid(x: Value) -> Value:
    """1 / (1 + e**-x)."""
    scale, p = _expm1_parts((-x).clamp(-150.0, 150.0))
    return x.trace.value(1.0) / (scale.fma(p, scale) + 1.0)


def erf(x: Value) -> Value:
    """The error function."""

    def positive(magnitude: Value) -> Value:
        bounded = magnitude.clamp(0.0, 4.0)
        return x.trace.value(0.0) - _expm1(-(bounded * _at(bounded, "LOG_ERFC")))

    return _odd(x, positive)


GELU_STEP = 0.2  # the polynomial of gelu is one in 1 / (1 + GELU_STEP * m)


def gelu(x: Value) -> Value:
    """x times the normal distribution's probability of at most x."""
    trace = x.trace
    magnitude = x.magnitude()
    m = trace.value(20.0).less(magnitude).select(20.0, magnitude)
    scale, p = _expm1_parts((m * m) * -0.5)
    u = trace.value(1.0) / m.fma(GELU_STEP, 1.0)
    tail = scale.fma(p, scale) * (u * _at(u, "NORMAL_TAIL"))
    probability = x.less(0.0).select(tail, trace.value(1.0) - tail)
    return x.less(-20.0).select(-20.0, x) * probability  # so that -inf gives -0, the limit


def _sine(x: Value, quarter: float) -> Value:
    """The sine of x + quarter * pi/2."""
    trace = x.trace
    bounded = within_reach(x)
    shifted = bounded.fma(2 / math.pi, SHIFTER)
    n = shifted - SHIFTER
    r = n.fma(-_HALF_PI_LOW, n.fma(-_HALF_PI, bounded))
    z = r * r
    sine = r * z.fma(_at(z, "SIN"), 1.0)
    cosine = z.fma(z.fma(_at(z, "COS"), -0.5), 1.0)
    quadrant = shifted + quarter if quarter else shifted
    return turned(trace.step("bits", quadrant), sine, cosine)


def sin(x: Value) -> Value:
    """The sine."""
    return _sine(x, 0.0)


def cos(x: Value) -> Value:
    """The cosine."""
    return _sine(x, 1.0)
