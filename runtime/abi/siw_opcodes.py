"""The opcodes of the sentron instruction word, slot by slot, with their meaning: a table."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from tfmbs.runtime.abi.siw_op import Op, Predicate, Reduce
from tfmbs.runtime.abi.types import DType

_F = frozenset({DType.F32, DType.F64})
_I = frozenset({DType.I32, DType.I64})
_U = frozenset({DType.U32, DType.U64})
_FI = _F | _I
_ANY = _FI | _U
_T = frozenset({DType.F32, DType.I32})
_MEM = frozenset(DType) - {DType.TRIT, DType.I4}
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
