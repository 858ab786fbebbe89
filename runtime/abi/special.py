"""The special functions of the device, as straight-line programs of exactly rounded steps: they define its bits.

A function of f32 computes in f64 and rounds once; one of f64 uses pairs of f64 where it must. There are no branches.
From the list of `Step`s derive the C++ of the emulator and the documentation (`special_render`), a numpy evaluator
(`special_model`) and the arith/math ops of `tfmbs-to-linalg`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tfmbs.runtime.abi import special_f32, special_f64, special_f64_erf, special_f64_trig
from tfmbs.runtime.abi.special_polynomials import POLYNOMIALS
from tfmbs.runtime.abi.special_steps import (
    CANONICAL_NAN,
    CANONICAL_NAN64,
    CONSTANT,
    STEP_KINDS,
    Step,
    Trace,
    Value,
)

__all__ = [
    "CANONICAL_NAN",
    "CANONICAL_NAN64",
    "CONSTANT",
    "POLYNOMIALS",
    "SPECIALS",
    "SPECIAL_NAMES",
    "STEP_KINDS",
    "Special",
    "Step",
]


@dataclass(frozen=True)
class Function:
    """What a function is in every type. `max_ulp` bounds its error, over all arguments or over those of `range`."""

    meaning: str
    max_ulp: float
    arguments: int = 1
    range: str = ""


@dataclass(frozen=True)
class Special:
    """One function of one element type ("f32" or "f64").

    Its arguments are values 0…arguments - 1, its steps define the values after them, and the last is the result.
    `max_ulp` bounds its error, in units of the last place of the exact result (of the least denormal, below those).
    """

    name: str
    type: str
    function: Function
    method: str
    steps: tuple[Step, ...]

    @property
    def arguments(self) -> int:
        """How many arguments it takes."""
        return self.function.arguments

    @property
    def max_ulp(self) -> float:
        """Bound of the error."""
        return self.function.max_ulp


FUNCTIONS: dict[str, Function] = {
    "rsqrt": Function("1 / sqrt(x); rsqrt(±0) = ±inf", 1),
    "exp": Function("e to the power x", 1),
    "log": Function("natural logarithm; log(±0) = -inf, log of a negative number is NaN", 1),
    "tanh": Function("hyperbolic tangent", 2),
    "erf": Function("error function", 2),
    "sin": Function(
        "sine; of ±inf NaN, of larger finite arguments than 2**32 a zero of their sign", 2, range="|x| < 2**32"
    ),
    "cos": Function("cosine; of ±inf NaN, of larger finite arguments than 2**32 1", 2, range="|x| < 2**32"),
    "pow": Function("x to the power y, with the exceptional cases of IEEE 754's pow", 2, arguments=2),
    "sigmoid": Function("1 / (1 + e to the power -x)", 2),
    "gelu": Function("x (1 + erf(x / sqrt 2)) / 2; gelu(-inf) = -0, its limit", 2),
}
"""The functions by name."""

SPECIAL_NAMES = tuple(FUNCTIONS)


def _program(arguments: int, element: str, body: Callable[..., Value]) -> tuple[Step, ...]:
    trace = Trace(arguments)
    values = [Value(trace, index, element) for index in range(arguments)]
    if element == "f64":
        trace.step("canonical64", body(*values))
    else:
        result = body(*(trace.step("extend", value) for value in values))
        trace.step("canonical", trace.step("truncate", result))
    return tuple(trace.steps)


_EXP = "n = round(x / ln 2), r = x - n ln 2 in two steps, e**x = 2**n (1 + r + r**2 Q(r))"
_LOG = "x = 2**k m with m in [sqrt(1/2), sqrt(2)), s = (m - 1) / (m + 1), log x = k ln 2 + 2 atanh(s)"
_SIN = "n = round(2 x / pi), r = x - n pi/2 in two steps, sine and cosine of r by polynomials, one chosen by n mod 4"
_F32: dict[str, tuple[Callable[..., Value], str]] = {
    "rsqrt": (special_f32.rsqrt, "square root and quotient"),
    "exp": (special_f32.exp, _EXP),
    "log": (special_f32.log, _LOG),
    "tanh": (special_f32.tanh, "e = exp(2|x|) - 1 as in exp, tanh |x| = e / (e + 2)"),
    "erf": (special_f32.erf, "erf |x| = 1 - exp(-|x| G(|x|)), 1 - exp as in exp"),
    "sin": (special_f32.sin, _SIN),
    "cos": (special_f32.cos, _SIN),
    "pow": (special_f32.power, "exp(y log |x|), as in exp and log, and the cases"),
    "sigmoid": (special_f32.sigmoid, "quotient, exp as in exp"),
    "gelu": (special_f32.gelu, "x P(x), P(-m) = exp(-m**2 / 2) u Q(u) with u = 1 / (1 + m / 5), P(m) = 1 - P(-m)"),
}
_F64: dict[str, tuple[Callable[..., Value], str]] = {
    "rsqrt": (special_f64.rsqrt, "square root and quotient, then once corrected by their rests"),
    "exp": (special_f64.exp, _EXP + "; r is a pair"),
    "log": (special_f64.log, _LOG + ", f - f**2/2 + s (f**2/2 + …) with f = m - 1"),
    "tanh": (special_f64.tanh, "e = exp(2|x|) - 1 as in exp, tanh |x| = e / (e + 2), in pairs"),
    "erf": (
        special_f64_erf.erf,
        "an odd polynomial below 1, else erf |x| = 1 - exp(-x**2) Q((|x| - 3) / (|x| + 3))",
    ),
    "sin": (special_f64_trig.sin, _SIN + "; r is a pair"),
    "cos": (special_f64_trig.cos, _SIN + "; r is a pair"),
    "pow": (special_f64.power, "exp(y log |x|) with log and product in pairs, and the cases"),
    "sigmoid": (special_f64.sigmoid, "quotient of pairs, exp as in exp"),
    "gelu": (
        special_f64_erf.gelu,
        "x P(x), P(-m) = exp(-m**2 / 2) Q(q) / (1 + 0.8 m) with q = (m - 6) / (m + 6), P(m) = 1 - P(-m), in pairs",
    ),
}
_BODIES = {"f32": _F32, "f64": _F64}

SPECIALS: dict[tuple[str, str], Special] = {
    (name, element): Special(name, element, FUNCTIONS[name], method, _program(FUNCTIONS[name].arguments, element, body))
    for element, bodies in _BODIES.items()
    for name, (body, method) in bodies.items()
}
"""The functions by name and element type."""
