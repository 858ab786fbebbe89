"""Functions of `math` that are no instructions, composed in f64 of those that are.

Results of f32 and narrower types are rounded once from f64 and off by hardly more than half a unit in the last place;
those of f64 itself by a few (docs/numerics.md has what was measured).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from tfmbs.passes.linalg.reals import Real, cos, exp, gelu, log, power, sin, sqrt, tanh, with_sign
from tfmbs.runtime.abi.special_polynomials import POLYNOMIALS

_PI_LOW = float.fromhex("0x1.1a62633145c07p-53")  # pi - math.pi
_THREE_QUARTERS = (float.fromhex("0x1.2d97c7f3321d2p+1"), float.fromhex("0x1.a79394c9e8a0ap-54"))  # of pi
_ROOT_TWO = math.sqrt(2)
_ROOT_TWO_LOW = float.fromhex("-0x1.bdd3413b26456p-54")  # sqrt(2) - _ROOT_TWO
_DENSITY = 1 / math.sqrt(2 * math.pi)
_EIGHTH = math.sqrt(2) - 1  # the tangent of pi/8
_LARGE = 22.0  # e**-2x is beyond the last place of e**0
_HUGE = 2.0**28  # 1 is beyond the last place of its square


def _odd(x: Real, f: Callable[[Real], Real]) -> Real:
    """f(|x|) with the sign of x; zeros stay. The product keeps a NaN canonical."""
    positive = f(abs(x))
    return x.when("oeq", 0.0, x, x.when("olt", 0.0, -1.0 * positive, positive))


def exp2(x: Real) -> Real:
    """2**x."""
    return power(2.0, x)


def expm1(x: Real) -> Real:
    """e**x - 1: near 0 by the tangent of half the argument."""
    t = tanh(x * 0.5)
    return abs(x).when("olt", 1.0, (t + t) / (1.0 - t), exp(x) - 1.0)


def log1p(x: Real) -> Real:
    """log(1 + x): what the sum loses is added as a quotient."""
    u = x + 1.0
    kept = u - 1.0
    lossy = log(u) + (x - kept) / u
    return x.when("oeq", 0.0, x, kept.when("oeq", x, log(u), lossy))


def log2(x: Real) -> Real:
    """The logarithm to base 2."""
    return log(x) * (1 / math.log(2))


def log10(x: Real) -> Real:
    """The logarithm to base 10."""
    return log(x) * (1 / math.log(10))


def _half_exp(a: Real) -> Real:
    """e**a / 2, also where e**a itself is infinite."""
    root = exp(a * 0.5)
    return (root * 0.5) * root


def sinh(x: Real) -> Real:
    """The hyperbolic sine."""

    def positive(a: Real) -> Real:
        e = expm1(a)
        return a.when("olt", _LARGE, (e + e / (e + 1.0)) * 0.5, _half_exp(a))

    return _odd(x, positive)


def cosh(x: Real) -> Real:
    """The hyperbolic cosine."""
    a = abs(x)
    e = exp(a)
    return a.when("olt", _LARGE, e * 0.5 + 0.5 / e, _half_exp(a))


def tan(x: Real) -> Real:
    """The tangent."""
    return sin(x) / cos(x)


def _angle(a: Real, x: Real | None = None) -> Real:
    """The inverse tangent of a >= 0, from an angle near: 0, pi/4 or pi/2; pi less it where x is negative."""

    def by_range(low: Real | float, middle: Real | float, high: Real | float) -> Real:
        return a.when("ole", _EIGHTH, low, a.when("ole", 1 / _EIGHTH, middle, high))

    u = by_range(a, a - 1.0, -1.0) / by_range(1.0, a + 1.0, a)
    near, low = by_range(0.0, math.pi / 4, math.pi / 2), by_range(0.0, _PI_LOW / 4, _PI_LOW / 2)
    if x is not None:
        side = with_sign(1.0, x)
        u = u * side
        near = side.when("olt", 0.0, by_range(math.pi, _THREE_QUARTERS[0], math.pi / 2), near)
        low = side.when("olt", 0.0, by_range(_PI_LOW, _THREE_QUARTERS[1], _PI_LOW / 2), low)
    z = u * u
    return near + (u + (u * z).fma(z.polynomial(POLYNOMIALS["ATAN_64"].coefficients), low))


def atan(x: Real) -> Real:
    """The inverse tangent."""
    return _odd(x, _angle)


def atan2(y: Real, x: Real) -> Real:
    """The angle of the point (x, y), by C's `atan2` as to zeros and infinities."""
    a, b = abs(y), abs(x)
    ratio = a.when("oeq", b, a.when("oeq", 0.0, 0.0, 1.0), a / b)
    t = _angle(ratio, x)
    return t.when("uno", t, t, with_sign(t, y))


def asin(x: Real) -> Real:
    """The inverse sine."""
    return _odd(x, lambda a: _angle(a / sqrt((1.0 - a) * (1.0 + a))))


def acos(x: Real) -> Real:
    """The inverse cosine."""
    return 2.0 * _angle(sqrt((1.0 - x) / (1.0 + x)))


def asinh(x: Real) -> Real:
    """The inverse hyperbolic sine."""

    def positive(a: Real) -> Real:
        square = a * a
        small = log1p(a + square / (1.0 + sqrt(1.0 + square)))
        return a.when("olt", _HUGE, small, log(a) + math.log(2))

    return _odd(x, positive)


def acosh(x: Real) -> Real:
    """The inverse hyperbolic cosine; NaN below 1."""
    t = x - 1.0
    small = log1p(t + sqrt(t + t + t * t))
    return x.when("olt", 1.0, math.nan, x.when("olt", _HUGE, small, log(x) + math.log(2)))


def atanh(x: Real) -> Real:
    """The inverse hyperbolic tangent; NaN beyond 1."""
    return _odd(x, lambda a: 0.5 * log1p((a + a) / (1.0 - a)))


def cbrt(x: Real) -> Real:
    """The cube root, with one step of Newton's."""

    def positive(a: Real) -> Real:
        raised = a.when("olt", 2.0**-900, a * 2.0**900, a)  # or the products below could be denormal
        root = power(raised, 1 / 3)
        square = root * root
        better = root - square.fma(root, -raised) / (3.0 * square)
        return a.when("olt", math.inf, better, root) * a.when("olt", 2.0**-900, 2.0**-300, 1.0)

    return _odd(x, positive)


def erfc(x: Real) -> Real:
    """1 - erf(x) without cancellation: twice the normal distribution's probability of at most -x sqrt(2)."""
    y = x * -_ROOT_TWO
    lost = x.fma(-_ROOT_TWO, -y) - x * _ROOT_TWO_LOW
    probability = gelu(y) / y
    density = exp((y * y) * -0.5) * _DENSITY
    slope = probability.when("olt", 2.0**-900, abs(y), density / probability)  # its relative derivative
    result = 2.0 * probability.fma(lost * slope, probability)
    result = abs(x).when("olt", 2.0**-60, 1.0, result)
    return x.when("olt", -6.0, 2.0, x.when("ogt", 28.0, 0.0, result))


COMPOSED: dict[str, Callable[..., Real]] = {
    f"math.{function.__name__}": function
    for function in (
        exp2, expm1, log1p, log2, log10, sinh, cosh, tan, asin, acos, atan, atan2, asinh, acosh, atanh, cbrt, erfc
    )
}  # fmt: skip
"""What the ops of `math` are in f64."""
