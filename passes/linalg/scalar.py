"""Scalar arith/math code: short builders, the special functions, and the fabric's meaning of upstream's scalar ops.

Every function builds at the current insertion point and location.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfmbs.dialect.mlir import arith, ir, math
from tfmbs.runtime.abi.special import CANONICAL_NAN, CONSTANT, SPECIALS, Step

Value = Any


def integer_type(bits: int) -> Any:
    """The signless integer type."""
    return ir.IntegerType.get_signless(bits)


def constant(type_: Any, value: float) -> Value:
    """A scalar constant of an integer, index or float type; floats may be infinite or NaN."""
    if is_float(type_):
        return arith.ConstantOp(type_, ir.FloatAttr.get(type_, value)).result
    return arith.ConstantOp(type_, ir.IntegerAttr.get(type_, int(value))).result


def is_float(type_: Any) -> bool:
    """Whether a scalar type is a floating-point one."""
    return isinstance(type_, ir.F16Type | ir.BF16Type | ir.F32Type | ir.F64Type)


def f32(value: float) -> Value:
    """An f32 constant."""
    return constant(ir.F32Type.get(), value)


def compare(predicate: str, a: Value, b: Value) -> Value:
    """`arith.cmpf` or `arith.cmpi`, by the operands' type; the predicate is upstream's (`olt`, `uno`, `slt`, …)."""
    if is_float(a.type):
        return arith.CmpFOp(arith.CmpFPredicate[predicate.upper()], a, b).result
    return arith.CmpIOp(arith.CmpIPredicate[predicate], a, b).result


def select(condition: Value, yes: Value, no: Value) -> Value:
    """`yes` where the i1 holds, else `no`."""
    return arith.SelectOp(condition, yes, no).result


def canonical(x: Value) -> Value:
    """An f32 with any NaN replaced by the canonical one.

    On bits: to LLVM all NaNs are alike, so that it drops a selection between floats.
    """
    bits = arith.BitcastOp(integer_type(32), x).result
    magnitude = arith.AndIOp(bits, constant(integer_type(32), 0x7FFFFFFF)).result
    is_nan = compare("ugt", magnitude, constant(integer_type(32), 0x7F800000))
    return arith.BitcastOp(x.type, select(is_nan, constant(integer_type(32), CANONICAL_NAN), bits)).result


def to_float(x: Value) -> Value:
    """A signed integer as f32."""
    return arith.SIToFPOp(ir.F32Type.get(), x).result


def widen(x: Value, bits: int = 32) -> Value:
    """A signed integer in a wider type."""
    return arith.ExtSIOp(integer_type(bits), x).result


def clamp(x: Value, low: float, high: float) -> Value:
    """min(max(x, low), high) by IEEE 754-2019 maximum and minimum."""
    return arith.MinimumFOp(arith.MaximumFOp(x, f32(low)).result, f32(high)).result


def _step_constant(step: Step) -> Value:
    return constant(integer_type(64) if isinstance(step.constant, int) else ir.F64Type.get(), step.constant)


_STEPS: dict[str, Callable[..., Value]] = {
    "extend": lambda x: arith.ExtFOp(ir.F64Type.get(), x).result,
    "truncate": lambda x: arith.TruncFOp(ir.F32Type.get(), x).result,
    "neg": lambda x: arith.NegFOp(x).result,
    "add": lambda x, y: arith.AddFOp(x, y).result,
    "sub": lambda x, y: arith.SubFOp(x, y).result,
    "mul": lambda x, y: arith.MulFOp(x, y).result,
    "div": lambda x, y: arith.DivFOp(x, y).result,
    "fma": lambda x, y, z: math.FmaOp(x, y, z).result,
    "sqrt": lambda x: math.SqrtOp(x).result,
    "round": lambda x: math.RoundEvenOp(x).result,
    "bits": lambda x: arith.BitcastOp(integer_type(64), x).result,
    "real": lambda x: arith.BitcastOp(ir.F64Type.get(), x).result,
    "iadd": lambda x, y: arith.AddIOp(x, y).result,
    "and": lambda x, y: arith.AndIOp(x, y).result,
    "or": lambda x, y: arith.OrIOp(x, y).result,
    "xor": lambda x, y: arith.XOrIOp(x, y).result,
    "shl": lambda x, y: arith.ShLIOp(x, y).result,
    "shr": lambda x, y: arith.ShRUIOp(x, y).result,
    "less": lambda x, y: compare("olt", x, y),
    "equal": lambda x, y: compare("oeq", x, y),
    "select": select,
    "canonical": canonical,
}


def special(name: str, *operands: Value) -> Value:
    """The special function `name` of f32 operands, step by step as `runtime.abi.special` defines it."""
    values = list(operands)
    for step in SPECIALS[name, str(operands[0].type)].steps:
        if step.kind == CONSTANT:
            values.append(_step_constant(step))
        else:
            values.append(_STEPS[step.kind](*(values[i] for i in step.operands)))
    return values[-1]


def saturating_to_integer(x: Value, type_: Any, signed: bool = True) -> Value:
    """A float truncated to an integer: out of range gives the nearest end, NaN gives 0."""
    bits = type_.width
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    convert = arith.FPToSIOp if signed else arith.FPToUIOp
    # high + 1 is a power of two, so exact in every float type; truncation brings all above low - 1 to low or higher.
    result = select(compare("ult", x, constant(x.type, float(low))), constant(type_, low), convert(type_, x).result)
    result = select(compare("oge", x, constant(x.type, float(high + 1))), _bits_constant(type_, high), result)
    return select(compare("uno", x, x), constant(type_, 0), result)


def _bits_constant(type_: Any, value: int) -> Value:
    """An integer constant whose unsigned value may exceed the signed range."""
    bits = type_.width
    return constant(type_, value - (1 << bits) if value >> (bits - 1) else value)


def number(kind: str, a: Value, b: Value) -> Value:
    """`arith.maxnumf` or `arith.minnumf` of f32: the maximum or minimum; where one operand is NaN, the other one."""
    build = arith.MaximumFOp if kind == "arith.maxnumf" else arith.MinimumFOp
    result = canonical(build(a, b).result)
    result = select(compare("uno", b, b), a, result)
    return select(compare("uno", a, a), b, result)


def divide(kind: str, a: Value, b: Value) -> Value:
    """`arith.divsi` or `arith.divui` with a / 0 = 0 and, signed, least / -1 = least."""
    zero, one = constant(a.type, 0), constant(a.type, 1)
    by_zero = compare("eq", b, zero)
    if kind == "arith.divui":
        return select(by_zero, zero, arith.DivUIOp(a, select(by_zero, one, b)).result)
    negated = compare("eq", b, constant(b.type, -1))
    quotient = arith.DivSIOp(a, select(arith.OrIOp(by_zero, negated).result, one, b)).result
    return select(by_zero, zero, select(negated, arith.SubIOp(zero, a).result, quotient))


def remainder(kind: str, a: Value, b: Value) -> Value:
    """a - divide(a, b) * b, for `arith.remsi` and `arith.remui`."""
    quotient = divide("arith.divsi" if kind == "arith.remsi" else "arith.divui", a, b)
    return arith.SubIOp(a, arith.MulIOp(quotient, b).result).result


def shift(kind: str, a: Value, b: Value) -> Value:
    """`arith.shli`, `shrui` or `shrsi` with counts that are the width or more: 0, or the sign for `shrsi`."""
    zero, last = constant(a.type, 0), constant(a.type, a.type.width - 1)
    in_range = compare("ule", b, last)
    if kind == "arith.shrsi":
        return arith.ShRSIOp(a, select(in_range, b, last)).result
    build = arith.ShLIOp if kind == "arith.shli" else arith.ShRUIOp
    return select(in_range, build(a, select(in_range, b, zero)).result, zero)
