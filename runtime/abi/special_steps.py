"""The language of the special functions: straight-line programs of exactly rounded steps, and how they are written.

A `Trace` records what is done to its `Value`s. Every step is defined to the bit by IEEE 754 or is integer arithmetic,
so that all that run the steps get the same bits: the C++ of the emulator, numpy and LLVM.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

CANONICAL_NAN = 0x7FC00000  # bits of the one NaN that arithmetic produces (f32)
CANONICAL_NAN64 = 0x7FF8000000000000
SIGN = -(1 << 63)  # the sign bit of an f64, as an i64


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
    "round": StepKind(("f64",), "f64", "std::rint({})", "the nearest integer, ties to even"),
    "bits": StepKind(("f64",), "i64", "to_bits({})", "the bit pattern"),
    "real": StepKind(("i64",), "f64", "to_real({})", "the f64 of a bit pattern"),
    "iadd": StepKind(_I2, "i64", "{} + {}", "sum modulo 2**64"),
    "and": StepKind(_I2, "i64", "{} & {}", "bitwise and"),
    "or": StepKind(_I2, "i64", "{} | {}", "bitwise or"),
    "xor": StepKind(_I2, "i64", "{} ^ {}", "bitwise exclusive or"),
    "shl": StepKind(_I2, "i64", "{} << {}", "shift left"),
    "shr": StepKind(_I2, "i64", "{} >> {}", "logical shift right"),
    "less": StepKind(_D2, "i1", "{} < {}", "true where less; false with a NaN"),
    "equal": StepKind(_D2, "i1", "{} == {}", "true where equal; false with a NaN"),
    "select": StepKind(
        ("i1", "f64", "f64"), "f64", "{} ? {} : {}", "second operand where the first holds, else the third"
    ),
    "canonical": StepKind(("f32",), "f32", "canonical({})", "NaN replaced by 0x7FC00000"),
    "canonical64": StepKind(("f64",), "f64", "canonical({})", "NaN replaced by 0x7FF8000000000000"),
}
CONSTANT = "constant"  # the one kind without operands: an f64 (float) or an i64 (int, below 2**63)
SHIFTER = 1.5 * 2.0**52  # added to |n| < 2**51, rounds it to an integer, which is then in the low bits of the pattern


@dataclass(frozen=True)
class Step:
    """One value: `kind` applied to earlier values (by index; the arguments come first), or a constant."""

    kind: str
    operands: tuple[int, ...] = ()
    constant: float | int = 0

    @property
    def type(self) -> str:
        """f32, f64, i64 or i1."""
        if self.kind == CONSTANT:
            return "i64" if isinstance(self.constant, int) else "f64"
        return STEP_KINDS[self.kind].result


class Trace:
    """A program of `arguments` arguments under construction: values 0, 1, ….

    Equal steps are made once, so operands may be written where they are needed.
    """

    def __init__(self, arguments: int) -> None:
        self.arguments = arguments
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
            self._known[key] = self.arguments + len(self.steps) - 1
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

    def round(self) -> Value:
        """The integer nearest to self, ties to even."""
        return self.trace.step("round", self)

    def bits(self) -> Value:
        """The bit pattern, as i64."""
        return self.trace.step("bits", self)

    def on_bits(self, kind: str, other: Value | int) -> Value:
        """The f64 whose bit pattern is that of self `kind` other (iadd, and, or, xor)."""
        return self.trace.step("real", self.trace.step(kind, self.bits(), other))

    def magnitude(self) -> Value:
        """The absolute value."""
        return self.on_bits("and", SIGN ^ -1)

    def sign(self) -> Value:
        """The sign bit, as i64."""
        return self.trace.step("and", self.bits(), SIGN)

    def horner(self, coefficients: Sequence[float]) -> Value:
        """The polynomial with these coefficients, constant first, at self, by fma."""
        result = self.trace.value(coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            result = result.fma(self, coefficient)
        return result


def f64_bits(value: float) -> int:
    """The bit pattern of an f64."""
    return int(struct.unpack("<q", struct.pack("<d", value))[0])
