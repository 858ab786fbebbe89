"""Element types, weight packings and memory regions, with the codes they have in a fabric binary (append-only)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class DType(IntEnum):
    """Element type of a tensor. The value is its code in a binary; see `DTYPES` for size and numpy name."""

    BOOL = 1
    I8 = 2
    U8 = 3
    I16 = 4
    U16 = 5
    I32 = 6
    U32 = 7
    I64 = 8
    U64 = 9
    F16 = 10
    BF16 = 11
    F32 = 12
    F64 = 13
    TRIT = 14


@dataclass(frozen=True)
class DTypeInfo:
    """`bits` of one element in memory (0: the packing decides); `numpy` the name of the numpy type, if there is one,
    else `extension` that of the type which the package `ml_dtypes` adds to numpy."""

    bits: int
    numpy: str | None
    is_float: bool = False
    is_signed: bool = True
    extension: str | None = None

    @property
    def array(self) -> str:
        """The numpy type of inputs and outputs: where numpy has none, unsigned integers that hold the bits.

        Raises ValueError for elements that only exist packed.
        """
        if not self.bits:
            raise ValueError("packed elements have no arrays")
        return self.numpy or f"uint{self.bits}"


DTYPES: dict[DType, DTypeInfo] = {
    DType.BOOL: DTypeInfo(8, "bool", is_signed=False),
    DType.I8: DTypeInfo(8, "int8"),
    DType.U8: DTypeInfo(8, "uint8", is_signed=False),
    DType.I16: DTypeInfo(16, "int16"),
    DType.U16: DTypeInfo(16, "uint16", is_signed=False),
    DType.I32: DTypeInfo(32, "int32"),
    DType.U32: DTypeInfo(32, "uint32", is_signed=False),
    DType.I64: DTypeInfo(64, "int64"),
    DType.U64: DTypeInfo(64, "uint64", is_signed=False),
    DType.F16: DTypeInfo(16, "float16", is_float=True),
    DType.BF16: DTypeInfo(16, None, is_float=True, extension="bfloat16"),
    DType.F32: DTypeInfo(32, "float32", is_float=True),
    DType.F64: DTypeInfo(64, "float64", is_float=True),
    DType.TRIT: DTypeInfo(0, None),
}


class Packing(IntEnum):
    """How the elements of a tensor lie in memory.

    DENSE: one element after the other. I8: one trit per signed byte. PT5: five trits per byte, byte = sum of
    (t_i + 1) * 3**i, trit 0 least significant, each row (all dimensions but the first, flattened) padded with trit 0 to
    a whole byte. T2: four trits per byte, two bits each holding t + 1, trit 0 in the low bits, rows padded with trit 0;
    the bit pattern 3 is invalid.
    """

    DENSE = 0
    I8 = 1
    PT5 = 2
    T2 = 3


PACKING_TRITS_PER_BYTE: dict[Packing, int] = {Packing.I8: 1, Packing.PT5: 5, Packing.T2: 4}


def row_bytes(dtype: DType, packing: Packing, row_elements: int) -> int:
    """Bytes of one row of `row_elements` elements; rows of trits end on a whole byte."""
    if dtype is DType.TRIT:
        per_byte = PACKING_TRITS_PER_BYTE[packing]
        return -(-row_elements // per_byte)
    return row_elements * DTYPES[dtype].bits // 8


class Region(IntEnum):
    """Where a tensor lives. WEIGHTS is read only; INPUT and OUTPUT have one buffer per argument (`slot`)."""

    WEIGHTS = 1
    SCRATCH = 2
    STATE = 3
    INPUT = 4
    OUTPUT = 5
