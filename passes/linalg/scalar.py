"""Scalar arith/math code: short builders, the special functions, and the fabric's meaning of upstream's scalar ops.

Every function builds at the current insertion point and location.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfmbs.dialect.mlir import arith, ir, math
from tfmbs.passes.linalg.formats import Format, format_of
from tfmbs.runtime.abi.special import CONSTANT, SPECIALS, Step

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


def bits_constant(type_: Any, value: int) -> Value:
    """An integer constant of the low bits of `value`, which may exceed the signed range."""
    low = value & ((1 << type_.width) - 1)
    return constant(type_, low - (1 << type_.width) if low >> (type_.width - 1) else low)


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


def bits_of(x: Value) -> Value:
    """The bit pattern of a float."""
    return arith.BitcastOp(integer_type(format_of(x.type).bits), x).result


def float_of(bits: Value, type_: Any) -> Value:
    """The float of a bit pattern."""
    return arith.BitcastOp(type_, bits).result


def magnitude_of(bits: Value, form: Format) -> Value:
    """A bit pattern without its sign."""
    return arith.AndIOp(bits, bits_constant(bits.type, form.sign - 1)).result


def canonical(x: Value) -> Value:
    """A float with any NaN replaced by the canonical one.

    On bits: to LLVM all NaNs are alike, so that it drops a selection between floats.
    """
    form, bits = format_of(x.type), bits_of(x)
    is_nan = compare("ugt", magnitude_of(bits, form), bits_constant(bits.type, form.infinity))
    return float_of(select(is_nan, bits_constant(bits.type, form.canonical_nan), bits), x.type)


def canonical_where(condition: Value, x: Value) -> Value:
    """A float, the canonical NaN where a condition holds; chosen on bits too."""
    form, bits = format_of(x.type), bits_of(x)
    return float_of(select(condition, bits_constant(bits.type, form.canonical_nan), bits), x.type)


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
    "canonical64": canonical,
}


def special(name: str, *operands: Value) -> Value:
    """The special function `name` of f32 or f64 operands, step by step as `runtime.abi.special` defines it."""
    values = list(operands)
    for step in SPECIALS[name, str(operands[0].type)].steps:
        if step.kind == CONSTANT:
            values.append(_step_constant(step))
        else:
            values.append(_STEPS[step.kind](*(values[i] for i in step.operands)))
    return values[-1]
