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


class Reduce(IntEnum):
    """`aux` of RED, FOLD, SCAN and REDUCE."""

    SUM = 0
    MAX = 1
    MIN = 2
    PROD = 3
    AND = 4
    OR = 5
    XOR = 6


class Predicate(IntEnum):
    """`d_aux` of CMP. O… are false, U… true when an operand is NaN.

    Integers: OEQ … OLE and ONE compare signed, UGT … ULE unsigned, and ORD, UEQ, UNE, UNO are not valid.
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
    the slot's aux field, `auxes` limits its values by type. `lanes` says what decides whether a vector operand has
    64-bit lanes, where that is not the slot's type: "aux", or the width itself.
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
    lanes: Mapping[str, str] = field(default_factory=dict)

    def lane_bits(self, name: str, fields: Mapping[str, int]) -> int:
        """32 or 64: the width of the lanes of the vector operand in field `name`, in a word of these fields."""
        source = self.lanes.get(name, "type" if self.types else "32")
        if source in ("32", "64"):
            return int(source)
        return 64 if fields.get(f"{self.slot.lower()}_{source}", 0) in WIDE else 32

    def registers(self, name: str, fields: Mapping[str, int]) -> range:
        """Numbers of the vector registers that the vector operand in field `name` consists of."""
        first = fields.get(name, 0)
        return range(first, first + self.lane_bits(name, fields) // 32)

    @property
    def is_load(self) -> bool:
        """Whether it reads an operand window."""
        return self.unit == "memory" and bool(self.writes)

    @property
    def is_store(self) -> bool:
        """Whether it writes an operand window."""
        return self.unit == "memory" and not self.writes


WIDE = frozenset({DType.I64, DType.U64, DType.F64})
"""Types with 64-bit lanes."""

_F = frozenset({DType.F32, DType.F64})
_I = frozenset({DType.I32, DType.I64})
_U = frozenset({DType.U32, DType.U64})
_FI = _F | _I
_ANY = _FI | _U
_T = frozenset({DType.F32, DType.I32})
_MEM = frozenset(DType) - {DType.TRIT}
_NO_INTEGER = frozenset({Predicate.ORD, Predicate.UEQ, Predicate.UNE, Predicate.UNO})
_PREDICATES: dict[DType, frozenset[IntEnum]] = {
    **dict.fromkeys(_F, frozenset(Predicate)),
    **dict.fromkeys(_I, frozenset(Predicate) - _NO_INTEGER),
}
_CONVERTED_FROM: dict[DType, frozenset[IntEnum]] = {to: frozenset(_MEM) for to in _MEM}
_REDUCTIONS: dict[DType, frozenset[IntEnum]] = {
    **dict.fromkeys(_F, frozenset({Reduce.SUM, Reduce.MAX, Reduce.MIN})),
    **dict.fromkeys(_I, frozenset(Reduce)),
    **dict.fromkeys(_U, frozenset({Reduce.MAX, Reduce.MIN})),
}
_SCANS: dict[DType, frozenset[IntEnum]] = {
    dtype: kinds | ({Reduce.PROD} if dtype in _F else frozenset()) for dtype, kinds in _REDUCTIONS.items()
}
_CONVERT = (
    "converted from type aux to the type; an integer is read from the low bits of the lane, BOOL as != 0; float to "
    "integer truncates and saturates, NaN gives 0; integers wrap; to BOOL: != 0; to F16 and BF16: rounded to nearest "
    "even, and kept in an f32 lane; a float type to itself keeps the bits, other conversions make NaN canonical"
)


def _d(name: str, code: int, operands: str, doc: str, types: frozenset[DType] = frozenset(), **more: Any) -> Op:
    vectors = tuple(f"d_{operand}" for operand in operands.split() if operand.startswith("v"))
    others = tuple(f"d_{operand}" for operand in operands.split() if not operand.startswith("v"))
    uses = (*(("d_type",) if types else ()), *vectors, *others)
    return Op(name, code, "D", uses, doc, types, writes=vectors[0] if vectors else "", vectors=vectors, **more)


def _memory(name: str, code: int, doc: str, *, store: bool, vectors: tuple[str, ...], **more: Any) -> Op:
    uses = ("s_type", "s_reg", "s_win", "s_base", "s_index", "s_imm")
    writes = "" if store else "s_reg"
    return Op(name, code, "S", uses, doc, _MEM, unit="memory", writes=writes, vectors=vectors, **more)


def _scalar(name: str, code: int, uses: tuple[str, ...], doc: str, *, acc: bool = False) -> Op:
    return Op(name, code, "S", uses, doc, writes="s_reg", acc=acc)


_INDEX_64 = {"s_index": "64"}
_NARROW_RESULT = {"d_vd": "32"}

OPS: tuple[Op, ...] = (
    _d("NOP", 0, "", "nothing"),
    _d("MOV", 1, "vd va", "vd = va, bits unchanged"),
    _d("ADD", 2, "vd va vb", "vd = va + vb; integers wrap", _FI),
    _d("SUB", 3, "vd va vb", "vd = va - vb; integers wrap", _FI),
    _d("MUL", 4, "vd va vb", "vd = va * vb; integers wrap", _FI),
    _d("FMA", 5, "vd va vb vc", "vd = va * vb + vc, rounded once; integers wrap", _FI),
    _d("DIV", 6, "vd va vb", "vd = va / vb; integers truncate, x / 0 = 0, least / -1 = least", _ANY, unit="div"),
    _d("MIN", 7, "vd va vb", "IEEE 754-2019 minimum: NaN wins, -0 < +0; integers by their sign", _ANY),
    _d("MAX", 8, "vd va vb", "IEEE 754-2019 maximum: NaN wins, -0 < +0; integers by their sign", _ANY),
    _d("NEG", 9, "vd va", "floats: the sign bit flipped; integers: 0 - va", _FI),
    _d("ABS", 10, "vd va", "floats: the sign bit cleared; integers: wraps at the least", _FI),
    _d(
        "CMP",
        11,
        "vd va vb aux",
        "vd = 1 where va aux vb holds, else 0, in 32-bit lanes; aux is a Predicate",
        _FI,
        aux=Predicate,
        auxes=_PREDICATES,
        lanes=_NARROW_RESULT,
    ),
    _d("SEL", 12, "vd va vb vc", "vd = va != 0 ? vb : vc, bits unchanged (va as i32)"),
    _d("AND", 13, "vd va vb", "bitwise and", _I),
    _d("OR", 14, "vd va vb", "bitwise or", _I),
    _d("XOR", 15, "vd va vb", "bitwise exclusive or", _I),
    _d("SHL", 16, "vd va vb", "vd = va << vb; a count that is negative or at least the width gives 0", _I),
    _d("SHRA", 17, "vd va vb", "arithmetic shift right; a count that is no bit number gives the sign", _I),
    _d("SHRL", 18, "vd va vb", "logical shift right; a count that is no bit number gives 0", _I),
    _d("FLOOR", 19, "vd va", "round towards minus infinity", _F),
    _d("CEIL", 20, "vd va", "round towards plus infinity", _F),
    _d("ROUND", 21, "vd va", "round to the nearest integer, ties to even", _F),
    _d("TRUNC", 22, "vd va", "round towards zero", _F),
    _d("CVT", 23, "vd va aux", f"vd = va {_CONVERT}", _MEM, aux=DType, auxes=_CONVERTED_FROM, lanes={"d_va": "aux"}),
    _d(
        "RED",
        24,
        "vd va aux",
        "partial reduction: for i < VL in ascending order, vd[i mod 16] = vd[i mod 16] aux va[i]",
        _ANY,
        acc=True,
        aux=Reduce,
        auxes=_REDUCTIONS,
    ),
    _d(
        "FOLD",
        25,
        "vd va aux",
        "combine the 16 partials p of va: for h in 8, 4, 2, 1: p[j] = p[j] aux p[j + h]; "
        "all VLMAX lanes of vd become p[0]",
        _ANY,
        aux=Reduce,
        auxes=_REDUCTIONS,
    ),
    _d("SQRT", 26, "vd va", "square root, correctly rounded", _F, unit="div"),
    _d("RSQRT", 27, "vd va", "1 / sqrt", _F, unit="special"),
    _d("EXP", 28, "vd va", "e to the power", _F, unit="special"),
    _d("LOG", 29, "vd va", "natural logarithm", _F, unit="special"),
    _d("TANH", 30, "vd va", "hyperbolic tangent", _F, unit="special"),
    _d("ERF", 31, "vd va", "error function", _F, unit="special"),
    _d("TERNARY", 32, "vd va vb", "vd = va > vb ? 1 : va < -vb ? -1 : 0, as i32", _T),
    _d("TPOP", 33, "vd va", "for i < VL, vd[i mod 16] += va[i] != 0 (i32)", acc=True),
    _d("TACC", 34, "vd va vb", "vd += va where vb (i32) is 1, vd -= va where it is -1, else unchanged", _T, acc=True),
    _d(
        "REM",
        35,
        "vd va vb",
        "remainder with the sign of va: floats exact (C's fmod), integers va - (va / vb) * vb",
        _ANY,
        unit="div",
    ),
    _d("ROUNDA", 36, "vd va", "round to the nearest integer, ties away from zero", _F),
    _d("SIN", 37, "vd va", "sine", _F, unit="special"),
    _d("COS", 38, "vd va", "cosine", _F, unit="special"),
    _d("POW", 39, "vd va vb", "va to the power vb", _F, unit="special"),
    _d("SIGMOID", 40, "vd va", "1 / (1 + e to the power -va)", _F, unit="special"),
    _d("GELU", 41, "vd va", "va * (1 + erf(va / sqrt(2))) / 2", _F, unit="special"),
    _d("MOV64", 42, "vd va", "MOV of 64-bit lanes", lanes={"d_vd": "64", "d_va": "64"}),
    _d(
        "SEL64",
        43,
        "vd va vb vc",
        "SEL of 64-bit lanes by a condition in 32-bit lanes",
        lanes={"d_vd": "64", "d_vb": "64", "d_vc": "64"},
    ),
    _d(
        "SCAN",
        44,
        "vd va vb aux",
        "inclusive scan: c = vb[0]; for i < VL in ascending order, c = c aux va[i], vd[i] = c",
        _ANY,
        unit="scan",
        aux=Reduce,
        auxes=_SCANS,
    ),
    _d("LAST", 45, "vd va", "all VLMAX lanes of vd become va[VL - 1]"),
    _d("LAST64", 46, "vd va", "LAST of 64-bit lanes", lanes={"d_vd": "64", "d_va": "64"}),
    Op("NOP", 0, "S", (), "nothing"),
    _memory(
        "LD",
        1,
        "load: v[reg][i] = window[s[base] + imm + i * s[index]], widened to the lane",
        store=False,
        vectors=("s_reg",),
    ),
    _memory(
        "ST",
        2,
        "store: window[s[base] + imm + i * s[index]] = v[reg][i], in ascending i; integers keep their low bits, "
        "BOOL stores v != 0, F16 and BF16 round to nearest even and keep the upper bits of a NaN",
        store=True,
        vectors=("s_reg",),
    ),
    _memory(
        "GATHER",
        3,
        "v[reg][i] = window[s[base] + imm + v[index][i]]; v[index] as i32",
        store=False,
        vectors=("s_reg", "s_index"),
        lanes={"s_index": "32"},
    ),
    _memory(
        "SCATTER",
        4,
        "window[s[base] + imm + v[index][i]] = v[reg][i], in ascending i",
        store=True,
        vectors=("s_reg", "s_index"),
        lanes={"s_index": "32"},
    ),
    _scalar("LI", 5, ("s_reg", "s_imm"), "s[reg] = imm"),
    _scalar("LIH", 6, ("s_reg", "s_imm"), "s[reg] = s[reg] << 17 | (imm & 0x1ffff), wraps", acc=True),
    _scalar("ADDI", 7, ("s_reg", "s_base", "s_imm"), "s[reg] = s[base] + imm, wraps"),
    _scalar("SADD", 8, ("s_reg", "s_base", "s_index"), "s[reg] = s[base] + s[index], wraps"),
    _scalar("SMUL", 9, ("s_reg", "s_base", "s_index"), "s[reg] = s[base] * s[index], wraps"),
    _memory(
        "GATHER64",
        10,
        "GATHER with v[index] as i64",
        store=False,
        vectors=("s_reg", "s_index"),
        lanes=_INDEX_64,
    ),
    _memory(
        "SCATTER64",
        11,
        "SCATTER with v[index] as i64",
        store=True,
        vectors=("s_reg", "s_index"),
        lanes=_INDEX_64,
    ),
    Op(
        "INDEX",
        12,
        "S",
        ("s_type", "s_reg", "s_base", "s_index", "s_imm"),
        "v[reg][i] = s[base] + imm + i * s[index], wraps",
        _I,
        writes="s_reg",
        vectors=("s_reg",),
    ),
    Op(
        "SGET",
        13,
        "S",
        ("s_type", "s_reg", "s_index"),
        "s[reg] = v[index][0], sign-extended",
        _I,
        writes="s_reg",
        vectors=("s_index",),
    ),
    _scalar("SSUB", 14, ("s_reg", "s_base", "s_index"), "s[reg] = s[base] - s[index], wraps"),
    _scalar("SMIN", 15, ("s_reg", "s_base", "s_index"), "s[reg] = the lesser of s[base] and s[index]"),
    _scalar("SMAX", 16, ("s_reg", "s_base", "s_index"), "s[reg] = the greater of s[base] and s[index]"),
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
    Op(
        "SKIP",
        5,
        "C",
        ("c_reg", "c_imm"),
        "the next imm words (at least 1) do not run when s[reg] is 0; they end no later than the loop, and the skipped "
        "part, around the word",
    ),
    Op("BREAK", 6, "C", ("c_reg",), "when s[reg] is 0 the innermost loop, which there must be, ends after this word"),
    Op(
        "CAST",
        7,
        "C",
        ("c_type", "c_reg", "c_src", "c_aux"),
        f"CVT in this slot: v[reg] = v[src] {_CONVERT}",
        _MEM,
        writes="c_reg",
        vectors=("c_reg", "c_src"),
        aux=DType,
        auxes=_CONVERTED_FROM,
        lanes={"c_src": "aux"},
    ),
    Op(
        "REDUCE",
        8,
        "C",
        ("c_type", "c_reg", "c_src", "c_aux"),
        "RED in this slot: for i < VL in ascending order, v[reg][i mod 16] = v[reg][i mod 16] aux v[src][i]",
        _ANY,
        acc=True,
        writes="c_reg",
        vectors=("c_reg", "c_src"),
        aux=Reduce,
        auxes=_REDUCTIONS,
    ),
    Op(
        "RECV",
        9,
        "C",
        ("c_type", "c_reg", "c_src"),
        "v[reg] = the next VL elements of window src, widened as by LD; its read cursor moves on by VL",
        _MEM,
        unit="memory",
        writes="c_reg",
        vectors=("c_reg",),
    ),
    Op(
        "SEND",
        10,
        "C",
        ("c_type", "c_reg", "c_src"),
        "the next VL elements of window src = v[reg], narrowed as by ST; its write cursor moves on by VL",
        _MEM,
        unit="memory",
        vectors=("c_reg",),
    ),
)

OP_BY_NAME: dict[tuple[str, str], Op] = {(op.slot, op.name): op for op in OPS}
OP_BY_CODE: dict[tuple[str, int], Op] = {(op.slot, op.code): op for op in OPS}
if not len(OP_BY_NAME) == len(OP_BY_CODE) == len(OPS):
    raise ValueError("SIW opcodes: a name or a code is used twice in a slot")

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


def decode(data: bytes | memoryview) -> dict[str, int]:
    """All `FIELDS` of a word of 16 bytes; the inverse of `encode`."""
    word = int.from_bytes(data, "little")
    return {name: value for slot in _SLOT_FIELDS for name, value in decode_slot(slot, word).items()}
