"""The rules of SIW programs, written down a second time, from docs/isa.md: what a program must be to load."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.unit.siw_programs import Fields
from tests.unit.siw_waits import needs_of_every_way
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.records import ProgramKind
from tfmbs.runtime.abi.siw_deps import Wait

_WIDTHS = {
    "D": {"d_op": 8, "d_type": 4, "d_vd": 5, "d_va": 5, "d_vb": 5, "d_vc": 5, "d_aux": 8},
    "S": {"s_op": 8, "s_type": 4, "s_reg": 5, "s_win": 4, "s_base": 5, "s_index": 5, "s_imm": 17},
    "C": {"c_op": 8, "c_reg": 5, "c_imm": 16, "c_zero": 3},
    "-": {"deps": 3, "left": 5},
}
_DATA = {"CAST", "REDUCE", "RECV", "SEND"}
_WIDE = {8, 9, 13}
_WIDE_WHATEVER_THE_TYPE = {
    "MOV64": {"d_vd", "d_va"},
    "LAST64": {"d_vd", "d_va"},
    "SEL64": {"d_vd", "d_vb", "d_vc"},
    "GATHER64": {"s_index"},
    "SCATTER64": {"s_index"},
}
_NARROW_WHATEVER_THE_TYPE = {"CMP": {"d_vd"}, "GATHER": {"s_index"}, "SCATTER": {"s_index"}}
_WIDE_BY_AUX = {"CVT": {"d_va"}, "CAST": {"c_src"}}
_LOADS, _STORES = {"LD", "GATHER", "GATHER64", "RECV"}, {"ST", "SCATTER", "SCATTER64", "SEND"}
_BY_LANE = {(1, 4), (2, 3), (0, 0)}
_READS = {
    **dict.fromkeys(("SADD", "SSUB", "SMUL", "SMIN", "SMAX"), ("s_base", "s_index")),
    "ADDI": ("s_base",),
    "LIH": ("s_reg",),
    "LI": (),
}
_NOT_IN_EPILOGUES = _STORES | {
    *("RECV", "RED", "FOLD", "REDUCE", "TPOP", "SCAN", "LAST", "LAST64", "SGET", "SETVL", "SETVLR", "SKIP", "BREAK")
}


def split(word: int) -> Fields:
    """The fields of a word; of an operation that moves data in slot C, the parts of c_imm and what they leave of it."""
    fields: Fields = {}
    for slot, widths in _WIDTHS.items():
        for name, bits in widths.items():
            fields[name] = word & ((1 << bits) - 1)
            word >>= bits
        if slot == "S" and fields["s_imm"] >> 16:
            fields["s_imm"] -= 1 << 17
    op = siw.OP_BY_CODE.get(("C", fields["c_op"]))
    if op and op.name in _DATA:
        imm = fields["c_imm"]
        fields |= {"c_src": imm & 31, "c_type": imm >> 5 & 15, "c_aux": imm >> 9 & 15, "c_imm": imm & 7 << 13}
    return fields


def _registers(op: siw.Op, name: str, fields: Fields) -> set[int]:
    wide = fields.get(f"{name[0]}_type", 0) in _WIDE and name not in _NARROW_WHATEVER_THE_TYPE.get(op.name, ())
    if name in _WIDE_BY_AUX.get(op.name, ()):
        wide = fields[f"{name[0]}_aux"] in _WIDE
    wide |= name in _WIDE_WHATEVER_THE_TYPE.get(op.name, ())
    return {fields[name], fields[name] + 1} if wide else {fields[name]}


def _slot_is_valid(op: siw.Op, fields: Fields) -> bool:
    slot = op.slot.lower()
    used = {f"{slot}_op", *op.uses}
    if any(value for name, value in fields.items() if name.startswith(f"{slot}_") and name not in used):
        return False
    if op.types and fields[f"{slot}_type"] not in {int(dtype) for dtype in op.types}:
        return False
    if op.aux:
        auxes = {int(dtype): kinds for dtype, kinds in op.auxes.items()}.get(fields.get(f"{slot}_type", 0), set(op.aux))
        if fields[f"{slot}_aux"] not in {int(aux) for aux in auxes}:
            return False
    if any(len(pair := _registers(op, name, fields)) > 1 and min(pair) % 2 for name in op.vectors):
        return False
    if op.writes == "s_reg" and "s_reg" not in op.vectors and fields["s_reg"] == 0:
        return False
    return op.name != "SETVL" or 1 <= fields["c_imm"] <= 512


def word_is_valid(fields: Fields) -> bool:
    """Whether a word is valid by itself."""
    ops = [siw.OP_BY_CODE.get((slot, fields[f"{slot.lower()}_op"])) for slot in "DSC"]
    written: list[int] = []
    windows = {}
    for op in ops:
        if op is None or not _slot_is_valid(op, fields):
            return False
        if op.writes in op.vectors:
            written += _registers(op, op.writes, fields)
        if op.name in _LOADS | _STORES:
            windows[op.slot] = (fields["s_win" if op.slot == "S" else "c_src"], op.name in _STORES)
    if len(set(written)) < len(written):
        return False
    if len(windows) == 2 and windows["S"][0] == windows["C"][0] and (windows["S"][1] or windows["C"][1]):
        return False
    return bool(fields["deps"] & 2) or fields["left"] == 0


def _name(fields: Fields, slot: str) -> str:
    return siw.OP_BY_CODE[slot, fields[f"{slot.lower()}_op"]].name


def _control_is_valid(words: Sequence[Fields], first: int, end: int, loops: int) -> bool:
    """Whether the scopes that open in words first…end lie within them, and in each other."""
    i = first
    while i <= end:
        name, length = _name(words[i], "C"), words[i]["c_imm"]
        if name == "BREAK" and not loops:
            return False
        if name in ("LOOP", "SKIP"):
            inside = loops + (name == "LOOP")
            if length < 1 or i + length > end or inside > 8:
                return False
            if not _control_is_valid(words, i + 1, i + length, inside):
                return False
            i += length
        i += 1
    return True


def _depends_on_the_chunk(words: Sequence[Fields], scalar: int, seen: frozenset[int] = frozenset()) -> bool:
    """Whether some word may compute the scalar from s1, s2 or s3."""
    if scalar in (1, 2, 3):
        return True
    sources = {
        word[field]
        for word in words
        if _name(word, "S") in _READS and word["s_reg"] == scalar
        for field in _READS[_name(word, "S")]
    }
    return any(_depends_on_the_chunk(words, source, seen | {scalar}) for source in sources - seen - {scalar})


def _epilogue_is_valid(words: Sequence[Fields]) -> bool:
    for word in words:
        if any(_name(word, slot) in _NOT_IN_EPILOGUES for slot in "DSC"):
            return False
        name, base, index = _name(word, "S"), word["s_base"], word["s_index"]
        is_constant = name == "INDEX" and index == 0 and not _depends_on_the_chunk(words, base)
        if name in ("LD", "INDEX") and (base, index) not in _BY_LANE and not is_constant:
            return False
        if name in ("GATHER", "GATHER64") and base:
            return False
        if name in _READS and word["s_reg"] in (1, 2, 3, 4):
            return False
        if _name(word, "C") == "LOOP" and _depends_on_the_chunk(words, word["c_reg"]):
            return False
    return True


def _windows(words: Sequence[Fields]) -> Iterator[int]:
    for word in words:
        if _name(word, "S") in _LOADS | _STORES:
            yield word["s_win"]
        if _name(word, "C") in ("RECV", "SEND"):
            yield word["c_src"]


def program_is_valid(data: Sequence[bytes], kind: ProgramKind, windows: int) -> bool:
    """Whether a program must load; its step counts are not looked at."""
    words = [split(int.from_bytes(word, "little")) for word in data]
    if not words or not all(word_is_valid(word) for word in words):
        return False
    if [i for i, word in enumerate(words) if _name(word, "C") == "END"] != [len(words) - 1]:
        return False
    if not _control_is_valid(words, 0, len(words) - 2, 0):
        return False
    if kind is ProgramKind.EPILOGUE and not _epilogue_is_valid(words):
        return False
    if any(window >= windows for window in _windows(words)):
        return False
    waits = [Wait(word["deps"], word["left"]) for word in words]
    return not any(wait.lacks(need) for wait, need in zip(waits, needs_of_every_way(words, waits), strict=True))
