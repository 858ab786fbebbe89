"""Selection rules of conversions between any two scalar types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tfmbs.passes.fabric.scalars import (
    INDEX_BITS,
    SMALL_FLOATS,
    dtype_of,
    float_of,
    signed_type,
    unsigned_type,
    width_of,
)
from tfmbs.runtime.abi.siw import Predicate
from tfmbs.runtime.abi.types import DTYPES, DType

if TYPE_CHECKING:
    from tfmbs.passes.fabric.select import Rule, Selector


def _types(op: Any) -> tuple[Any, Any]:
    return op.operands[0].type, op.results[0].type


def _extend(*, signed: bool) -> Rule:
    """A wider integer of the same value."""

    def rule(selector: Selector, op: Any) -> int:
        source, target = (width_of(op, type_) for type_ in _types(op))
        (position,) = selector.args(op)
        return extend(selector, position, source, target, signed=signed)

    return rule


def extend(selector: Selector, position: int, source: int, target: int, *, signed: bool) -> int:
    """An integer of `source` bits as one of `target` bits, which are more."""
    if signed:
        return selector.signed(position, source)
    return selector.wide_unsigned(position, source) if target == INDEX_BITS else selector.unsigned(position, source)


def truncate(selector: Selector, position: int, target: int) -> int:
    """The low bits of an integer."""
    low = selector.low(position)
    return selector.compute("AND", DType.I32, low, selector.constant(1)) if target == 1 else low


def _truncate(selector: Selector, op: Any) -> int:
    (position,) = selector.args(op)
    return truncate(selector, position, width_of(op, op.results[0].type))


def _cast_index(*, signed: bool) -> Rule:
    def rule(selector: Selector, op: Any) -> int:
        source, target = (width_of(op, type_) for type_ in _types(op))
        (position,) = selector.args(op)
        if source < target:
            return extend(selector, position, source, target, signed=signed)
        return position if source == target else truncate(selector, position, target)

    return rule


def _to_float(*, signed: bool) -> Rule:
    """CVT reads an integer from the low bits of a lane, so that these need not be clean."""

    def rule(selector: Selector, op: Any) -> int:
        source, target = width_of(op, op.operands[0].type), float_of(op, op.results[0].type)
        (position,) = selector.args(op)
        dtype = signed_type(source) if signed else unsigned_type(source)
        if source == 1 and signed:
            position, dtype = selector.signed(position, 1), DType.I32
        elif source == INDEX_BITS and not selector.is_wide(position):
            if signed or selector.range(position)[0] >= 0:
                dtype = DType.I32
            else:
                position = selector.wide(position)
        return selector.compute("CVT", target, position, aux=dtype)

    return rule


def _to_integer(*, signed: bool) -> Rule:
    """Saturated to the integer's range; a bit holds -1…0 signed and 0…1 unsigned."""

    def rule(selector: Selector, op: Any) -> int:
        source, target = float_of(op, op.operands[0].type), width_of(op, op.results[0].type)
        (position,) = selector.args(op)
        if target > 1:
            return selector.compute(
                "CVT", signed_type(target) if signed else unsigned_type(target), position, aux=source
            )
        number = selector.compute("CVT", DType.I8 if signed else DType.U8, position, aux=source)
        limit = selector.constant(-1 if signed else 1)
        bounded = selector.compute("MAX" if signed else "MIN", DType.I32, number, limit)
        if not signed:
            return bounded
        bounded = selector.compute("MIN", DType.I32, bounded, selector.constant(0))
        return selector.compute("NEG", DType.I32, bounded)

    return rule


def _resize_float(selector: Selector, op: Any) -> int:
    source, target = (float_of(op, type_) for type_ in _types(op))
    (position,) = selector.args(op)
    return selector.compute("CVT", target, position, aux=source)


def _bitcast(selector: Selector, op: Any) -> int:
    (source, target), (position,) = (dtype_of(type_) for type_ in _types(op)), selector.args(op)
    if source is target:
        return position
    if source in SMALL_FLOATS:
        position = _stored_bits(selector, source, position)
    if target in SMALL_FLOATS:
        return _from_stored_bits(selector, target, position)
    return selector.wide(position) if target is not None and DTYPES[target].bits == INDEX_BITS else position


# An f32 lane holds f16 numbers with 112 more in the exponent, 13 more bits in the mantissa, and no denormals.
_SIGN_16, _REST_16, _REBIASED, _INFINITY, _LEAST_NORMAL = 0x8000, 0x7FFF, 112 << 23, 0x7F800000, 113 << 23
_EXTRA_BITS = 13
_DENORMAL_UNIT, _DENORMAL_SCALE = 0x33800000, 0x4B800000  # 2^-24 and 2^24 as f32
_DENORMALS_END, _SPECIALS = 0x400, 0x7C00


def _stored_bits(selector: Selector, dtype: DType, lane: int) -> int:
    """The bits in memory of an f16 or bf16, from its f32 lane."""

    def i32(op: str, *args: int, aux: int = 0) -> int:
        return selector.compute(op, DType.I32, *args, aux=aux)

    number = selector.constant
    if dtype is DType.BF16:
        return i32("SHRL", lane, number(16))
    magnitude = i32("AND", lane, number(0x7FFFFFFF))
    shifted = i32("SHRL", i32("SUB", magnitude, number(_REBIASED)), number(_EXTRA_BITS))
    special = i32("AND", i32("SHRL", magnitude, number(_EXTRA_BITS)), number(_REST_16))
    scaled = selector.compute("MUL", DType.F32, magnitude, number(_DENORMAL_SCALE))
    denormal = selector.compute("CVT", DType.I32, scaled, aux=DType.F32)
    rest = selector.choose(i32("CMP", magnitude, number(_INFINITY), aux=Predicate.OGE), special, shifted)
    rest = selector.choose(i32("CMP", magnitude, number(_LEAST_NORMAL), aux=Predicate.OLT), denormal, rest)
    sign = i32("AND", i32("SHRL", lane, number(16)), number(_SIGN_16))
    return i32("OR", sign, rest)


def _from_stored_bits(selector: Selector, dtype: DType, bits: int) -> int:
    """The f32 lane of an f16 or bf16, from its bits in memory."""

    def i32(op: str, *args: int, aux: int = 0) -> int:
        return selector.compute(op, DType.I32, *args, aux=aux)

    number = selector.constant
    if dtype is DType.BF16:
        return i32("SHL", bits, number(16))
    rest = i32("AND", bits, number(_REST_16))
    shifted = i32("SHL", rest, number(_EXTRA_BITS))
    normal, special = i32("ADD", shifted, number(_REBIASED)), i32("OR", shifted, number(_INFINITY))
    converted = selector.compute("CVT", DType.F32, rest, aux=DType.I32)
    denormal = selector.compute("MUL", DType.F32, converted, number(_DENORMAL_UNIT))
    magnitude = selector.choose(i32("CMP", rest, number(_SPECIALS), aux=Predicate.OGE), special, normal)
    magnitude = selector.choose(i32("CMP", rest, number(_DENORMALS_END), aux=Predicate.OLT), denormal, magnitude)
    sign = i32("SHL", i32("AND", bits, number(_SIGN_16)), number(16))
    return i32("OR", sign, magnitude)


RULES: dict[str, Rule] = {
    "arith.bitcast": _bitcast,
    "arith.convertf": _resize_float,
    "arith.extf": _resize_float,
    "arith.extsi": _extend(signed=True),
    "arith.extui": _extend(signed=False),
    "arith.fptosi": _to_integer(signed=True),
    "arith.fptoui": _to_integer(signed=False),
    "arith.index_cast": _cast_index(signed=True),
    "arith.index_castui": _cast_index(signed=False),
    "arith.sitofp": _to_float(signed=True),
    "arith.truncf": _resize_float,
    "arith.trunci": _truncate,
    "arith.uitofp": _to_float(signed=False),
}
