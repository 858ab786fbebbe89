"""The sentron instruction word (SIW): bit layout, opcodes and their meaning, as tables.

A word is 128 bits, little-endian, and holds three slots that issue together: D computes on vector registers, S moves
data and computes addresses, C controls. All slots read their registers before any slot writes. State of a program:

- 32 vector registers v0…v31 of `VLMAX` lanes; a lane holds an i32 or an f32 (bool, i8, i16 and their unsigned forms
  live in i32 lanes);
- 32 scalar registers s0…s31, signed 64 bits; s0 is always 0;
- VL, the number of lanes an instruction works on (1…VLMAX); lanes from VL on keep their value;
- a stack of at most `LOOP_DEPTH` hardware loops;
- operand windows w0…w15: the tensors that the descriptor lists, addressed in elements.

At the start all registers are 0 and VL is `VLMAX`; see EPILOGUE_… for what an epilogue finds instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

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
    """Dependency bits: the word issues only when every earlier result of that kind is visible. The rest is zero."""

    COMPUTE = 1
    LOAD = 2
    STORE = 4


class Reduce(IntEnum):
    """`d_aux` of RED and FOLD."""

    SUM = 0
    MAX = 1
    MIN = 2


class Predicate(IntEnum):
    """`d_aux` of CMP. O… are false, U… true when an operand is NaN.

    Integers: OEQ … OLE and ONE compare i32, UGT … ULE compare u32, and ORD, UEQ, UNE, UNO are not valid.
    """

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

    `uses` names the fields it reads; every other field of its slot must be zero. `types` are the element types it
    accepts. `writes` is the field that names the register it writes, `vectors` the fields that name vector registers
    (other register fields name scalars). `acc` marks a written register that is read as well. `aux` is the meaning of
    `d_aux`, `auxes` limits its values by type.
    """

    name: str
    code: int
    slot: str
    uses: tuple[str, ...]
    doc: str
    types: frozenset[DType] = frozenset()
    acc: bool = False
    unit: str = "alu"
    writes: str = ""
    vectors: tuple[str, ...] = ()
    aux: type[IntEnum] | None = None
    auxes: Mapping[DType, frozenset[IntEnum]] = field(default_factory=dict)

    @property
    def is_load(self) -> bool:
        """Whether it reads an operand window."""
        return self.unit == "memory" and bool(self.writes)

    @property
    def is_store(self) -> bool:
        """Whether it writes an operand window."""
        return self.unit == "memory" and not self.writes


_F = frozenset({DType.F32})
_I = frozenset({DType.I32})
_FI = _F | _I
_SMALL = frozenset({DType.BOOL, DType.I8, DType.U8, DType.I16, DType.U16})
_CVT = _SMALL | _FI
_MEM = _CVT | {DType.U32}
_NO_INTEGER = frozenset({Predicate.ORD, Predicate.UEQ, Predicate.UNE, Predicate.UNO})
_INTEGER_PREDICATES: frozenset[IntEnum] = frozenset(Predicate) - _NO_INTEGER
_CVT_FROM: dict[DType, frozenset[IntEnum]] = {to: frozenset(_CVT) for to in _CVT}


def _d(name: str, code: int, operands: str, doc: str, types: frozenset[DType] = frozenset(), **more: Any) -> Op:
    vectors = tuple(f"d_{operand}" for operand in operands.split() if operand.startswith("v"))
    others = tuple(f"d_{operand}" for operand in operands.split() if not operand.startswith("v"))
    uses = (*(("d_type",) if types else ()), *vectors, *others)
    return Op(name, code, "D", uses, doc, types, writes=vectors[0] if vectors else "", vectors=vectors, **more)


def _memory(name: str, code: int, doc: str, *, store: bool, vectors: tuple[str, ...]) -> Op:
    uses = ("s_type", "s_reg", "s_win", "s_base", "s_index", "s_imm")
    return Op(name, code, "S", uses, doc, _MEM, unit="memory", writes="" if store else "s_reg", vectors=vectors)


def _scalar(name: str, code: int, uses: tuple[str, ...], doc: str, *, acc: bool = False) -> Op:
    return Op(name, code, "S", uses, doc, writes="s_reg", acc=acc)


OPS: tuple[Op, ...] = (
    _d("NOP", 0, "", "nothing"),
    _d("MOV", 1, "vd va", "vd = va, bits unchanged"),
    _d("ADD", 2, "vd va vb", "vd = va + vb; i32 wraps", _FI),
    _d("SUB", 3, "vd va vb", "vd = va - vb; i32 wraps", _FI),
    _d("MUL", 4, "vd va vb", "vd = va * vb; i32 wraps", _FI),
    _d("FMA", 5, "vd va vb vc", "vd = va * vb + vc, rounded once; i32 wraps", _FI),
    _d("DIV", 6, "vd va vb", "vd = va / vb; i32 truncates, x / 0 = 0, INT_MIN / -1 = INT_MIN", _FI, unit="div"),
    _d("MIN", 7, "vd va vb", "IEEE 754-2019 minimum: NaN wins, -0 < +0; i32 signed", _FI),
    _d("MAX", 8, "vd va vb", "IEEE 754-2019 maximum: NaN wins, -0 < +0; i32 signed", _FI),
    _d("NEG", 9, "vd va", "f32: the sign bit flipped; i32: 0 - va", _FI),
    _d("ABS", 10, "vd va", "f32: the sign bit cleared; i32: wraps at INT_MIN", _FI),
    _d(
        "CMP",
        11,
        "vd va vb aux",
        "vd = 1 where va aux vb holds, else 0; aux is a Predicate",
        _FI,
        aux=Predicate,
        auxes={DType.F32: frozenset(Predicate), DType.I32: _INTEGER_PREDICATES},
    ),
    _d("SEL", 12, "vd va vb vc", "vd = va != 0 ? vb : vc, bits unchanged (va as i32)"),
    _d("AND", 13, "vd va vb", "bitwise and", _I),
    _d("OR", 14, "vd va vb", "bitwise or", _I),
    _d("XOR", 15, "vd va vb", "bitwise exclusive or", _I),
    _d("SHL", 16, "vd va vb", "vd = va << vb; a count outside 0…31 gives 0", _I),
    _d("SHRA", 17, "vd va vb", "arithmetic shift right; a count outside 0…31 gives the sign", _I),
    _d("SHRL", 18, "vd va vb", "logical shift right; a count outside 0…31 gives 0", _I),
    _d("FLOOR", 19, "vd va", "round towards minus infinity", _F),
    _d("CEIL", 20, "vd va", "round towards plus infinity", _F),
    _d("ROUND", 21, "vd va", "round to the nearest integer, ties to even", _F),
    _d("TRUNC", 22, "vd va", "round towards zero", _F),
    _d(
        "CVT",
        23,
        "vd va aux",
        "vd = va converted from type aux to d_type; an integer is read from the low bits of the lane, BOOL as "
        "va != 0; float to integer truncates and saturates, NaN gives 0; integers wrap; to BOOL: va != 0; f32 to f32 "
        "keeps the bits",
        _CVT,
        aux=DType,
        auxes=_CVT_FROM,
    ),
    _d(
        "RED",
        24,
        "vd va aux",
        "partial reduction: for i < VL in ascending order, vd[i mod 16] = vd[i mod 16] aux va[i]",
        _FI,
        acc=True,
        aux=Reduce,
    ),
    _d(
        "FOLD",
        25,
        "vd va aux",
        "combine the 16 partials p of va: for h in 8, 4, 2, 1: p[j] = p[j] aux p[j + h]; "
        "all VLMAX lanes of vd become p[0]",
        _FI,
        aux=Reduce,
    ),
    _d("SQRT", 26, "vd va", "square root, correctly rounded", _F, unit="div"),
    _d("RSQRT", 27, "vd va", "1 / sqrt", _F, unit="special"),
    _d("EXP", 28, "vd va", "e to the power", _F, unit="special"),
    _d("LOG", 29, "vd va", "natural logarithm", _F, unit="special"),
    _d("TANH", 30, "vd va", "hyperbolic tangent", _F, unit="special"),
    _d("ERF", 31, "vd va", "error function", _F, unit="special"),
    _d("TERNARY", 32, "vd va vb", "vd = va > vb ? 1 : va < -vb ? -1 : 0, as i32", _FI),
    _d("TPOP", 33, "vd va", "for i < VL, vd[i mod 16] += va[i] != 0 (i32)", acc=True),
    _d("TACC", 34, "vd va vb", "vd += va where vb (i32) is 1, vd -= va where it is -1, else unchanged", _FI, acc=True),
    Op("NOP", 0, "S", (), "nothing"),
    _memory(
        "LD",
        1,
        "load: v[reg][i] = window[s[base] + imm + i * s[index]], widened to i32 or f32",
        store=False,
        vectors=("s_reg",),
    ),
    _memory(
        "ST",
        2,
        "store: window[s[base] + imm + i * s[index]] = v[reg][i], in ascending i; integers keep their low bits, "
        "BOOL stores v != 0",
        store=True,
        vectors=("s_reg",),
    ),
    _memory(
        "GATHER",
        3,
        "v[reg][i] = window[s[base] + imm + v[index][i]]; v[index] as i32",
        store=False,
        vectors=("s_reg", "s_index"),
    ),
    _memory(
        "SCATTER",
        4,
        "window[s[base] + imm + v[index][i]] = v[reg][i], in ascending i",
        store=True,
        vectors=("s_reg", "s_index"),
    ),
    _scalar("LI", 5, ("s_reg", "s_imm"), "s[reg] = imm"),
    _scalar("LIH", 6, ("s_reg", "s_imm"), "s[reg] = s[reg] << 17 | (imm & 0x1ffff), wraps", acc=True),
    _scalar("ADDI", 7, ("s_reg", "s_base", "s_imm"), "s[reg] = s[base] + imm, wraps"),
    _scalar("SADD", 8, ("s_reg", "s_base", "s_index"), "s[reg] = s[base] + s[index], wraps"),
    _scalar("SMUL", 9, ("s_reg", "s_base", "s_index"), "s[reg] = s[base] * s[index], wraps"),
    Op("NOP", 0, "C", (), "nothing"),
    Op("END", 1, "C", (), "the program ends after this word; only in the last word"),
    Op("SETVL", 2, "C", ("c_imm",), "VL = imm, 1…VLMAX, from the next word on"),
    Op("SETVLR", 3, "C", ("c_reg",), "VL = s[reg] clamped to 1…VLMAX, from the next word on"),
    Op(
        "LOOP",
        4,
        "C",
        ("c_reg", "c_imm"),
        "the next imm words (at least 1) run s[reg] times, not at all when it is below 1; loops nest, the inner one "
        "ends no later",
    ),
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
    """The 16 bytes of a word; absent fields are zero. Raises ValueError for an unknown field or value."""
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
