"""Types of MLIR on the device: element types in memory, widths of integers, bits of constants, memrefs in windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tfmbs.dialect.location import place
from tfmbs.dialect.mlir import ir
from tfmbs.passes.siw.machine import Reg
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.types import DTYPES, DType

_INTEGERS = {1: DType.BOOL, 8: DType.I8, 16: DType.I16, 32: DType.I32, 64: DType.I64}
_FLOATS = {ir.F16Type: DType.F16, ir.BF16Type: DType.BF16, ir.F32Type: DType.F32, ir.F64Type: DType.F64}
_UNSIGNED = {8: DType.U8, 16: DType.U16, 32: DType.U32, 64: DType.U64}
INDEX_BITS = 64
SMALL_FLOATS = frozenset({DType.F16, DType.BF16})
"""Floats that lanes hold as f32."""

_F16_PAYLOAD, _F16_SIGN = 10, 0x8000
_NAN_32 = 0x7F800000


@dataclass(frozen=True)
class View:
    """A memref in an operand window: element (i, j, …) is element s[`base`] + `offset` + i·strides[0] + … of it."""

    window: int
    dtype: DType
    strides: tuple[int, ...]
    offset: int = 0
    base: Reg | None = None


def dtype_of(element: Any) -> DType | None:
    """Element type in memory of a builtin scalar type; None for one that no device has."""
    if isinstance(element, ir.IndexType):
        return DType.I64
    if isinstance(element, ir.IntegerType) and element.is_signless:
        return _INTEGERS.get(element.width)
    return next((dtype for kind, dtype in _FLOATS.items() if isinstance(element, kind)), None)


def refuse(op: Any, what: str, expected: object = None, got: object = None) -> TfmbsError:
    """The error for an op that has no vector code."""
    return TfmbsError("unsupported", place(op.operation.location), what, expected, got)


def width_of(op: Any, type_: Any) -> int:
    """Bits of an integer or index type. Raises TfmbsError, at `op`, for others."""
    if isinstance(type_, ir.IndexType):
        return INDEX_BITS
    if isinstance(type_, ir.IntegerType) and dtype_of(type_) is not None:
        return int(type_.width)
    raise refuse(op, f"{op.name} on {type_}", "index, i1, i8, i16, i32 or i64")


def float_of(op: Any, type_: Any) -> DType:
    """A float type. Raises TfmbsError, at `op`, for others."""
    dtype = dtype_of(type_)
    if dtype is None or not DTYPES[dtype].is_float:
        raise refuse(op, f"{op.name} on {type_}", "f16, bf16, f32 or f64")
    return dtype


def signed_type(width: int) -> DType:
    """The signed integer type of a width, in memory."""
    return _INTEGERS[width]


def unsigned_type(width: int) -> DType:
    """The unsigned integer type of a width, in memory; BOOL of 1."""
    return _UNSIGNED.get(width, DType.BOOL)


def lane_of(dtype: DType) -> DType:
    """What lanes hold an element as: I32, I64, F32 or F64."""
    info = DTYPES[dtype]
    if info.is_float:
        return DType.F64 if dtype is DType.F64 else DType.F32
    return DType.I64 if info.bits == INDEX_BITS else DType.I32


def stored_float_bits(stored: int, dtype: DType) -> int:
    """The lane of an element of a float type, given by its bits in memory."""
    if dtype is DType.BF16:
        return stored << 16
    if dtype is not DType.F16:
        return stored
    payload = stored & ((1 << _F16_PAYLOAD) - 1)
    if stored & ~_F16_SIGN == 0x7C00 | payload:
        return (stored & _F16_SIGN) << 16 | _NAN_32 | payload << 13
    return int(np.float32(np.uint16(stored).view(np.float16)).view(np.uint32))


def constant_bits(op: Any, attribute: Any) -> tuple[int, bool]:
    """Lane bits of a scalar constant of a float type, and whether they are 64."""
    dtype = float_of(op, attribute.type)
    text = str(attribute).split(" ")[0]
    if text.startswith("0x"):  # printed so where a decimal number would not do, as for every NaN
        return stored_float_bits(int(text, 16), dtype), dtype is DType.F64
    if dtype is DType.F64:
        return int(np.float64(attribute.value).view(np.uint64)), True
    return int(np.float32(attribute.value).view(np.uint32)), False  # exact: it is a number of its type
