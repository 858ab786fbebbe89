"""The sentron instruction word (SIW): bit layout, opcodes and their meaning, as tables.

A word is 128 bits, little-endian, and holds three slots that issue together: D computes on vector registers, S moves data and
computes addresses, C controls. All slots read their registers before any slot writes. State of a program:

- 32 vector registers v0…v31 of `VLMAX` lanes; a lane holds an i32 or an f32 (bool, i8, i16 and their unsigned forms live in i32 lanes);
- 32 scalar registers s0…s31, signed 64 bits; s0 is always 0;
- VL, the number of lanes an instruction works on (1…VLMAX); lanes from VL on keep their value;
- a stack of at most `LOOP_DEPTH` hardware loops;
- operand windows w0…w15: the tensors that the descriptor lists, addressed in elements.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from tfmbs.runtime.abi.types import DType

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
    ("deps", "-", 8, False),
)
BIT_FIELD: dict[str, BitField] = {f.name: f for f in BIT_FIELDS}


class Dep(IntEnum):
    """Dependency bits: the word issues only when every earlier result of that kind is visible. Other bits must be zero."""

    COMPUTE = 1
    LOAD = 2
    STORE = 4


class Reduce(IntEnum):
    """`d_aux` of RED and FOLD."""

    SUM = 0
    MAX = 1
    MIN = 2


class Predicate(IntEnum):
    """`d_aux` of CMP. O… are false, U… true when an operand is NaN; integers use the O… forms and NE, ULT…UGE compare u32."""

    FALSE = 0
    OEQ = 1
    OGT = 2
    OGE = 3
    OLT = 4
    OLE = 5
    ONE = 6
    ORD = 7
    UEQ = 8
    UGT = 9
    UGE = 10
    ULT = 11
    ULE = 12
    UNE = 13
    UNO = 14
    TRUE = 15


@dataclass(frozen=True)
class Op:
    """One opcode.

    `uses` names the fields it reads, with their role: "vd" written vector, "va" "vb" "vc" read vectors; every other field of its slot
    must be zero. `types` are the element types it accepts. `acc` marks a `vd` that is read as well. `unit` is the execution unit.
    """

    name: str
    code: int
    slot: str
    uses: tuple[str, ...]
    doc: str
    types: frozenset[DType] = field(default_factory=frozenset)
    acc: bool = False
    unit: str = "alu"


_F = frozenset({DType.F32})
_I = frozenset({DType.I32})
_FI = _F | _I
_MEM = frozenset({DType.BOOL, DType.I8, DType.U8, DType.I16, DType.U16, DType.I32, DType.U32, DType.F32})
_2 = ("d_type", "d_vd", "d_va")
_3 = (*_2, "d_vb")
_4 = (*_3, "d_vc")

OPS: tuple[Op, ...] = (
    Op("NOP", 0, "D", (), "nothing"),
    Op("MOV", 1, "D", ("d_vd", "d_va"), "vd = va, bits unchanged"),
    Op("ADD", 2, "D", _3, "vd = va + vb; i32 wraps", _FI),
    Op("SUB", 3, "D", _3, "vd = va - vb; i32 wraps", _FI),
    Op("MUL", 4, "D", _3, "vd = va * vb; i32 wraps", _FI),
    Op("FMA", 5, "D", _4, "vd = va * vb + vc, rounded once; i32 wraps", _FI),
    Op("DIV", 6, "D", _3, "vd = va / vb; i32 truncates, by zero gives 0, INT_MIN / -1 gives INT_MIN", _FI, unit="div"),
    Op("MIN", 7, "D", _3, "IEEE 754-2019 minimum: NaN wins, -0 < +0; i32 signed", _FI),
    Op("MAX", 8, "D", _3, "IEEE 754-2019 maximum: NaN wins, -0 < +0; i32 signed", _FI),
    Op("NEG", 9, "D", _2, "f32: the sign bit flipped; i32: 0 - va", _FI),
    Op("ABS", 10, "D", _2, "f32: the sign bit cleared; i32: wraps at INT_MIN", _FI),
    Op("CMP", 11, "D", (*_3, "d_aux"), "vd = 1 where va aux vb holds, else 0; aux is a Predicate", _FI),
    Op("SEL", 12, "D", ("d_vd", "d_va", "d_vb", "d_vc"), "vd = va != 0 ? vb : vc, bits unchanged (va as i32)"),
    Op("AND", 13, "D", _3, "bitwise and", _I),
    Op("OR", 14, "D", _3, "bitwise or", _I),
    Op("XOR", 15, "D", _3, "bitwise exclusive or", _I),
    Op("SHL", 16, "D", _3, "vd = va << vb; a count outside 0…31 gives 0", _I),
    Op("SHRA", 17, "D", _3, "arithmetic shift right; a count outside 0…31 gives the sign", _I),
    Op("SHRL", 18, "D", _3, "logical shift right; a count outside 0…31 gives 0", _I),
    Op("FLOOR", 19, "D", _2, "round towards minus infinity", _F),
    Op("CEIL", 20, "D", _2, "round towards plus infinity", _F),
    Op("ROUND", 21, "D", _2, "round to the nearest integer, ties to even", _F),
    Op("TRUNC", 22, "D", _2, "round towards zero", _F),
    Op("CVT", 23, "D", ("d_type", "d_vd", "d_va", "d_aux"),
       "vd = va converted from type aux to type d_type; float to integer truncates and saturates, NaN gives 0; integers wrap; to BOOL: va != 0",
       frozenset({DType.BOOL, DType.I8, DType.U8, DType.I16, DType.U16, DType.I32, DType.F32})),
    Op("RED", 24, "D", ("d_type", "d_vd", "d_va", "d_aux"),
       "partial reduction: for i < VL in ascending order, vd[i mod 16] = vd[i mod 16] aux va[i]", _FI, acc=True),
    Op("FOLD", 25, "D", ("d_type", "d_vd", "d_va", "d_aux"),
       "combine the 16 partials of va: for h in 8, 4, 2, 1: p[j] = p[j] aux p[j + h]; all VLMAX lanes of vd become p[0]", _FI),
    Op("SQRT", 26, "D", _2, "square root, correctly rounded", _F, unit="div"),
    Op("RSQRT", 27, "D", _2, "1 / sqrt", _F, unit="special"),
    Op("EXP", 28, "D", _2, "e to the power", _F, unit="special"),
    Op("LOG", 29, "D", _2, "natural logarithm", _F, unit="special"),
    Op("TANH", 30, "D", _2, "hyperbolic tangent", _F, unit="special"),
    Op("ERF", 31, "D", _2, "error function", _F, unit="special"),
    Op("TERNARY", 32, "D", _3, "vd = va > vb ? 1 : va < -vb ? -1 : 0, as i32", _FI),
    Op("TPOP", 33, "D", ("d_vd", "d_va"), "for i < VL, vd[i mod 16] += va[i] != 0 (i32)", acc=True),
    Op("TACC", 34, "D", _3, "vd += va where vb (i32) is 1, vd -= va where it is -1, else unchanged", _FI, acc=True),
    Op("NOP", 0, "S", (), "nothing"),
    Op("LD", 1, "S", ("s_type", "s_reg", "s_win", "s_base", "s_index", "s_imm"),
       "load: v[s_reg][i] = window[s[base] + imm + i * s[index]], widened to i32 or f32", _MEM, unit="memory"),
    Op("ST", 2, "S", ("s_type", "s_reg", "s_win", "s_base", "s_index", "s_imm"),
       "store: window[s[base] + imm + i * s[index]] = v[s_reg][i], in ascending i; integers keep their low bits, BOOL stores va != 0",
       _MEM, unit="memory"),
    Op("GATHER", 3, "S", ("s_type", "s_reg", "s_win", "s_base", "s_index", "s_imm"),
       "v[s_reg][i] = window[s[base] + imm + v[index][i]]; v[index] as i32", _MEM, unit="memory"),
    Op("SCATTER", 4, "S", ("s_type", "s_reg", "s_win", "s_base", "s_index", "s_imm"),
       "window[s[base] + imm + v[index][i]] = v[s_reg][i], in ascending i", _MEM, unit="memory"),
    Op("LI", 5, "S", ("s_reg", "s_imm"), "s[reg] = imm"),
    Op("LIH", 6, "S", ("s_reg", "s_imm"), "s[reg] = s[reg] << 17 | (imm & 0x1ffff), wraps"),
    Op("ADDI", 7, "S", ("s_reg", "s_base", "s_imm"), "s[reg] = s[base] + imm, wraps"),
    Op("SADD", 8, "S", ("s_reg", "s_base", "s_index"), "s[reg] = s[base] + s[index], wraps"),
    Op("SMUL", 9, "S", ("s_reg", "s_base", "s_index"), "s[reg] = s[base] * s[index], wraps"),
    Op("NOP", 0, "C", (), "nothing"),
    Op("END", 1, "C", (), "the program ends after this word; only in the last word"),
    Op("SETVL", 2, "C", ("c_imm",), "VL = imm, 1…VLMAX, from the next word on"),
    Op("SETVLR", 3, "C", ("c_reg",), "VL = s[reg] clamped to 1…VLMAX, from the next word on"),
    Op("LOOP", 4, "C", ("c_reg", "c_imm"),
       "the next imm words (at least 1) run s[reg] times, not at all when it is below 1; loops nest, the inner one ends no later"),
)

OP_BY_NAME: dict[tuple[str, str], Op] = {(op.slot, op.name): op for op in OPS}
OP_BY_CODE: dict[tuple[str, int], Op] = {(op.slot, op.code): op for op in OPS}
if not len(OP_BY_NAME) == len(OP_BY_CODE) == len(OPS):
    raise ValueError("SIW opcodes: a name or a code is used twice in a slot")

# Registers an epilogue finds at its start. v0 holds VL accumulators and, at END, the results; the kernel stores them.
EPILOGUE_ELEMENT = 1  # s1: element index in the output tensor of lane 0; lanes follow each other
EPILOGUE_CHANNEL = 2  # s2: output channel of lane 0
EPILOGUE_CHANNEL_STEP = 3  # s3: channels between two lanes: 1 for GEMM, 0 for CONV2D and POOL
EPILOGUE_ONE = 4  # s4: 1


def encode(fields: dict[str, int]) -> bytes:
    """The 16 bytes of a word; absent fields are zero. Raises ValueError for an unknown field or a value out of its bounds."""
    word = 0
    for name, value in fields.items():
        if name not in BIT_FIELD:
            raise ValueError(f"SIW: unknown field {name}")
        f = BIT_FIELD[name]
        low, high = f.bounds
        if not low <= value <= high:
            raise ValueError(f"SIW: field {name} = {value}, expected {low}…{high}")
        word |= (value & ((1 << f.bits) - 1)) << f.low
    return word.to_bytes(WORD_BITS // 8, "little")


def decode(data: bytes | memoryview) -> dict[str, int]:
    """All fields of a word of 16 bytes; the inverse of `encode`."""
    word = int.from_bytes(data, "little")
    fields = {}
    for f in BIT_FIELDS:
        value = word >> f.low & ((1 << f.bits) - 1)
        if f.signed and value >> (f.bits - 1):
            value -= 1 << f.bits
        fields[f.name] = value
    return fields
