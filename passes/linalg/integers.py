"""Division, remainder and shifts of integers with every result defined, for all widths and for index.

Every function builds at the current insertion point and location.
"""

from __future__ import annotations

from typing import Any

from tfmbs.dialect.mlir import arith, ir
from tfmbs.passes.linalg.scalar import Value, compare, constant, select

INDEX_BITS = 64


def width_of(type_: Any) -> int:
    """The number of bits of an integer type; of index, what the JIT and the fabric take for it."""
    return INDEX_BITS if isinstance(type_, ir.IndexType) else int(type_.width)


def _and_not(a: Value, b: Value) -> Value:
    return arith.AndIOp(a, arith.XOrIOp(b, constant(b.type, -1)).result).result


def divide(kind: str, a: Value, b: Value) -> Value:
    """`arith.divsi` or `arith.divui` with a / 0 = 0 and, signed, least / -1 = least."""
    if width_of(a.type) == 1:
        return arith.AndIOp(a, b).result  # the one divisor that is not 0 is 1, and -1
    zero, one = constant(a.type, 0), constant(a.type, 1)
    by_zero = compare("eq", b, zero)
    if kind == "arith.divui":
        return select(by_zero, zero, arith.DivUIOp(a, select(by_zero, one, b)).result)
    negated = compare("eq", b, constant(b.type, -1))
    quotient = arith.DivSIOp(a, select(arith.OrIOp(by_zero, negated).result, one, b)).result
    return select(by_zero, zero, select(negated, arith.SubIOp(zero, a).result, quotient))


def remainder(kind: str, a: Value, b: Value) -> Value:
    """a - divide(a, b) * b, for `arith.remsi` and `arith.remui`."""
    if width_of(a.type) == 1:
        return _and_not(a, b)
    quotient = divide("arith.divsi" if kind == "arith.remsi" else "arith.divui", a, b)
    return arith.SubIOp(a, arith.MulIOp(quotient, b).result).result


def divide_rounding(kind: str, a: Value, b: Value) -> Value:
    """`arith.floordivsi`, `ceildivsi` or `ceildivui`: `divide`, one less or more where that rounds; a / 0 = 0."""
    signed = kind != "arith.ceildivui"
    quotient = divide("arith.divsi" if signed else "arith.divui", a, b)
    if width_of(a.type) == 1:
        return quotient  # exact, or a / 0
    zero, one = constant(a.type, 0), constant(a.type, 1)
    rest = arith.SubIOp(a, arith.MulIOp(quotient, b).result).result
    inexact = arith.AndIOp(compare("ne", rest, zero), compare("ne", b, zero)).result
    if signed:
        opposite = compare("slt", arith.XOrIOp(a, b).result, zero)
        away = opposite if kind == "arith.floordivsi" else compare("sge", arith.XOrIOp(a, b).result, zero)
        inexact = arith.AndIOp(inexact, away).result
    build = arith.SubIOp if kind == "arith.floordivsi" else arith.AddIOp
    return select(inexact, build(quotient, one).result, quotient)


def shift(kind: str, a: Value, b: Value) -> Value:
    """`arith.shli`, `shrui` or `shrsi` with counts that are the width or more: 0, or the sign for `shrsi`."""
    width = width_of(a.type)
    if width == 1:
        return a if kind == "arith.shrsi" else _and_not(a, b)
    zero, last = constant(a.type, 0), constant(a.type, width - 1)
    in_range = compare("ule", b, last)
    if kind == "arith.shrsi":
        return arith.ShRSIOp(a, select(in_range, b, last)).result
    build = arith.ShLIOp if kind == "arith.shli" else arith.ShRUIOp
    return select(in_range, build(a, select(in_range, b, zero)).result, zero)
