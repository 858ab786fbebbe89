"""Selection rules of integer arithmetic, of any width: i1, i8, i16, i32, and i64 and index."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tfmbs.passes.fabric.scalars import INDEX_BITS, refuse, width_of
from tfmbs.runtime.abi.siw import Predicate
from tfmbs.runtime.abi.types import DType

if TYPE_CHECKING:
    from tfmbs.passes.fabric.select import Rule, Selector

_I32_BITS = 32
Binary = Callable[["Selector", int, int], int]


def _and(selector: Selector, a: int, b: int) -> int:
    return selector.compute("AND", DType.I32, a, b)


def _or(selector: Selector, a: int, b: int) -> int:
    return selector.compute("OR", DType.I32, a, b)


def _xor(selector: Selector, a: int, b: int) -> int:
    return selector.compute("XOR", DType.I32, a, b)


def _first(selector: Selector, a: int, b: int) -> int:
    return a


def _without(selector: Selector, a: int, b: int) -> int:
    return _and(selector, a, _xor(selector, b, selector.constant(1)))


BITS: dict[str, Binary] = {
    "addi": _xor, "subi": _xor, "muli": _and, "andi": _and, "ori": _or, "xori": _xor, "divsi": _and, "divui": _and,
    "remsi": _without, "remui": _without, "maxsi": _and, "minsi": _or, "maxui": _or, "minui": _and, "shli": _without,
    "shrui": _without, "shrsi": _first,
}  # fmt: skip
"""Arithmetic on i1: as a signed number, true is -1."""

_MODULAR = {"addi": "ADD", "subi": "SUB", "muli": "MUL", "andi": "AND", "ori": "OR", "xori": "XOR"}
_SIGNED = {"divsi": "DIV", "remsi": "REM", "maxsi": "MAX", "minsi": "MIN"}
_UNSIGNED = {"divui": "DIV", "remui": "REM", "maxui": "MAX", "minui": "MIN"}
_SHIFTS = {"shli": "SHL", "shrsi": "SHRA", "shrui": "SHRL"}


def binary(selector: Selector, name: str, width: int, a: int, b: int) -> int:
    """The operation `arith.name` on integers of a width."""
    if width == 1:
        return BITS[name](selector, a, b)
    if name in _SHIFTS:
        return _shift(selector, name, width, a, b)
    if name in _UNSIGNED:
        return _unsigned(selector, _UNSIGNED[name], width, a, b)
    if width == INDEX_BITS:
        return selector.exact(_MODULAR.get(name) or _SIGNED[name], a, b)
    if name in _MODULAR:
        return selector.compute(_MODULAR[name], DType.I32, a, b)
    return selector.compute(_SIGNED[name], DType.I32, selector.signed(a, width), selector.signed(b, width))


def _unsigned(selector: Selector, op: str, width: int, a: int, b: int) -> int:
    if width < INDEX_BITS:
        a, b = selector.unsigned(a, width), selector.unsigned(b, width)
        dtype = DType.I32 if width < _I32_BITS or _both_positive(selector, a, b) else DType.U32
        return selector.compute(op, dtype, a, b)
    if _both_positive(selector, a, b):
        return selector.exact(op, a, b)
    return selector.compute(op, DType.U64, selector.wide(a), selector.wide(b))


def _both_positive(selector: Selector, a: int, b: int) -> bool:
    return selector.range(a)[0] >= 0 and selector.range(b)[0] >= 0


def _shift(selector: Selector, name: str, width: int, a: int, count: int) -> int:
    op = _SHIFTS[name]
    if width < INDEX_BITS:
        form = {"shli": lambda x, _: x, "shrsi": selector.signed, "shrui": selector.unsigned}[name]
        return selector.compute(op, DType.I32, form(a, width), selector.clean(count, width))
    return selector.exact(op, a, count)


def _binary(name: str) -> Rule:
    def rule(selector: Selector, op: Any) -> int:
        return binary(selector, name, width_of(op, op.results[0].type), *selector.args(op))

    return rule


_PREDICATES = (
    (Predicate.OEQ, True),
    (Predicate.ONE, True),
    (Predicate.OLT, True),
    (Predicate.OLE, True),
    (Predicate.OGT, True),
    (Predicate.OGE, True),
    (Predicate.ULT, False),
    (Predicate.ULE, False),
    (Predicate.UGT, False),
    (Predicate.UGE, False),
)  # by the code of `arith.cmpi`; whether the operands are signed
_NE, _LT, _LE, _GT, _GE, _ULT = 1, 2, 3, 4, 5, 6


def compare(selector: Selector, code: int, width: int, a: int, b: int) -> int:
    """`arith.cmpi` with the predicate of that code."""
    predicate, is_signed = _PREDICATES[code]
    if width == 1:
        if code in (_LT, _LE, _GT, _GE):  # true is less than false
            a, b = b, a
        return selector.compute("CMP", DType.I32, a, b, aux=predicate)
    if width == INDEX_BITS:
        if selector.is_wide(a) or selector.is_wide(b):
            return selector.compute("CMP", DType.I64, selector.wide(a), selector.wide(b), aux=predicate)
        return selector.compute("CMP", DType.I32, a, b, aux=predicate)
    form = selector.signed if is_signed else selector.unsigned
    return selector.compute("CMP", DType.I32, form(a, width), form(b, width), aux=predicate)


def _compare(selector: Selector, op: Any) -> int:
    width = width_of(op, op.operands[0].type)
    return compare(selector, op.attributes["predicate"].value, width, *selector.args(op))


def _absolute(selector: Selector, op: Any) -> int:
    width = width_of(op, op.results[0].type)
    (a,) = selector.args(op)
    if width == 1:
        return a
    return (
        selector.exact("ABS", a)
        if width == INDEX_BITS
        else selector.compute("ABS", DType.I32, selector.signed(a, width))
    )


def _select(selector: Selector, op: Any) -> int:
    return selector.choose(*selector.args(op))


def _rounded_division(step: str, *, signed: bool) -> Rule:
    """Division rounded to minus infinity (`step` is "subi") or plus infinity ("addi"); by 0 it gives 0.

    The truncated quotient moves by one where it is inexact, and negative in the first case, positive in the second.
    """
    moving_signs = _LT if step == "subi" else _GE

    def rule(selector: Selector, op: Any) -> int:
        width = width_of(op, op.results[0].type)
        a, b = selector.args(op)
        if width == 1:
            return _and(selector, a, b)
        form = (selector.signed if signed else selector.unsigned) if width < INDEX_BITS else (lambda p, _: p)
        a, b = form(a, width), form(b, width)
        division, remainder = ("divsi", "remsi") if signed else ("divui", "remui")
        quotient = binary(selector, division, width, a, b)
        rest = binary(selector, remainder, width, a, b)
        zero = selector.constant(0)
        moves = compare(selector, _NE, width, rest, zero)
        moves = _and(selector, moves, compare(selector, _NE, width, b, zero))
        if signed:
            signs = binary(selector, "xori", width, a, b)
            moves = _and(selector, moves, compare(selector, moving_signs, width, signs, zero))
        return binary(selector, step, width, quotient, moves)

    return rule


def _halves(*, signed: bool) -> Rule:
    """mulsi_extended and mului_extended: the product and what stands above it."""

    def rule(selector: Selector, op: Any) -> tuple[int, int]:
        width = width_of(op, op.results[0].type)
        if not 1 < width < INDEX_BITS:
            raise refuse(op, f"{op.name} on {op.results[0].type}", "i8, i16 or i32")
        form = selector.signed if signed else selector.wide_unsigned
        a, b = (form(position, width) for position in selector.args(op))
        product = selector.exact("MUL", a, b)
        high = selector.exact("SHRA", product, selector.constant(width))
        return selector.low(product), selector.low(high)

    return rule


def _carry(selector: Selector, op: Any) -> tuple[int, int]:
    """addui_extended: the sum, and whether it overflows."""
    width = width_of(op, op.results[0].type)
    a, b = selector.args(op)
    total = binary(selector, "addi", width, a, b)
    if width == 1:
        return total, _and(selector, a, b)
    return total, compare(selector, _ULT, width, total, a)


RULES: dict[str, Rule] = {
    **{f"arith.{name}": _binary(name) for name in BITS},
    "arith.addui_extended": _carry,
    "arith.ceildivsi": _rounded_division("addi", signed=True),
    "arith.ceildivui": _rounded_division("addi", signed=False),
    "arith.cmpi": _compare,
    "arith.floordivsi": _rounded_division("subi", signed=True),
    "arith.mulsi_extended": _halves(signed=True),
    "arith.mului_extended": _halves(signed=False),
    "arith.select": _select,
    "math.absi": _absolute,
}
