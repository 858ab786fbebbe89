"""Instruction words as text: the slots that are no NOP, then dependency bits.

`FMA.F32 v0, v1, v2, v0 | LD.F32 v3, w0, s1, s4, 0 | LOOP s5, 3 | deps LOAD`
"""

from __future__ import annotations

from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.asm.cursor import Cursor
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.siw import BIT_FIELD, OPS, WORD_BITS, Dep, Op
from tfmbs.runtime.abi.siw_verify import check_word
from tfmbs.runtime.abi.types import DType

NOP = "NOP"
RAW = "WORD"
_PREFIXES = {"reg": "s", "base": "s", "index": "s", "win": "w", "imm": ""}
_OP_BY_NAME: dict[str, Op] = {op.name: op for op in OPS if op.name != NOP}
if len(_OP_BY_NAME) != sum(op.name != NOP for op in OPS) or RAW in _OP_BY_NAME:
    raise ValueError("SIW opcodes: assembly needs names that differ between slots")


def _operands(op: Op) -> list[str]:
    return [name for name in op.uses if not name.endswith("_type")]


def _prefix(op: Op, name: str) -> str:
    return "v" if name in op.vectors else _PREFIXES[name.split("_")[1]]


def _operand_text(op: Op, name: str, value: int) -> str:
    if name == "d_aux" and op.aux is not None:
        return op.aux(value).name
    return f"{_prefix(op, name)}{value}"


def _slot_text(op: Op, fields: dict[str, int]) -> str:
    dtype = f".{DType(fields[f'{op.slot.lower()}_type']).name}" if op.types else ""
    return f"{op.name}{dtype} {', '.join(_operand_text(op, name, fields[name]) for name in _operands(op))}".rstrip()


def syntax(op: Op) -> str:
    """How an operation is written, with the names of its fields where their values go."""
    shown = []
    for name in _operands(op):
        short, prefix = name[2:], "" if name == "d_aux" else _prefix(op, name)
        shown.append(f"{prefix}[{short}]" if prefix and not short.startswith("v") else short)
    return f"{op.name}{'.TYPE' if op.types else ''} {', '.join(shown)}".rstrip()


def word_text(data: bytes) -> str:
    """The text of one word; a word that is not valid by itself becomes `WORD 0x…`."""
    fields = siw.decode(data)
    try:
        ops = check_word(fields, RAW)
    except TfmbsError:
        return f"{RAW} {int.from_bytes(data, 'little'):#034x}"
    parts = [_slot_text(op, fields) for op in ops.values() if op.name != NOP] or [NOP]
    if fields["deps"]:
        parts.append("deps " + "+".join(dep.name for dep in Dep if fields["deps"] & dep))
    return " | ".join(parts)


def _parse_operand(cursor: Cursor, op: Op, name: str) -> int:
    if name == "d_aux" and op.aux is not None:
        return cursor.member(op.aux)
    prefix = _prefix(op, name)
    cursor.at_end()
    start = cursor.position
    if prefix:
        cursor.expect(prefix)
    value = cursor.integer(f"{prefix}N" if prefix else "an integer")
    low, high = BIT_FIELD[name].bounds
    if not low <= value <= high:
        raise cursor.error(f"{op.name}: {name}", f"{prefix}{low}…{prefix}{high}", f"{prefix}{value}", at=start)
    return value


def _parse_slot(cursor: Cursor, fields: dict[str, int]) -> None:
    cursor.at_end()
    start = cursor.position
    name = cursor.word("an opcode")
    op = _OP_BY_NAME.get(name)
    if op is None:
        raise cursor.error(f"opcode {name} is not known", at=start)
    slot = op.slot.lower()
    if f"{slot}_op" in fields:
        raise cursor.error(f"slot {op.slot} is used twice in a word", got=name, at=start)
    fields[f"{slot}_op"] = op.code
    if op.types:
        cursor.expect(".")
        fields[f"{slot}_type"] = cursor.member(DType)
    for i, operand in enumerate(_operands(op)):
        if i:
            cursor.expect(",")
        fields[operand] = _parse_operand(cursor, op, operand)


def _parse_deps(cursor: Cursor) -> int:
    bits = cursor.member(Dep)
    while cursor.accept("+"):
        bits |= cursor.member(Dep)
    return bits


def parse_word(cursor: Cursor) -> bytes:
    """Reads one word, up to the end of its line."""
    if cursor.accept(f"{RAW} "):
        start = cursor.position
        value = cursor.integer("128 bits")
        if not 0 <= value < 1 << WORD_BITS:
            raise cursor.error(RAW, "128 bits", hex(value), at=start)
        cursor.end_line()
        return value.to_bytes(WORD_BITS // 8, "little")
    fields: dict[str, int] = {}
    if not cursor.accept(NOP):
        _parse_slot(cursor, fields)
    while cursor.accept("|"):
        if cursor.accept("deps"):
            fields["deps"] = _parse_deps(cursor)
            break
        _parse_slot(cursor, fields)
    cursor.end_line()
    return siw.encode(fields)
