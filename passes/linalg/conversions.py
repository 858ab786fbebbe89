"""Conversions between numbers, each rounded once: integers of any width to floats, floats to integers and to floats.

Every function builds at the current insertion point and location.
"""

from __future__ import annotations

from typing import Any

from tfmbs.dialect.mlir import arith, ir
from tfmbs.passes.linalg.floats import rounded, widened
from tfmbs.passes.linalg.formats import is_small
from tfmbs.passes.linalg.scalar import Value, bits_constant, canonical, compare, constant, select

_F64_BITS = 53  # significant bits of an f64


def float_to_float(x: Value, type_: Any) -> Value:
    """A float in another float type: rounded once, or widened; a NaN becomes the canonical one."""
    x = widened(x)
    if is_small(type_):
        return rounded(x, type_)
    if x.type == type_:
        return canonical(x)
    build = arith.ExtFOp if isinstance(type_, ir.F64Type) else arith.TruncFOp
    return canonical(build(type_, x).result)


def integer_to_float(x: Value, type_: Any, signed: bool = True) -> Value:
    """An integer as a float, rounded once."""
    build = arith.SIToFPOp if signed else arith.UIToFPOp
    if not is_small(type_):
        return build(type_, x).result
    if x.type.width > _F64_BITS:
        x = _jammed(x, signed)
    return rounded(build(ir.F64Type.get(), x).result, type_)


def _jammed(x: Value, signed: bool) -> Value:
    """An integer that f64 holds, and that rounds to every shorter format as `x` does.

    Where x has more bits than f64, the lower ones are dropped, and the last that is kept is set if one of them was.
    """
    dropped = x.type.width - _F64_BITS
    one, zero = constant(x.type, 1 << dropped), constant(x.type, 0)
    rest = arith.AndIOp(x, constant(x.type, (1 << dropped) - 1)).result
    sticky = select(compare("ne", rest, zero), one, zero)
    odd = arith.OrIOp(arith.SubIOp(x, rest).result, sticky).result
    if signed:
        below, above = (constant(x.type, sign << _F64_BITS) for sign in (-1, 1))
        fits = arith.AndIOp(compare("sge", x, below), compare("sle", x, above)).result
    else:
        fits = compare("ule", x, constant(x.type, 1 << _F64_BITS))
    return select(fits, x, odd)


def saturating_to_integer(x: Value, type_: Any, signed: bool = True) -> Value:
    """A float truncated to an integer: out of range gives the nearest end, NaN gives 0."""
    x = widened(x)
    bits = type_.width
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    convert = arith.FPToSIOp if signed else arith.FPToUIOp
    # high + 1 is a power of two, so exact in every float type; truncation brings all above low - 1 to low or higher.
    result = select(compare("ult", x, constant(x.type, float(low))), constant(type_, low), convert(type_, x).result)
    result = select(compare("oge", x, constant(x.type, float(high + 1))), bits_constant(type_, high), result)
    return select(compare("uno", x, x), constant(type_, 0), result)
