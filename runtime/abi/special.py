"""The special functions of the device, as straight-line programs of exactly rounded steps: they define its bits.

Each function takes an f32, computes in f64 without branches and rounds once to f32. From its list of `Step`s derive the
C++ of the emulator and the documentation (`special_render`), a numpy evaluator (`special_model`) and the arith/math ops
of `tfmbs-to-linalg`. Every step is correctly rounded by IEEE 754, so all that run the steps get the same bits.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass

CANONICAL_NAN = 0x7FC00000  # bits of the one NaN that arithmetic produces (f32)


@dataclass(frozen=True)
class StepKind:
    """One kind of step: operand types, result type, C++ expression (operands in braces) and meaning."""

    operands: tuple[str, ...]
    result: str
    cxx: str
    doc: str


_D2 = ("f64", "f64")
_I2 = ("i64", "i64")
STEP_KINDS: dict[str, StepKind] = {
    "extend": StepKind(("f32",), "f64", "static_cast<double>({})", "f32 to f64, exact"),
    "truncate": StepKind(("f64",), "f32", "static_cast<float>({})", "f64 to f32, to nearest even"),
    "neg": StepKind(("f64",), "f64", "-{}", "the sign bit flipped"),
    "add": StepKind(_D2, "f64", "{} + {}", "sum"),
    "sub": StepKind(_D2, "f64", "{} - {}", "difference"),
    "mul": StepKind(_D2, "f64", "{} * {}", "product"),
    "div": StepKind(_D2, "f64", "{} / {}", "quotient"),
    "fma": StepKind((*_D2, "f64"), "f64", "std::fma({}, {}, {})", "product plus third operand, rounded once"),
    "sqrt": StepKind(("f64",), "f64", "std::sqrt({})", "square root"),
    "bits": StepKind(("f64",), "i64", "to_bits({})", "the bit pattern"),
    "real": StepKind(("i64",), "f64", "to_real({})", "the f64 of a bit pattern"),
    "iadd": StepKind(_I2, "i64", "{} + {}", "sum modulo 2**64"),
    "and": StepKind(_I2, "i64", "{} & {}", "bitwise and"),
    "or": StepKind(_I2, "i64", "{} | {}", "bitwise or"),
    "shl": StepKind(_I2, "i64", "{} << {}", "shift left"),
    "shr": StepKind(_I2, "i64", "{} >> {}", "logical shift right"),
    "less": StepKind(_D2, "i1", "{} < {}", "true where less; false with a NaN"),
    "equal": StepKind(_D2, "i1", "{} == {}", "true where equal; false with a NaN"),
    "select": StepKind(
        ("i1", "f64", "f64"), "f64", "{} ? {} : {}", "second operand where the first holds, else the third"
    ),
    "canonical": StepKind(("f32",), "f32", "canonical({})", "NaN replaced by 0x7FC00000"),
}
CONSTANT = "constant"  # the one kind without operands: an f64 (float) or an i64 (int, below 2**63)


@dataclass(frozen=True)
class Step:
    """One value: `kind` applied to earlier values (by index; value 0 is the argument), or a constant."""

    kind: str
    operands: tuple[int, ...] = ()
    constant: float | int = 0

    @property
    def type(self) -> str:
        """f32, f64, i64 or i1."""
        if self.kind == CONSTANT:
            return "i64" if isinstance(self.constant, int) else "f64"
        return STEP_KINDS[self.kind].result


@dataclass(frozen=True)
class Special:
    """One function: its steps define values 1, 2, …; the last is the result. `max_ulp` bounds its error in f32 ulp."""

    name: str
    meaning: str
    max_ulp: float
    method: str
    steps: tuple[Step, ...]


class Trace:
    """A program under construction. Equal steps are made once, so operands may be written where they are needed."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._known: dict[tuple[str, tuple[int, ...], str], int] = {}

    def step(self, kind: str, *operands: Value | float) -> Value:
        """Appends a step. Plain numbers become constants: ints are i64, floats are f64."""
        values = [self.value(operand) for operand in operands]
        types = tuple(value.type for value in values)
        if types != STEP_KINDS[kind].operands:
            raise ValueError(f"special step {kind}: operands {types}, expected {STEP_KINDS[kind].operands}")
        return self._append(Step(kind, tuple(value.index for value in values)))

    def value(self, operand: Value | float) -> Value:
        """`operand` itself, or the constant that it stands for."""
        if isinstance(operand, Value):
            return operand
        return self._append(Step(CONSTANT, (), operand))

    def _append(self, step: Step) -> Value:
        key = (step.kind, step.operands, repr(step.constant))
        if key not in self._known:
            self.steps.append(step)
            self._known[key] = len(self.steps)
        return Value(self, self._known[key], step.type)


@dataclass(frozen=True, eq=False)
class Value:
    """A value of a trace. Arithmetic is f64's."""

    trace: Trace
    index: int
    type: str

    def __add__(self, other: Value | float) -> Value:
        return self.trace.step("add", self, other)

    def __sub__(self, other: Value | float) -> Value:
        return self.trace.step("sub", self, other)

    def __mul__(self, other: Value | float) -> Value:
        return self.trace.step("mul", self, other)

    def __truediv__(self, other: Value | float) -> Value:
        return self.trace.step("div", self, other)

    def __neg__(self) -> Value:
        return self.trace.step("neg", self)

    def fma(self, factor: Value | float, addend: Value | float) -> Value:
        """self * factor + addend, rounded once."""
        return self.trace.step("fma", self, factor, addend)

    def less(self, other: Value | float) -> Value:
        """self < other, as i1."""
        return self.trace.step("less", self, other)

    def equal(self, other: Value | float) -> Value:
        """self == other, as i1."""
        return self.trace.step("equal", self, other)

    def select(self, yes: Value | float, no: Value | float) -> Value:
        """yes where self (i1) holds, else no."""
        return self.trace.step("select", self, yes, no)

    def clamp(self, low: float, high: float) -> Value:
        """self between low and high; a NaN stays."""
        above = self.less(low).select(low, self)
        return self.trace.value(high).less(above).select(high, above)

    def bits(self, kind: str, other: Value | int) -> Value:
        """The f64 whose bit pattern is that of self `kind` other (iadd, and, or)."""
        return self.trace.step("real", self.trace.step(kind, self.trace.step("bits", self), other))

    def horner(self, name: str) -> Value:
        """The polynomial of this name at self, by fma."""
        coefficients = POLYNOMIALS[name].coefficients
        result = self.trace.value(coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            result = result.fma(self, coefficient)
        return result


def f64_bits(value: float) -> int:
    """The bit pattern of an f64."""
    return int(struct.unpack("<q", struct.pack("<d", value))[0])


@dataclass(frozen=True)
class Polynomial:
    """A minimax polynomial in `variable` (coefficients constant first) that approximates `function` on `interval`.

    `error` bounds the weighted absolute error; `weight` says what it is multiplied by. The coefficients come from a
    single-point Remez exchange over 3000 Chebyshev-spaced points in 50 digits, rounded to f64; the command is
    `python -m benchmarks.fit_special`.
    """

    function: str
    variable: str
    interval: tuple[float, float]
    error: float
    coefficients: tuple[float, ...]
    weight: str = "1"


POLYNOMIALS: dict[str, Polynomial] = {
    "EXPM1": Polynomial(
        "(e**r - 1 - r) / r**2", "r", (-math.log(2) / 2, math.log(2) / 2), 2.0**-35.1,
        (0.4999999999990988, 0.16666666719049353, 0.04166666685380173, 0.008333298463003527, 0.0013888824118118584,
         0.00019899290102967136, 2.487619196440701e-05),
    ),
    "ATANH": Polynomial(
        "(atanh(s) / s - 1) / s**2", "s**2", (0.0, (3 - math.sqrt(8)) ** 2), 2.0**-30.7,
        (0.33333333276512095, 0.2000006137620943, 0.14275368592876594, 0.11666190952038819),
    ),
    "LOG_ERFC": Polynomial(
        "-log(erfc(x)) / x", "x", (0.0, 4.0), 2.0**-35.3,
        (1.1283791670702321, 0.636619776495991, 0.10277249480220976, -0.019127356233810833, -0.00021473791371712705,
         0.0017124722397703052, -0.0006196325018841846, 5.976741724432549e-05, 4.071105474706248e-05,
         -2.175288408019377e-05, 5.231091067325922e-06, -6.671611449821804e-07, 3.634911060845056e-08),
        weight="x * erfc(x) / erf(x), so that erf has this relative error",
    ),
}  # fmt: skip

_SHIFTER = 1.5 * 2.0**52  # added to |n| < 2**51, rounds it to an integer, which is then in the low bits of the pattern
_LN2_HIGH = float.fromhex("0x1.62e42fefa0000p-1")  # 37 bits: its product with an integer below 2**15 is exact
_LN2_LOW = float.fromhex("0x1.cf79abc9e3b3ap-40")  # ln(2) - _LN2_HIGH
_MANTISSA = (1 << 52) - 1
_SIGN = -(1 << 63)


def _expm1_parts(x: Value) -> tuple[Value, Value]:
    """(2**n, p) with e**x = 2**n * (1 + p) and |p| < 0.42, for |x| < 700."""
    shifted = x.fma(1 / math.log(2), _SHIFTER)
    n = shifted - _SHIFTER
    r = n.fma(-_LN2_LOW, n.fma(-_LN2_HIGH, x))
    p = (r * r).fma(r.horner("EXPM1"), r)
    exponent = x.trace.step("shl", x.trace.step("bits", shifted), 52)
    return x.trace.value(1.0).bits("iadd", exponent), p


def _expm1(x: Value) -> Value:
    """e**x - 1 with small relative error, also near 0."""
    scale, p = _expm1_parts(x)
    return scale.fma(p, scale - 1.0)


def _odd(x: Value, f: Callable[[Value], Value]) -> Value:
    """f(|x|) with the sign of x; f is not negative."""
    magnitude = f(x.bits("and", _SIGN ^ -1))
    sign = x.trace.step("and", x.trace.step("bits", x), _SIGN)
    return magnitude.bits("or", sign)


def _rsqrt(x: Value) -> Value:
    return x.trace.value(1.0) / x.trace.step("sqrt", x)


def _exp(x: Value) -> Value:
    scale, p = _expm1_parts(x.clamp(-150.0, 100.0))
    return scale.fma(p, scale)


def _log(x: Value) -> Value:
    trace = x.trace
    low = f64_bits(math.sqrt(0.5))
    shifted = trace.step("iadd", trace.step("bits", x), (1023 << 52) - low)
    biased = trace.step("shr", shifted, 52)
    mantissa = trace.step("iadd", trace.step("and", shifted, _MANTISSA), low)
    exponent = trace.step("real", trace.step("iadd", biased, f64_bits(_SHIFTER) - 1023)) - _SHIFTER
    f = trace.step("real", mantissa) - 1.0
    s = f / (f + 2.0)
    z = s * s
    twice = s + s
    core = twice.fma(z * z.horner("ATANH"), twice)
    result = exponent.fma(math.log(2), core)
    result = x.equal(0.0).select(-math.inf, result)
    result = x.less(0.0).select(math.nan, result)
    return x.less(math.inf).select(result, x)


def _tanh(x: Value) -> Value:
    def positive(magnitude: Value) -> Value:
        e = _expm1((magnitude + magnitude).clamp(0.0, 40.0))
        return e / (e + 2.0)

    return _odd(x, positive)


def _erf(x: Value) -> Value:
    def positive(magnitude: Value) -> Value:
        bounded = magnitude.clamp(0.0, 4.0)
        return x.trace.value(0.0) - _expm1(-(bounded * bounded.horner("LOG_ERFC")))

    return _odd(x, positive)


def _special(name: str, meaning: str, max_ulp: float, method: str, body: Callable[[Value], Value]) -> Special:
    trace = Trace()
    x = trace.step("extend", Value(trace, 0, "f32"))
    trace.step("canonical", trace.step("truncate", body(x)))
    return Special(name, meaning, max_ulp, method, tuple(trace.steps))


_EXP_METHOD = "n = round(x / ln 2), r = x - n ln 2 in two steps, e**x = 2**n (1 + r + r**2 Q(r))"
SPECIALS: dict[str, Special] = {
    s.name: s
    for s in (
        _special("rsqrt", "1 / sqrt(x); rsqrt(±0) = ±inf", 1, "square root and quotient", _rsqrt),
        _special("exp", "e to the power x", 1, _EXP_METHOD, _exp),
        _special(
            "log", "natural logarithm; log(±0) = -inf, log of a negative number is NaN", 1,
            "x = 2**k m with m in [sqrt(1/2), sqrt(2)), s = (m - 1) / (m + 1), log x = k ln 2 + 2 atanh(s)", _log,
        ),
        _special("tanh", "hyperbolic tangent", 2, "e = exp(2|x|) - 1 as in exp, tanh |x| = e / (e + 2)", _tanh),
        _special("erf", "error function", 2, "erf |x| = 1 - exp(-|x| G(|x|)), 1 - exp as in exp", _erf),
    )
}  # fmt: skip
