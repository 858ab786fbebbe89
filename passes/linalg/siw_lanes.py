"""What each vector opcode computes in one lane, as scalar code: the meaning of `runtime.abi.siw` beside the emulator's.

A lane travels as an i32, or as an i64 where the lanes of its operand have 64 bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfmbs.dialect.mlir import arith, ir, math
from tfmbs.passes.linalg import integers, scalar
from tfmbs.passes.linalg.scalar import Value
from tfmbs.passes.linalg.siw_elements import convert
from tfmbs.runtime.abi.siw import OPS, WIDE, Predicate, Reduce
from tfmbs.runtime.abi.types import DTYPES, DType


def _i32(value: int) -> Value:
    return scalar.constant(scalar.integer_type(32), value)


def as_value(lane: Value, dtype: DType) -> Value:
    """A lane as the float or integer that an opcode of this type computes with."""
    if not DTYPES[dtype].is_float:
        return lane
    return scalar.float_of(lane, ir.F64Type.get() if dtype in WIDE else ir.F32Type.get())


def as_lane(value: Value) -> Value:
    """A float or an i1 as a lane; other integers are one."""
    if scalar.is_float(value.type):
        return scalar.bits_of(value)
    return arith.ExtUIOp(scalar.integer_type(32), value).result if value.type.width == 1 else value


def _canonical(build: Callable[..., Any]) -> Callable[..., Value]:
    return lambda *operands: scalar.canonical(build(*operands).result)


def _ternary_float(a: Value, b: Value) -> Value:
    below = scalar.select(scalar.compare("olt", a, arith.NegFOp(b).result), _i32(-1), _i32(0))
    return scalar.select(scalar.compare("ogt", a, b), _i32(1), below)


def _ternary_integer(a: Value, b: Value) -> Value:
    wide = scalar.integer_type(64)  # the negated bound may be 2**31
    negated = arith.SubIOp(scalar.constant(wide, 0), scalar.widen(b, 64)).result
    below = scalar.select(scalar.compare("slt", scalar.widen(a, 64), negated), _i32(-1), _i32(0))
    return scalar.select(scalar.compare("sgt", a, b), _i32(1), below)


def _negated_integer(x: Value) -> Value:
    return arith.SubIOp(scalar.constant(x.type, 0), x).result


def _absolute_integer(x: Value) -> Value:
    return scalar.select(scalar.compare("slt", x, scalar.constant(x.type, 0)), _negated_integer(x), x)


_FLOAT: dict[str, Callable[..., Value]] = {
    "ADD": _canonical(arith.AddFOp),
    "SUB": _canonical(arith.SubFOp),
    "MUL": _canonical(arith.MulFOp),
    "FMA": _canonical(math.FmaOp),
    "DIV": _canonical(arith.DivFOp),
    "REM": _canonical(arith.RemFOp),
    "MIN": _canonical(arith.MinimumFOp),
    "MAX": _canonical(arith.MaximumFOp),
    "NEG": lambda x: arith.NegFOp(x).result,
    "ABS": lambda x: math.AbsFOp(x).result,
    "FLOOR": _canonical(math.FloorOp),
    "CEIL": _canonical(math.CeilOp),
    "ROUND": _canonical(math.RoundEvenOp),
    "ROUNDA": _canonical(math.RoundOp),
    "TRUNC": _canonical(math.TruncOp),
    "SQRT": _canonical(math.SqrtOp),
    "TERNARY": _ternary_float,
}

_INTEGER: dict[str, Callable[..., Value]] = {
    "ADD": lambda a, b: arith.AddIOp(a, b).result,
    "SUB": lambda a, b: arith.SubIOp(a, b).result,
    "MUL": lambda a, b: arith.MulIOp(a, b).result,
    "FMA": lambda a, b, c: arith.AddIOp(arith.MulIOp(a, b).result, c).result,
    "DIV": lambda a, b: integers.divide("arith.divsi", a, b),
    "REM": lambda a, b: integers.remainder("arith.remsi", a, b),
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
    "TERNARY": _ternary_integer,
}

_UNSIGNED: dict[str, Callable[..., Value]] = {
    "DIV": lambda a, b: integers.divide("arith.divui", a, b),
    "REM": lambda a, b: integers.remainder("arith.remui", a, b),
    "MIN": lambda a, b: arith.MinUIOp(a, b).result,
    "MAX": lambda a, b: arith.MaxUIOp(a, b).result,
}

_INTEGER_PREDICATES = {
    Predicate.OEQ: "eq", Predicate.ONE: "ne", Predicate.OGT: "sgt", Predicate.OGE: "sge", Predicate.OLT: "slt",
    Predicate.OLE: "sle", Predicate.UGT: "ugt", Predicate.UGE: "uge", Predicate.ULT: "ult", Predicate.ULE: "ule",
}  # fmt: skip
_REDUCTIONS = {
    Reduce.SUM: "ADD", Reduce.MAX: "MAX", Reduce.MIN: "MIN", Reduce.PROD: "MUL", Reduce.AND: "AND", Reduce.OR: "OR",
    Reduce.XOR: "XOR",
}  # fmt: skip
_SPECIAL = frozenset(op.name for op in OPS if op.unit == "special")


def compute(name: str, dtype: DType, aux: int, operands: list[Value]) -> Value:
    """The lane that an elementwise opcode gives; `operands` are the lanes of its vector operands.

    TACC has its old `vd` as first operand.
    """
    if name in _BY_BITS:
        return _BY_BITS[name](dtype, aux, *operands)
    values = [as_value(operand, dtype) for operand in operands]
    if name == "CMP":
        return _compare(dtype, Predicate(aux), *values)
    if not DTYPES[dtype].is_float:
        return (_INTEGER if DTYPES[dtype].is_signed else _UNSIGNED)[name](*values)
    return as_lane(scalar.special(name.lower(), *values) if name in _SPECIAL else _FLOAT[name](*values))


def reduce(kind: int, dtype: DType, a: Value, b: Value) -> Value:
    """The combination of two lanes by RED, REDUCE, FOLD and SCAN."""
    return compute(_REDUCTIONS[Reduce(kind)], dtype, 0, [a, b])


def _compare(dtype: DType, predicate: Predicate, a: Value, b: Value) -> Value:
    if predicate in (Predicate.FALSE, Predicate.TRUE):
        return _i32(int(predicate is Predicate.TRUE))
    if DTYPES[dtype].is_float:
        return as_lane(scalar.compare(predicate.name.lower(), a, b))
    return as_lane(scalar.compare(_INTEGER_PREDICATES[predicate], a, b))


def _accumulate_trit(dtype: DType, _aux: int, old: Value, a: Value, trit: Value) -> Value:
    plus, minus = (compute(name, dtype, 0, [old, a]) for name in ("ADD", "SUB"))
    subtracted = scalar.select(scalar.compare("eq", trit, _i32(-1)), minus, old)
    return scalar.select(scalar.compare("eq", trit, _i32(1)), plus, subtracted)


def _moved(_dtype: DType, _aux: int, x: Value) -> Value:
    return x


def _selected(_dtype: DType, _aux: int, condition: Value, yes: Value, no: Value) -> Value:
    return scalar.select(scalar.compare("ne", condition, _i32(0)), yes, no)


def _converted(dtype: DType, aux: int, x: Value) -> Value:
    return convert(x, DType(aux), dtype)


_BY_BITS: dict[str, Callable[..., Value]] = {
    "MOV": _moved,
    "MOV64": _moved,
    "SEL": _selected,
    "SEL64": _selected,
    "CVT": _converted,
    "CAST": _converted,
    "TACC": _accumulate_trit,
}
"""Opcodes on lanes whatever they hold; from type, aux and lanes."""
