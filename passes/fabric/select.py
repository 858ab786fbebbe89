"""Instruction selection: scalar arith/math code to vector operations, by a table from op name to rule.

Lanes hold f32 or i32; i1, i8 and i16 live in i32 lanes, i1 as 0 or 1, the others sign-extended.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tfmbs.dialect.location import place
from tfmbs.dialect.mlir import ir
from tfmbs.passes.siw.nest import Compute, Constant, Index, Value
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.siw import Predicate
from tfmbs.runtime.abi.types import DType

_INTEGERS = {1: DType.BOOL, 8: DType.I8, 16: DType.I16, 32: DType.I32, 64: DType.I64}
_NARROW = frozenset({DType.I8, DType.I16})
_UNSIGNED = {DType.BOOL: DType.BOOL, DType.I8: DType.U8, DType.I16: DType.U16}
_SIGN_CLEARED = 0x7FFFFFFF
_SIGN = 0x80000000


def dtype_of(element: Any) -> DType | None:
    """Element type in memory of a builtin scalar type; None for one that no device has."""
    if isinstance(element, ir.IntegerType) and element.is_signless:
        return _INTEGERS.get(element.width)
    floats = {ir.F16Type: DType.F16, ir.BF16Type: DType.BF16, ir.F32Type: DType.F32, ir.F64Type: DType.F64}
    return next((dtype for kind, dtype in floats.items() if isinstance(element, kind)), None)


def refuse(op: Any, what: str, expected: object = None, got: object = None) -> TfmbsError:
    """The error for an op that has no vector code."""
    return TfmbsError("unsupported", place(op.operation.location), what, expected, got)


class Selector:
    """The body of a nest under construction. Equal values are made once."""

    def __init__(self) -> None:
        self.body: list[Value] = []
        self._position: dict[Value, int] = {}
        self._bound: dict[Any, int] = {}
        self._scalars: dict[Any, float] = {}  # constants that fit no lane until they are converted

    def add(self, value: Value) -> int:
        """The position of a value."""
        if value not in self._position:
            self._position[value] = len(self.body)
            self.body.append(value)
        return self._position[value]

    def bind(self, value: Any, position: int) -> None:
        """An MLIR value, a block argument for one, is the body value at `position`."""
        self._bound[value] = position

    def compute(self, op: str, dtype: DType | None, *args: int, aux: int = 0) -> int:
        """The position of an operation on values at positions."""
        return self.add(Compute(op, dtype, args, aux))

    def constant(self, bits: int) -> int:
        """The position of a 32-bit pattern in every lane."""
        return self.add(Constant(bits & 0xFFFFFFFF))

    def block(self, block: Any) -> list[int]:
        """Selects all ops of a block whose arguments are bound; the positions of what its terminator passes on."""
        *ops, terminator = block.operations
        for op in ops:
            self._select(op.operation)
        return [self.value(operand, terminator) for operand in terminator.operands]

    def value(self, value: Any, user: Any) -> int:
        """The position of an MLIR value that is bound or constant. Raises TfmbsError for any other."""
        if value not in self._bound:
            owner = value.owner
            if not isinstance(owner, ir.Block) and owner.operation.name == "arith.constant":
                self._select(owner.operation)
        if value not in self._bound:
            raise refuse(user, f"{user.operation.name}: operand of type {value.type}", "a value of the loop body")
        return self._bound[value]

    def scalar(self, value: Any) -> float | None:
        """The number of a constant of a type that no lane holds."""
        owner = value.owner
        if value not in self._scalars and not isinstance(owner, ir.Block) and owner.operation.name == "arith.constant":
            self._select(owner.operation)
        return self._scalars.get(value)

    def _select(self, op: Any) -> None:
        if op.name == "arith.constant":
            self._constant(op)
            return
        rule = _RULES.get(op.name)
        if rule is None:
            raise refuse(op, f"{op.name} has no vector instruction")
        self._bound[op.results[0]] = rule(self, op)

    def _constant(self, op: Any) -> None:
        value = op.attributes["value"].value
        result = op.results[0]
        dtype = _lane(result.type)
        if dtype is None:
            self._scalars[result] = value
        elif dtype is DType.F32:
            self._bound[result] = self.constant(float_bits(value))
        else:
            self._bound[result] = self.constant(int(value))


Rule = Callable[[Selector, Any], int]


def float_bits(value: float) -> int:
    """The bit pattern of a number rounded to f32."""
    with np.errstate(over="ignore"):
        return int(np.float32(value).view(np.uint32))


def _lane(type_: Any) -> DType | None:
    """What a scalar is in a lane: F32, or the integer type that it is extended from; None for wider types."""
    if isinstance(type_, ir.IndexType):
        return DType.I32
    dtype = dtype_of(type_)
    return dtype if dtype in (DType.F32, DType.I32, DType.BOOL) or dtype in _NARROW else None


def _lane_of(op: Any, value: Any) -> DType:
    dtype = _lane(value.type)
    if dtype is None:
        raise refuse(op, f"{op.name} on {value.type}", "f32, i32, i16, i8 or i1")
    return dtype


def _args(selector: Selector, op: Any) -> list[int]:
    for value in op.operands:
        _lane_of(op, value)
    return [selector.value(value, op) for value in op.operands]


def _wrapped(selector: Selector, dtype: DType, position: int) -> int:
    """An i32 result cut to the width of its type and extended again."""
    return selector.compute("CVT", dtype, position, aux=DType.I32) if dtype in _NARROW else position


def _extended(selector: Selector, dtype: DType, position: int) -> int:
    """A narrow integer read as unsigned."""
    return selector.compute("CVT", _UNSIGNED[dtype], position, aux=DType.I32) if dtype in _NARROW else position


def _float(name: str) -> Rule:
    def rule(selector: Selector, op: Any) -> int:
        if _lane_of(op, op.results[0]) is not DType.F32:
            raise refuse(op, f"{op.name} on {op.results[0].type}", "f32")
        return selector.compute(name, DType.F32, *_args(selector, op))

    return rule


def _integer(name: str) -> Rule:
    def rule(selector: Selector, op: Any) -> int:
        dtype = _lane_of(op, op.results[0])
        if dtype is DType.BOOL:
            raise refuse(op, f"{op.name} on i1", "i8, i16 or i32")
        return _wrapped(selector, dtype, selector.compute(name, DType.I32, *_args(selector, op)))

    return rule


def _bitwise(name: str) -> Rule:
    def rule(selector: Selector, op: Any) -> int:
        return selector.compute(name, DType.I32, *_args(selector, op))

    return rule


def _compare_float(selector: Selector, op: Any) -> int:
    predicate = Predicate(op.attributes["predicate"].value)  # the codes of arith's predicates are ours
    return selector.compute("CMP", DType.F32, *_args(selector, op), aux=predicate)


_INTEGER_PREDICATES = (
    Predicate.OEQ,
    Predicate.ONE,
    Predicate.OLT,
    Predicate.OLE,
    Predicate.OGT,
    Predicate.OGE,
    Predicate.ULT,
    Predicate.ULE,
    Predicate.UGT,
    Predicate.UGE,
)  # by the code of `arith.cmpi`
_SIGNED_ORDER = frozenset({Predicate.OLT, Predicate.OLE, Predicate.OGT, Predicate.OGE})


def _compare_integer(selector: Selector, op: Any) -> int:
    predicate = _INTEGER_PREDICATES[op.attributes["predicate"].value]
    if predicate in _SIGNED_ORDER and _lane_of(op, op.operands[0]) is DType.BOOL:
        raise refuse(op, f"{op.name}: signed order on i1")
    return selector.compute("CMP", DType.I32, *_args(selector, op), aux=predicate)


def _choose(predicate: Predicate) -> Rule:
    """The first operand where `predicate` holds, else the second."""

    def rule(selector: Selector, op: Any) -> int:
        a, b = _args(selector, op)
        return selector.compute("SEL", None, selector.compute("CMP", DType.I32, a, b, aux=predicate), a, b)

    return rule


def _number(name: str) -> Rule:
    """maxnumf and minnumf: a NaN operand gives the other one."""

    def rule(selector: Selector, op: Any) -> int:
        a, b = _args(selector, op)
        result = selector.compute(name, DType.F32, a, b)
        for operand, other in ((b, a), (a, b)):
            missing = selector.compute("CMP", DType.F32, operand, operand, aux=Predicate.UNO)
            result = selector.compute("SEL", None, missing, other, result)
        return result

    return rule


def _select(selector: Selector, op: Any) -> int:
    return selector.compute("SEL", None, *_args(selector, op))


def _same(selector: Selector, op: Any) -> int:
    (position,) = _args(selector, op)
    return position


def _cast_index(selector: Selector, op: Any) -> int:
    (operand,), target = op.operands, _lane_of(op, op.results[0])
    return _wrapped(selector, target, selector.value(operand, op))


def _truncate_float(selector: Selector, op: Any) -> int:
    number = selector.scalar(op.operands[0])
    if number is None or _lane_of(op, op.results[0]) is not DType.F32:
        raise refuse(op, f"{op.name} of {op.operands[0].type}", "a constant")
    return selector.constant(float_bits(number))


def _truncate_integer(selector: Selector, op: Any) -> int:
    target = _lane_of(op, op.results[0])
    number = selector.scalar(op.operands[0])
    (position,) = _args(selector, op) if number is None else (selector.constant(int(number)),)
    if target is DType.BOOL:
        return selector.compute("AND", DType.I32, position, selector.constant(1))
    return _wrapped(selector, target, position)


def _extend_signed(selector: Selector, op: Any) -> int:
    (position,) = _args(selector, op)
    _lane_of(op, op.results[0])
    is_bool = _lane_of(op, op.operands[0]) is DType.BOOL
    return selector.compute("NEG", DType.I32, position) if is_bool else position


def _extend_unsigned(selector: Selector, op: Any) -> int:
    (position,) = _args(selector, op)
    _lane_of(op, op.results[0])
    return _extended(selector, _lane_of(op, op.operands[0]), position)


def _float_of(extend: Rule, *, signed: bool) -> Rule:
    def rule(selector: Selector, op: Any) -> int:
        (operand,) = op.operands
        if not signed and _lane_of(op, operand) is DType.I32:
            raise refuse(op, f"{op.name} of {operand.type}", "i8, i16 or i1")
        if _lane_of(op, op.results[0]) is not DType.F32:
            raise refuse(op, f"{op.name} to {op.results[0].type}", "f32")
        return selector.compute("CVT", DType.F32, extend(selector, op), aux=DType.I32)

    return rule


def _integer_of(*, signed: bool) -> Rule:
    def rule(selector: Selector, op: Any) -> int:
        target = _lane_of(op, op.results[0])
        if (not signed and target not in _NARROW) or target is DType.BOOL:
            raise refuse(op, f"{op.name} to {op.results[0].type}", "i8 or i16" if not signed else "i8, i16 or i32")
        (position,) = _args(selector, op)
        stored = target if signed else _UNSIGNED[target]
        converted = selector.compute("CVT", stored, position, aux=DType.F32)
        return converted if signed else _wrapped(selector, target, converted)

    return rule


def _unsigned_operand(name: str) -> Rule:
    """A logical shift: what is shifted is unsigned."""

    def rule(selector: Selector, op: Any) -> int:
        dtype = _lane_of(op, op.results[0])
        if dtype is DType.BOOL:
            raise refuse(op, f"{op.name} on i1", "i8, i16 or i32")
        a, b = _args(selector, op)
        return _wrapped(selector, dtype, selector.compute(name, DType.I32, _extended(selector, dtype, a), b))

    return rule


def _unsigned_division(selector: Selector, op: Any) -> int:
    dtype = _lane_of(op, op.results[0])
    if dtype not in _NARROW:
        raise refuse(op, f"{op.name} on {op.results[0].type}", "i8 or i16")
    a, b = (_extended(selector, dtype, position) for position in _args(selector, op))
    return _wrapped(selector, dtype, selector.compute("DIV", DType.I32, a, b))


def _remainder(selector: Selector, op: Any) -> int:
    dtype = _lane_of(op, op.results[0])
    if dtype is DType.BOOL:
        raise refuse(op, f"{op.name} on i1", "i8, i16 or i32")
    a, b = _args(selector, op)
    quotient = _wrapped(selector, dtype, selector.compute("DIV", DType.I32, a, b))
    product = selector.compute("MUL", DType.I32, quotient, b)
    return _wrapped(selector, dtype, selector.compute("SUB", DType.I32, a, product))


def _copysign(selector: Selector, op: Any) -> int:
    a, b = _args(selector, op)
    magnitude = selector.compute("AND", DType.I32, a, selector.constant(_SIGN_CLEARED))
    sign = selector.compute("AND", DType.I32, b, selector.constant(_SIGN))
    return selector.compute("OR", DType.I32, magnitude, sign)


def _index(selector: Selector, op: Any) -> int:
    return selector.add(Index(op.attributes["dim"].value))


_RULES: dict[str, Rule] = {
    "arith.addf": _float("ADD"),
    "arith.subf": _float("SUB"),
    "arith.mulf": _float("MUL"),
    "arith.divf": _float("DIV"),
    "arith.negf": _float("NEG"),
    "arith.maximumf": _float("MAX"),
    "arith.minimumf": _float("MIN"),
    "arith.maxnumf": _number("MAX"),
    "arith.minnumf": _number("MIN"),
    "arith.cmpf": _compare_float,
    "arith.addi": _integer("ADD"),
    "arith.subi": _integer("SUB"),
    "arith.muli": _integer("MUL"),
    "arith.divsi": _integer("DIV"),
    "arith.divui": _unsigned_division,
    "arith.remsi": _remainder,
    "arith.maxsi": _integer("MAX"),
    "arith.minsi": _integer("MIN"),
    "arith.maxui": _choose(Predicate.UGT),
    "arith.minui": _choose(Predicate.ULT),
    "arith.shli": _integer("SHL"),
    "arith.shrsi": _integer("SHRA"),
    "arith.shrui": _unsigned_operand("SHRL"),
    "arith.andi": _bitwise("AND"),
    "arith.ori": _bitwise("OR"),
    "arith.xori": _bitwise("XOR"),
    "arith.cmpi": _compare_integer,
    "arith.select": _select,
    "arith.bitcast": _same,
    "arith.index_cast": _cast_index,
    "arith.truncf": _truncate_float,
    "arith.trunci": _truncate_integer,
    "arith.extsi": _extend_signed,
    "arith.extui": _extend_unsigned,
    "arith.sitofp": _float_of(_extend_signed, signed=True),
    "arith.uitofp": _float_of(_extend_unsigned, signed=False),
    "arith.fptosi": _integer_of(signed=True),
    "arith.fptoui": _integer_of(signed=False),
    "linalg.index": _index,
    "math.absf": _float("ABS"),
    "math.absi": _integer("ABS"),
    "math.ceil": _float("CEIL"),
    "math.copysign": _copysign,
    "math.erf": _float("ERF"),
    "math.exp": _float("EXP"),
    "math.floor": _float("FLOOR"),
    "math.fma": _float("FMA"),
    "math.log": _float("LOG"),
    "math.roundeven": _float("ROUND"),
    "math.rsqrt": _float("RSQRT"),
    "math.sqrt": _float("SQRT"),
    "math.tanh": _float("TANH"),
    "math.trunc": _float("TRUNC"),
}
