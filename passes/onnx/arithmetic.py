"""Scalar arithmetic by ONNX element type: the signed, unsigned or floating-point op that a type asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.mlir import arith, ir, math
from tfmbs.passes.linalg.formats import format_of
from tfmbs.passes.linalg.scalar import bits_constant, compare, constant, select
from tfmbs.passes.onnx.elements import Element

Value = Any

F32, F64, SI32, SI64, BOOL = Element("f32"), Element("f64"), Element("si32"), Element("si64"), Element("i1")


@dataclass(frozen=True)
class Arithmetic:
    """Builders of scalar code on values of one element type; integers wrap, a NaN wins maxima and minima."""

    element: Element

    def constant(self, value: float) -> Value:
        """A constant; integers by their bits."""
        if self.element.is_float:
            return constant(self.element.mlir, value)
        return bits_constant(self.element.mlir, int(value))

    def add(self, a: Value, b: Value) -> Value:
        """a + b."""
        return (arith.AddFOp if self.element.is_float else arith.AddIOp)(a, b).result

    def subtract(self, a: Value, b: Value) -> Value:
        """a − b."""
        return (arith.SubFOp if self.element.is_float else arith.SubIOp)(a, b).result

    def multiply(self, a: Value, b: Value) -> Value:
        """a · b."""
        return (arith.MulFOp if self.element.is_float else arith.MulIOp)(a, b).result

    def divide(self, a: Value, b: Value) -> Value:
        """a / b; of integers truncated, 0 where b is 0."""
        return self._pick(arith.DivFOp, arith.DivSIOp, arith.DivUIOp)(a, b).result

    def maximum(self, a: Value, b: Value) -> Value:
        """The greater of two; bool: or."""
        return self._pick(arith.MaximumFOp, arith.MaxSIOp, arith.MaxUIOp)(a, b).result

    def minimum(self, a: Value, b: Value) -> Value:
        """The less of two; bool: and."""
        return self._pick(arith.MinimumFOp, arith.MinSIOp, arith.MinUIOp)(a, b).result

    def absolute(self, a: Value) -> Value:
        """|a|, which wraps at the least integer."""
        if self.element.is_float:
            return math.AbsFOp(a).result
        return math.AbsIOp(a).result if self.element.is_integer and not self.element.is_unsigned else a

    def less(self, a: Value, b: Value) -> Value:
        """a < b as i1; false with a NaN."""
        return compare(self._pick("olt", "slt", "ult"), a, b)

    def at_most(self, a: Value, b: Value) -> Value:
        """a ≤ b as i1; false with a NaN."""
        return compare(self._pick("ole", "sle", "ule"), a, b)

    def equal(self, a: Value, b: Value) -> Value:
        """a = b as i1; false with a NaN."""
        return compare(self._pick("oeq", "eq", "eq"), a, b)

    def _pick(self, real: Any, signed: Any, unsigned: Any) -> Any:
        if self.element.is_float:
            return real
        return signed if self.element.is_integer and not self.element.is_unsigned else unsigned


def cast(x: Value, source: Element, target: Element) -> Value:
    """A scalar of another element type: floats are rounded once, float→integer truncates, bool is x ≠ 0."""
    if source == target:
        return x
    if target.is_bool:
        return compare("une" if source.is_float else "ne", x, Arithmetic(source).constant(0))
    if source.is_float and target.is_float:
        return _between_floats(x, target.mlir)
    return _with_integers(x, source, target)


def _with_integers(x: Value, source: Element, target: Element) -> Value:
    """A conversion from or to an integer; bool counts as unsigned."""
    unsigned = source.is_unsigned or source.is_bool
    if source.is_float:
        op = arith.FPToUIOp if target.is_unsigned else arith.FPToSIOp
    elif target.is_float:
        op = arith.UIToFPOp if unsigned else arith.SIToFPOp
    elif target.bits == source.bits:
        return x
    elif target.bits < source.bits:
        op = arith.TruncIOp
    else:
        op = arith.ExtUIOp if unsigned else arith.ExtSIOp
    return op(target.mlir, x).result


def _between_floats(x: Value, target: Any) -> Value:
    before, after = format_of(x.type).bits, format_of(target).bits
    if before == after:  # f16 and bf16: by way of f32, which holds both
        x = arith.ExtFOp(ir.F32Type.get(), x).result
        before = 32
    return (arith.ExtFOp if after > before else arith.TruncFOp)(target, x).result


def accumulator(element: Element) -> Element:
    """The type in which sums of small floats are kept: f32 for f16 and bf16, rounded once at the end."""
    return F32 if element.is_float and element.bits < 32 else element


def chosen(choices: list[tuple[Value, Value]], otherwise: Value) -> Value:
    """The value of the first (condition, value) whose i1 holds."""
    for condition, value in reversed(choices):
        otherwise = select(condition, value, otherwise)
    return otherwise
