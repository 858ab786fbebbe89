"""What each vector opcode computes in one lane, as scalar code: the meaning of `runtime.abi.siw` beside the emulator's.

A lane is an i32 or an f32; both travel as i32 here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from tfmbs.dialect.mlir import arith, ir, math
from tfmbs.passes.linalg import conversions, integers, scalar
from tfmbs.runtime.abi.siw import OPS, Predicate, Reduce
from tfmbs.runtime.abi.types import DTYPES, DType

Value = Any


def _i32(value: int) -> Value:
    return scalar.constant(scalar.integer_type(32), value)


def as_f32(lane: Value) -> Value:
    """A lane as f32."""
    return arith.BitcastOp(ir.F32Type.get(), lane).result


def as_lane(value: Value) -> Value:
    """An f32 or an i1 as a lane; an i32 is one."""
    if isinstance(value.type, ir.F32Type):
        return arith.BitcastOp(scalar.integer_type(32), value).result
    return arith.ExtUIOp(scalar.integer_type(32), value).result if value.type.width == 1 else value


def _canonical(build: Callable[..., Any]) -> Callable[..., Value]:
    return lambda *operands: scalar.canonical(build(*operands).result)


def _ternary_f32(a: Value, b: Value) -> Value:
    below = scalar.select(scalar.compare("olt", a, arith.NegFOp(b).result), _i32(-1), _i32(0))
    return scalar.select(scalar.compare("ogt", a, b), _i32(1), below)


def _ternary_i32(a: Value, b: Value) -> Value:
    wide = scalar.integer_type(64)  # the negated bound may be 2**31
    negated = arith.SubIOp(scalar.constant(wide, 0), scalar.widen(b, 64)).result
    below = scalar.select(scalar.compare("slt", scalar.widen(a, 64), negated), _i32(-1), _i32(0))
    return scalar.select(scalar.compare("sgt", a, b), _i32(1), below)


def _negated_integer(x: Value) -> Value:
    return arith.SubIOp(_i32(0), x).result


def _absolute_integer(x: Value) -> Value:
    return scalar.select(scalar.compare("slt", x, _i32(0)), _negated_integer(x), x)


_F32: dict[str, Callable[..., Value]] = {
    "ADD": _canonical(arith.AddFOp),
    "SUB": _canonical(arith.SubFOp),
    "MUL": _canonical(arith.MulFOp),
    "FMA": _canonical(math.FmaOp),
    "DIV": _canonical(arith.DivFOp),
    "MIN": _canonical(arith.MinimumFOp),
    "MAX": _canonical(arith.MaximumFOp),
    "NEG": lambda x: arith.NegFOp(x).result,
    "ABS": lambda x: math.AbsFOp(x).result,
    "FLOOR": _canonical(math.FloorOp),
    "CEIL": _canonical(math.CeilOp),
    "ROUND": _canonical(math.RoundEvenOp),
    "TRUNC": _canonical(math.TruncOp),
    "SQRT": _canonical(math.SqrtOp),
    "TERNARY": _ternary_f32,
    **{op.name: partial(scalar.special, op.name.lower()) for op in OPS if op.unit == "special"},
}

_I32: dict[str, Callable[..., Value]] = {
    "ADD": lambda a, b: arith.AddIOp(a, b).result,
    "SUB": lambda a, b: arith.SubIOp(a, b).result,
    "MUL": lambda a, b: arith.MulIOp(a, b).result,
    "FMA": lambda a, b, c: arith.AddIOp(arith.MulIOp(a, b).result, c).result,
    "DIV": lambda a, b: integers.divide("arith.divsi", a, b),
    "MIN": lambda a, b: arith.MinSIOp(a, b).result,
    "MAX": lambda a, b: arith.MaxSIOp(a, b).result,
    "NEG": _negated_integer,
    "ABS": _absolute_integer,
    "AND": lambda a, b: arith.AndIOp(a, b).result,
    "OR": lambda a, b: arith.OrIOp(a, b).result,
    "XOR": lambda a, b: arith.XOrIOp(a, b).result,
    "SHL": lambda a, b: integers.shift("arith.shli", a, b),
    "SHRA": lambda a, b: integers.shift("arith.shrsi", a, b),
    "SHRL": lambda a, b: integers.shift("arith.shrui", a, b),
    "TERNARY": _ternary_i32,
}

_INTEGER_PREDICATES = {
    Predicate.OEQ: "eq", Predicate.ONE: "ne", Predicate.OGT: "sgt", Predicate.OGE: "sge", Predicate.OLT: "slt",
    Predicate.OLE: "sle", Predicate.UGT: "ugt", Predicate.UGE: "uge", Predicate.ULT: "ult", Predicate.ULE: "ule",
}  # fmt: skip
_REDUCTIONS = {Reduce.SUM: "ADD", Reduce.MAX: "MAX", Reduce.MIN: "MIN"}


def compute(name: str, dtype: DType, aux: int, operands: list[Value]) -> Value:
    """The lane that an elementwise opcode gives; `operands` are the lanes of its vector operands.

    TACC has its old `vd` as first operand.
    """
    if name in ("MOV", "SEL"):
        return operands[0] if name == "MOV" else scalar.select(_is_true(operands[0]), operands[1], operands[2])
    if name == "CVT":
        return convert(operands[0], DType(aux), dtype)
    if name == "TACC":
        return _accumulate_trit(dtype, *operands)
    if name == "CMP":
        return _compare(dtype, Predicate(aux), *operands)
    if dtype is DType.F32:
        return as_lane(_F32[name](*(as_f32(operand) for operand in operands)))
    return _I32[name](*operands)


def reduce(kind: int, dtype: DType, a: Value, b: Value) -> Value:
    """The combination of two lanes by RED and FOLD."""
    return compute(_REDUCTIONS[Reduce(kind)], dtype, 0, [a, b])


def _is_true(lane: Value) -> Value:
    return scalar.compare("ne", lane, _i32(0))


def _compare(dtype: DType, predicate: Predicate, a: Value, b: Value) -> Value:
    if predicate in (Predicate.FALSE, Predicate.TRUE):
        return _i32(int(predicate is Predicate.TRUE))
    if dtype is DType.F32:
        return as_lane(scalar.compare(predicate.name.lower(), as_f32(a), as_f32(b)))
    return as_lane(scalar.compare(_INTEGER_PREDICATES[predicate], a, b))


def _accumulate_trit(dtype: DType, old: Value, a: Value, trit: Value) -> Value:
    plus, minus = (compute(name, dtype, 0, [old, a]) for name in ("ADD", "SUB"))
    subtracted = scalar.select(scalar.compare("eq", trit, _i32(-1)), minus, old)
    return scalar.select(scalar.compare("eq", trit, _i32(1)), plus, subtracted)


def convert(lane: Value, source: DType, target: DType) -> Value:
    """CVT: float to integer truncates and saturates, integers wrap, BOOL is `!= 0`."""
    if source is not DType.F32:
        integer = widen(narrow_to(lane, source), source)  # a lane that is no value of its type is one modulo it
        return as_lane(scalar.to_float(integer)) if target is DType.F32 else widen(narrow_to(integer, target), target)
    if target is DType.F32:
        return lane
    if target is DType.BOOL:
        return as_lane(scalar.compare("une", as_f32(lane), scalar.f32(0.0)))
    info = DTYPES[target]
    narrow = conversions.saturating_to_integer(as_f32(lane), scalar.integer_type(info.bits), info.is_signed)
    return widen(narrow, target)


def narrow_to(lane: Value, dtype: DType) -> Value:
    """What memory of this type holds of a lane: its low bits, for BOOL whether it is not 0, for F32 the float."""
    if dtype is DType.F32:
        return as_f32(lane)
    if dtype is DType.BOOL:
        return arith.TruncIOp(scalar.integer_type(8), as_lane(_is_true(lane))).result
    bits = DTYPES[dtype].bits
    return lane if bits == 32 else arith.TruncIOp(scalar.integer_type(bits), lane).result


def widen(value: Value, dtype: DType) -> Value:
    """A lane from an element of memory."""
    if dtype is DType.F32:
        return as_lane(value)
    if DTYPES[dtype].bits == 32:
        return value
    build = arith.ExtSIOp if DTYPES[dtype].is_signed else arith.ExtUIOp
    return build(scalar.integer_type(32), value).result
