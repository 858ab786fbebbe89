"""Elements of memory and lanes of registers: how LD widens, ST narrows and CVT converts.

An element has the type of memory (f16 and bf16 ones too); a lane is an i32, or an i64 for the types with 64 bits. f16
and bf16 are held in f32 lanes, narrow integers in i32 lanes.
"""

from __future__ import annotations

from typing import Any

from tfmbs.dialect.mlir import arith, ir
from tfmbs.passes.linalg import conversions, floats, scalar
from tfmbs.passes.linalg.scalar import Value
from tfmbs.runtime.abi.siw import WIDE
from tfmbs.runtime.abi.types import DTYPES, DType

_FLOATS: dict[DType, Any] = {
    DType.F16: ir.F16Type,
    DType.BF16: ir.BF16Type,
    DType.F32: ir.F32Type,
    DType.F64: ir.F64Type,
}
_SMALL = frozenset({DType.F16, DType.BF16})


def element_type(dtype: DType) -> Any:
    """The type of one stored element; BOOL and trits are bytes."""
    if dtype in _FLOATS:
        return _FLOATS[dtype].get()
    return scalar.integer_type(8 if dtype in (DType.BOOL, DType.TRIT, DType.I4) else DTYPES[dtype].bits)


def lane_type(dtype: DType) -> Any:
    """The type of a lane that holds values of a type."""
    return scalar.integer_type(64 if dtype in WIDE else 32)


def widen(element: Value, dtype: DType) -> Value:
    """A lane from an element: small floats keep the bits of a NaN as the upper ones."""
    if dtype in _FLOATS:
        return scalar.bits_of(floats.widened(element))
    lane = lane_type(dtype)
    if element.type == lane:
        return element
    return (arith.ExtSIOp if DTYPES[dtype].is_signed else arith.ExtUIOp)(lane, element).result


def narrow(lane: Value, dtype: DType) -> Value:
    """What memory of this type holds of a lane: low bits, for BOOL whether it is not 0; small floats are rounded."""
    if dtype in _SMALL:
        return floats.rounded(scalar.float_of(lane, ir.F32Type.get()), element_type(dtype), keep_nan=True)
    if dtype in _FLOATS:
        return scalar.float_of(lane, element_type(dtype))
    element = element_type(dtype)
    if dtype is DType.BOOL:
        return arith.ExtUIOp(element, scalar.compare("ne", lane, scalar.constant(lane.type, 0))).result
    return lane if lane.type == element else arith.TruncIOp(element, lane).result


def convert(lane: Value, source: DType, target: DType) -> Value:
    """CVT: float to integer truncates and saturates, integers wrap, BOOL is `!= 0`, floats are rounded once."""
    if source in _FLOATS:
        return _from_float(lane, source, target)
    # A lane that is no value of its type is one modulo it.
    element = narrow(lane, source)
    if target in _FLOATS:
        return widen(conversions.integer_to_float(element, element_type(target), DTYPES[source].is_signed), target)
    value = widen(element, source)
    if target is DType.BOOL:
        return arith.ExtUIOp(lane_type(target), scalar.compare("ne", value, scalar.constant(value.type, 0))).result
    return widen(_resized(value, source, element_type(target)), target)


def _resized(value: Value, source: DType, type_: Any) -> Value:
    if value.type.width >= type_.width:
        return value if value.type == type_ else arith.TruncIOp(type_, value).result
    return (arith.ExtSIOp if DTYPES[source].is_signed else arith.ExtUIOp)(type_, value).result


def _from_float(lane: Value, source: DType, target: DType) -> Value:
    if source is target:
        return lane
    value = scalar.float_of(lane, ir.F64Type.get() if source is DType.F64 else ir.F32Type.get())
    if target in _FLOATS:
        return widen(conversions.float_to_float(value, element_type(target)), target)
    if target is DType.BOOL:
        zero = scalar.constant(value.type, 0.0)
        return arith.ExtUIOp(lane_type(target), scalar.compare("une", value, zero)).result
    narrowed = conversions.saturating_to_integer(value, element_type(target), DTYPES[target].is_signed)
    return widen(narrowed, target)
