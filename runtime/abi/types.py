"""Element types and what they stand for, weight packings, memory regions: codes of a fabric binary (append-only)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from tfmbs.runtime.abi.abreast import abreast_rows
from tfmbs.runtime.abi.residues import residue_row_bytes


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
    I4 = 15


@dataclass(frozen=True)
class DTypeInfo:
    """`bits` of one element in memory (0: the packing decides); `numpy` the name of the numpy type, if there is one."""

    bits: int
    numpy: str | None
    is_float: bool = False
    is_signed: bool = True

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
    DType.BF16: DTypeInfo(16, None, is_float=True),
    DType.F32: DTypeInfo(32, "float32", is_float=True),
    DType.F64: DTypeInfo(64, "float64", is_float=True),
    DType.TRIT: DTypeInfo(0, None),
    DType.I4: DTypeInfo(0, None),
}


class Meaning(IntEnum):
    """What the elements of an input or output stand for, where their DType does not say it.

    Each takes a byte: a float its bits, in the low ones of a U8; an integer its value, as an I8 or U8. Programs convert
    them with ordinary instructions. The names are those of MLIR's types.
    """

    PLAIN = 0
    F8E4M3FN = 1
    F8E4M3FNUZ = 2
    F8E5M2 = 3
    F8E5M2FNUZ = 4
    F8E8M0FNU = 5
    F4E2M1FN = 6
    I4 = 7
    U4 = 8
    I2 = 9
    U2 = 10


@dataclass(frozen=True)
class MeaningInfo:
    """`bits` that count of an element stored as `dtype`; `extension` is its type's name in the package `ml_dtypes`."""

    dtype: DType
    bits: int
    extension: str
    is_float: bool = False

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the greatest stored value."""
        if DTYPES[self.dtype].is_signed:
            return -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1
        return 0, (1 << self.bits) - 1


MEANINGS: dict[Meaning, MeaningInfo] = {
    Meaning.F8E4M3FN: MeaningInfo(DType.U8, 8, "float8_e4m3fn", is_float=True),
    Meaning.F8E4M3FNUZ: MeaningInfo(DType.U8, 8, "float8_e4m3fnuz", is_float=True),
    Meaning.F8E5M2: MeaningInfo(DType.U8, 8, "float8_e5m2", is_float=True),
    Meaning.F8E5M2FNUZ: MeaningInfo(DType.U8, 8, "float8_e5m2fnuz", is_float=True),
    Meaning.F8E8M0FNU: MeaningInfo(DType.U8, 8, "float8_e8m0fnu", is_float=True),
    Meaning.F4E2M1FN: MeaningInfo(DType.U8, 4, "float4_e2m1fn", is_float=True),
    Meaning.I4: MeaningInfo(DType.I8, 4, "int4"),
    Meaning.U4: MeaningInfo(DType.U8, 4, "uint4"),
    Meaning.I2: MeaningInfo(DType.I8, 2, "int2"),
    Meaning.U2: MeaningInfo(DType.U8, 2, "uint2"),
}

BF16_EXTENSION = "bfloat16"
"""The name of BF16 in `ml_dtypes`, which the DType says by itself."""


class Packing(IntEnum):
    """How the elements of a tensor lie in memory.

    DENSE: one element after the other. I8: one trit per signed byte. PT5: five trits per byte, byte = sum of
    (t_i + 1) * 3**i, trit 0 least significant, each row (all dimensions but the first, flattened) padded with trit 0 to
    a whole byte. T2: four trits per byte, two bits each holding t + 1, trit 0 in the low bits, rows padded with trit 0;
    the bit pattern 3 is invalid. NIBBLES: two I4 per byte in two's complement, the first in the low bits, rows padded
    with 0. S2, S4: rows of n trits of which at most half, or a quarter (rounded up), are not 0: ceil(n / 8) bytes of
    flags, bit i of byte j for trit 8 j + i, set where it is not 0; then for these, in order, a bit each, from the low
    one on, set for -1, in as many bytes as the most of them take. Bits without a trit are 0. R5: five trits per byte as
    a residue, X = ceil(256 v / 243) with v = sum of (t_k + 1) * 3**(4 - k); byte j of a block of 64 holds trits t_k =
    64 k + j of the block's 320, rows padded with trit 0 to whole blocks; 13 bytes are no code. A5: numbers v and rows
    as in R5, a byte being X = floor(256 v / 243) + 1 for v up to 121, else 256 minus that of 242 - v; 64 rows lie side
    by side, byte j of all of them before byte j + 1, of row 16 a + 4 b + c (b and c up to 3) at place 16 b + 4 a + c;
    rows are padded with rows of trit 0 to a multiple of 64.
    """

    DENSE = 0
    I8 = 1
    PT5 = 2
    T2 = 3
    NIBBLES = 4
    S2 = 5
    S4 = 6
    R5 = 7
    A5 = 8


PACKING_TRITS_PER_BYTE: dict[Packing, int] = {Packing.I8: 1, Packing.PT5: 5, Packing.T2: 4}
SPARSE: dict[Packing, int] = {Packing.S2: 2, Packing.S4: 4}
"""Packings that hold at most one of so many trits of a row that is not 0."""
TRIT_PACKINGS: tuple[Packing, ...] = (*PACKING_TRITS_PER_BYTE, *SPARSE, Packing.R5, Packing.A5)
"""All packings of trits."""
RESIDUES: tuple[Packing, ...] = (Packing.R5, Packing.A5)
"""Packings of five trits to a byte in blocks, whose bytes are residues."""
PACKED_PER_BYTE: dict[Packing, int] = {**PACKING_TRITS_PER_BYTE, Packing.NIBBLES: 2}
"""Elements per byte where they lie one after the other, of trits and of all elements that only exist packed."""
ROW_PACKINGS: tuple[Packing, ...] = (*TRIT_PACKINGS, Packing.NIBBLES)
"""All packings of elements that only exist packed: their rows end on a whole byte."""


def packed_dtype(packing: Packing) -> DType:
    """The element type that a packing is of. Raises ValueError for `Packing.DENSE`, which all others share."""
    if packing is Packing.DENSE:
        raise ValueError("dense elements have any type")
    return DType.I4 if packing is Packing.NIBBLES else DType.TRIT


def is_packed(dtype: DType) -> bool:
    """Whether elements of a type only exist packed: in WEIGHTS, in rows that end on a whole byte."""
    return not DTYPES[dtype].bits


def most_nonzeros(packing: Packing, row_elements: int) -> int:
    """How many trits of a row may be other than 0 in a packing of `SPARSE`."""
    return -(-row_elements // SPARSE[packing])


_DENSE = Packing.DENSE


def row_bytes(dtype: DType, packing: Packing, row_elements: int) -> int:
    """Bytes of one row of `row_elements` elements; rows of packed elements end on a whole byte."""
    bits = DTYPES[dtype].bits
    if bits and packing is _DENSE:
        return row_elements * bits // 8
    if packing in SPARSE:
        return -(-row_elements // 8) + -(-most_nonzeros(packing, row_elements) // 8)
    if packing in RESIDUES:
        return residue_row_bytes(row_elements)
    if is_packed(dtype):
        return -(-row_elements // PACKED_PER_BYTE[packing])
    return row_elements * bits // 8


def packed_rows(packing: Packing, rows: int) -> int:
    """Rows that memory holds for so many of a tensor: those of A5 fill up groups that lie side by side."""
    return abreast_rows(rows) if packing is Packing.A5 else rows


class Region(IntEnum):
    """Where a tensor lives. WEIGHTS is read only; INPUT and OUTPUT have one buffer per argument (`slot`)."""

    WEIGHTS = 1
    SCRATCH = 2
    STATE = 3
    INPUT = 4
    OUTPUT = 5
