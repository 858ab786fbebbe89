"""The sentron instruction word (SIW): bit layout, opcodes and their meaning, as tables.

A word is 128 bits, little-endian, and holds three slots that issue together: D computes on vector registers, S moves
data and computes addresses, C controls, converts and streams. All slots read their registers before any slot writes.
State of a program:

- 32 vector registers v0…v31 of `VLMAX` lanes of 32 bits. Bool, i8, i16 and their unsigned forms live in i32 lanes, f16
  and bf16 in f32 lanes. 64-bit lanes (i64, u64, f64) live in register pairs: an operand of such a type names an even
  register v2n, and v2n, v2n+1 together hold `VLMAX` lanes, the first half of them in v2n, each low word first;
- 32 scalar registers s0…s31, signed 64 bits; s0 is always 0;
- VL, the number of lanes an instruction works on (1…VLMAX); lanes from VL on keep their value;
- a stack of at most `LOOP_DEPTH` hardware loops;
- operand windows w0…w15: the tensors that the descriptor lists, addressed in elements. Each has a read and a write
  cursor, in elements, which RECV and SEND move.

At the start all registers and cursors are 0 and VL is `VLMAX`; see EPILOGUE_… for what an epilogue finds instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from tfmbs.runtime.abi.siw_op import WIDE, Op, Predicate, Reduce
from tfmbs.runtime.abi.siw_opcodes import OP_BY_CODE, OP_BY_NAME, OPS

__all__ = [
    "BIT_FIELD",
    "BIT_FIELDS",
    "C_DATA_FIELDS",
    "EPILOGUE_CHANNEL",
    "EPILOGUE_CHANNEL_STEP",
    "EPILOGUE_ELEMENT",
    "EPILOGUE_ONE",
    "FIELDS",
    "LOOP_DEPTH",
    "OPS",
    "OP_BY_CODE",
    "OP_BY_NAME",
    "REDUCTION_LANES",
    "SCALAR_REGISTERS",
    "VECTOR_REGISTERS",
    "VLMAX",
    "WIDE",
    "WINDOWS",
    "WORD_BITS",
    "BitField",
    "Dep",
    "Op",
    "Predicate",
    "Reduce",
    "decode",
    "decode_slot",
    "encode",
    "field_of",
    "with_field",
]

VLMAX = 512
VECTOR_REGISTERS = 32
SCALAR_REGISTERS = 32
WINDOWS = 16
LOOP_DEPTH = 8
REDUCTION_LANES = 16
WORD_BITS = 128


@dataclass(frozen=True)
class BitField:
    """`bits` bits from bit `low` of the word on; two's complement where `signed`."""

    name: str
    slot: str
    low: int
    bits: int
    signed: bool = False

    @property
    def bounds(self) -> tuple[int, int]:
        """Smallest and largest value."""
        if self.signed:
            return -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1
        return 0, (1 << self.bits) - 1


def _layout(*fields: tuple[str, str, int, bool]) -> tuple[BitField, ...]:
    low, out = 0, []
    for name, slot, bits, signed in fields:
        out.append(BitField(name, slot, low, bits, signed))
        low += bits
    if low != WORD_BITS:
        raise ValueError(f"SIW layout: {low} bits are accounted for, expected {WORD_BITS}")
    return tuple(out)


BIT_FIELDS: tuple[BitField, ...] = _layout(
    ("d_op", "D", 8, False),
    ("d_type", "D", 4, False),
    ("d_vd", "D", 5, False),
    ("d_va", "D", 5, False),
    ("d_vb", "D", 5, False),
    ("d_vc", "D", 5, False),
    ("d_aux", "D", 8, False),
    ("s_op", "S", 8, False),
    ("s_type", "S", 4, False),
    ("s_reg", "S", 5, False),
    ("s_win", "S", 4, False),
    ("s_base", "S", 5, False),
    ("s_index", "S", 5, False),
    ("s_imm", "S", 17, True),
    ("c_op", "C", 8, False),
    ("c_reg", "C", 5, False),
    ("c_imm", "C", 16, False),
    ("c_zero", "C", 3, False),
    ("deps", "-", 3, False),
    ("left", "-", 5, False),
)

_C_IMM = next(f for f in BIT_FIELDS if f.name == "c_imm")
C_DATA_FIELDS: tuple[BitField, ...] = (
    BitField("c_src", "C", _C_IMM.low, 5),
    BitField("c_type", "C", _C_IMM.low + 5, 4),
    BitField("c_aux", "C", _C_IMM.low + 9, 4),
)
"""What the low bits of c_imm are for the opcodes of slot C that move data; its other bits are zero there."""
_C_DATA_MASK = sum(((1 << f.bits) - 1) << (f.low - _C_IMM.low) for f in C_DATA_FIELDS)

FIELDS: tuple[BitField, ...] = (*BIT_FIELDS, *C_DATA_FIELDS)
"""Every field that `encode` takes and `decode` gives."""
BIT_FIELD: dict[str, BitField] = {f.name: f for f in FIELDS}


class Dep(IntEnum):
    """Dependency bits: the word issues only when every earlier result of that kind is visible.

    With LOAD, the `left` youngest loads before the word may still be in flight; loads become visible in order. `left`
    is 0 in a word without LOAD.
    """

    COMPUTE = 1
    LOAD = 2
    STORE = 4


_SLOT_FIELDS = {slot: tuple(f for f in FIELDS if f.slot == slot) for slot in ("D", "S", "C", "-")}
_C_DATA_CODES = frozenset(op.code for op in OPS if op.slot == "C" and "c_src" in op.uses)

# Registers an epilogue finds at its start. v0 holds VL accumulators and, at END, the results; the kernel stores them.
EPILOGUE_ELEMENT = 1  # s1: element index in the output tensor of lane 0; lanes follow each other
EPILOGUE_CHANNEL = 2  # s2: output channel of lane 0
EPILOGUE_CHANNEL_STEP = 3  # s3: channels between two lanes: 1 for GEMM, 0 for CONV2D and POOL
EPILOGUE_ONE = 4  # s4: 1


def encode(fields: Mapping[str, int]) -> bytes:
    """The 16 bytes of a word; absent fields are zero.

    Raises ValueError for an unknown field or value, and for a value in both c_imm and the `C_DATA_FIELDS`, of which the
    opcode in slot C says which count.
    """
    word = 0
    for name, value in fields.items():
        f = BIT_FIELD.get(name)
        if f is None:
            raise ValueError(f"SIW: unknown field {name}")
        low, high = f.bounds
        if not low <= value <= high:
            raise ValueError(f"SIW: field {name} = {value}, expected {low}…{high}")
        word |= (value & ((1 << f.bits) - 1)) << f.low
    if fields.get("c_op", 0) in _C_DATA_CODES:
        overlaps = fields.get("c_imm", 0) & _C_DATA_MASK
    else:
        overlaps = any(fields.get(f.name) for f in C_DATA_FIELDS)
    if overlaps:
        raise ValueError(f"SIW: c_imm overlaps c_src, c_type and c_aux with opcode {fields.get('c_op', 0)}")
    return word.to_bytes(WORD_BITS // 8, "little")


def decode_slot(slot: str, word: int) -> dict[str, int]:
    """The `FIELDS` of a slot, or of none ("-"), of a word given as an integer.

    Of an opcode that moves data in slot C, c_imm is what the `C_DATA_FIELDS` leave of it; of any other these are zero.
    """
    fields = {}
    for f in _SLOT_FIELDS[slot]:
        value = word >> f.low & ((1 << f.bits) - 1)
        if f.signed and value >> (f.bits - 1):
            value -= 1 << f.bits
        fields[f.name] = value
    if slot == "C":
        if fields["c_op"] in _C_DATA_CODES:
            fields["c_imm"] &= ~_C_DATA_MASK
        else:
            fields.update(dict.fromkeys((f.name for f in C_DATA_FIELDS), 0))
    return fields


def field_of(data: bytes, name: str) -> int:
    """One of the `FIELDS` of a word, by its bits alone."""
    f = BIT_FIELD[name]
    value = int.from_bytes(data, "little") >> f.low & ((1 << f.bits) - 1)
    return value - (1 << f.bits) if f.signed and value >> (f.bits - 1) else value


def with_field(data: bytes, name: str, value: int) -> bytes:
    """The word with another value of one of the `FIELDS`, which must be within its bounds."""
    f = BIT_FIELD[name]
    mask = (1 << f.bits) - 1
    word = int.from_bytes(data, "little") & ~(mask << f.low)
    return (word | (value & mask) << f.low).to_bytes(len(data), "little")


def decode(data: bytes | memoryview) -> dict[str, int]:
    """All `FIELDS` of a word of 16 bytes; the inverse of `encode`."""
    word = int.from_bytes(data, "little")
    return {name: value for slot in _SLOT_FIELDS for name, value in decode_slot(slot, word).items()}
