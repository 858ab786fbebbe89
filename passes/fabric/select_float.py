"""Selection rules of floating-point arithmetic: one operation in f32 or f64, then a rounding for f16 and bf16."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tfmbs.dialect.scalars import FUNCTION_OPS, OF_MATH
from tfmbs.passes.fabric.scalars import SMALL_FLOATS, float_of, lane_of
from tfmbs.runtime.abi.siw import Predicate
from tfmbs.runtime.abi.types import DType

if TYPE_CHECKING:
    from tfmbs.passes.fabric.select import Rule, Selector

_EXACT = frozenset({"NEG", "ABS", "MIN", "MAX", "FLOOR", "CEIL", "ROUND", "ROUNDA", "TRUNC", "REM"})
"""Operations whose result is a number of the operands' type."""
_INFINITY = {DType.F64: 0x7FF0000000000000, DType.F32: 0x7F800000, DType.F16: 0x7F800000, DType.BF16: 0x7F800000}
_LEAST_NORMAL = {
    DType.F64: 0x0010000000000000, DType.F32: 0x00800000, DType.F16: 0x38800000, DType.BF16: 0x00800000,
}  # fmt: skip


def rounded(selector: Selector, dtype: DType, position: int) -> int:
    """A result in the f32 lane of a smaller float type, rounded to it."""
    return selector.compute("CVT", dtype, position, aux=DType.F32) if dtype in SMALL_FLOATS else position


def operate(selector: Selector, name: str, dtype: DType, args: Sequence[int]) -> int:
    """One arithmetic operation on floats of a type."""
    result = selector.compute(name, lane_of(dtype), *args)
    return result if name in _EXACT else rounded(selector, dtype, result)


def _arithmetic(name: str) -> Rule:
    def rule(selector: Selector, op: Any) -> int:
        return operate(selector, name, float_of(op, op.results[0].type), selector.args(op))

    return rule


def _compare(selector: Selector, op: Any) -> int:
    predicate = Predicate(op.attributes["predicate"].value)  # the codes of arith's predicates are ours
    if predicate in (Predicate.FALSE, Predicate.TRUE):
        return selector.constant(int(predicate is Predicate.TRUE))
    dtype = float_of(op, op.operands[0].type)
    return selector.compute("CMP", lane_of(dtype), *selector.args(op), aux=predicate)


def _number(name: str) -> Rule:
    """maxnumf and minnumf: a NaN operand gives the other one."""

    def rule(selector: Selector, op: Any) -> int:
        dtype = lane_of(float_of(op, op.results[0].type))
        a, b = selector.args(op)
        result = selector.compute(name, dtype, a, b)
        for operand, other in ((b, a), (a, b)):
            missing = selector.compute("CMP", dtype, operand, operand, aux=Predicate.UNO)
            result = selector.choose(missing, other, result)
        return result

    return rule


def _copysign(selector: Selector, op: Any) -> int:
    lane = lane_of(float_of(op, op.results[0].type))
    integer, sign = (DType.I64, 1 << 63) if lane is DType.F64 else (DType.I32, 1 << 31)
    wide = lane is DType.F64
    a, b = selector.args(op)
    magnitude = selector.compute("AND", integer, a, selector.constant(sign - 1, wide=wide))
    negative = selector.compute("AND", integer, b, selector.constant(sign, wide=wide))
    return selector.compute("OR", integer, magnitude, negative)


def _is_nan(selector: Selector, op: Any) -> int:
    (a,) = selector.args(op)
    return selector.compute("CMP", lane_of(float_of(op, op.operands[0].type)), a, a, aux=Predicate.UNO)


def _class(*tests: tuple[Predicate, dict[DType, int]]) -> Rule:
    """Whether the magnitude of a float stands in these relations to these numbers."""

    def rule(selector: Selector, op: Any) -> int:
        dtype = float_of(op, op.operands[0].type)
        lane = lane_of(dtype)
        magnitude = selector.compute("ABS", lane, *selector.args(op))
        bounds = [(p, selector.constant(table[dtype], wide=lane is DType.F64)) for p, table in tests]
        first, *rest = [selector.compute("CMP", lane, magnitude, bound, aux=p) for p, bound in bounds]
        for other in rest:
            first = selector.compute("AND", DType.I32, first, other)
        return first

    return rule


FLOAT_OPS = {
    "arith.addf": "ADD",
    "arith.subf": "SUB",
    "arith.mulf": "MUL",
    "arith.divf": "DIV",
    "arith.remf": "REM",
    "arith.negf": "NEG",
    "arith.maximumf": "MAX",
    "arith.minimumf": "MIN",
    "math.absf": "ABS",
    "math.ceil": "CEIL",
    "math.floor": "FLOOR",
    "math.fma": "FMA",
    "math.round": "ROUNDA",
    "math.roundeven": "ROUND",
    "math.sqrt": "SQRT",
    "math.trunc": "TRUNC",
    **{op: name.upper() for op, name in OF_MATH.items()},
    **{op.OPERATION_NAME: name.upper() for name, op in FUNCTION_OPS.items()},
}
"""Scalar ops that are one instruction, and a rounding for small floats."""

RULES: dict[str, Rule] = {
    **{name: _arithmetic(instruction) for name, instruction in FLOAT_OPS.items()},
    "arith.cmpf": _compare,
    "arith.maxnumf": _number("MAX"),
    "arith.minnumf": _number("MIN"),
    "math.copysign": _copysign,
    "math.isfinite": _class((Predicate.OLT, _INFINITY)),
    "math.isinf": _class((Predicate.OEQ, _INFINITY)),
    "math.isnan": _is_nan,
    "math.isnormal": _class((Predicate.OGE, _LEAST_NORMAL), (Predicate.OLT, _INFINITY)),
}
