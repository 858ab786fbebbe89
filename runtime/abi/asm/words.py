"""Instruction words as text: the slots that are no NOP, then what the word waits for.

`FMA.F32 v0, v1, v2, v0 | LD.F32 v3, w0, s1, s4, 0 | LOOP s5, 3 | deps COMPUTE+LOAD-2`

`LOAD-2` is LOAD with `left` 2: it waits for all loads before the word but the two youngest. An operand with 64-bit
lanes is named by the even register of its pair.
"""

from __future__ import annotations

from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.asm.cursor import Cursor
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.siw import BIT_FIELD, OPS, WORD_BITS, Dep, Op
from tfmbs.runtime.abi.siw_deps import Wait
from tfmbs.runtime.abi.siw_word import Slot, decode_word
from tfmbs.runtime.abi.types import DType

NOP = "NOP"
RAW = "WORD"
_PREFIXES = {"reg": "s", "base": "s", "index": "s", "win": "w", "src": "w", "imm": ""}
_OP_BY_NAME: dict[str, Op] = {op.name: op for op in OPS if op.name != NOP}
if len(_OP_BY_NAME) != sum(op.name != NOP for op in OPS) or RAW in _OP_BY_NAME:
    raise ValueError("SIW opcodes: assembly needs names that differ between slots")


def _operands(op: Op) -> list[str]:
    return [name for name in op.uses if not name.endswith("_type")]


def _prefix(op: Op, name: str) -> str:
    return "v" if name in op.vectors else _PREFIXES[name.split("_")[1]]


def _operand_text(op: Op, name: str, value: int) -> str:
    if op.aux is not None and name.endswith("_aux"):
        return op.aux(value).name
    return f"{_prefix(op, name)}{value}"


def _slot_text(slot: Slot) -> str:
    op = slot.op
    dtype = f".{slot.dtype.name}" if op.types else ""
    operands = ", ".join(_operand_text(op, name, slot.fields[name]) for name in _operands(op))
    return f"{op.name}{dtype} {operands}".rstrip()


def syntax(op: Op) -> str:
    """How an operation is written, with the names of its fields where their values go."""
    shown = []
    for name in _operands(op):
        short, prefix = name[2:], "" if name.endswith("_aux") else _prefix(op, name)
        shown.append(f"{prefix}[{short}]" if prefix and not short.startswith("v") else short)
    return f"{op.name}{'.TYPE' if op.types else ''} {', '.join(shown)}".rstrip()


def word_text(data: bytes) -> str:
    """The text of one word; a word that is not valid by itself becomes `WORD 0x…`."""
    try:
        word = decode_word(data, RAW)
    except TfmbsError:
        return f"{RAW} {int.from_bytes(data, 'little'):#034x}"
    parts = [_slot_text(slot) for slot in word.slots if slot.op.name != NOP] or [NOP]
    if word.deps:
        parts.append(f"deps {Wait(word.deps, word.left)}")
    return " | ".join(parts)


def slot_texts(data: bytes) -> tuple[str, str, str, str]:
    """The operations of slots D, S and C of a valid word, empty for NOP, and what it waits for."""
    word = decode_word(data, RAW)
    d, s, c = ("" if slot.op.name == NOP else _slot_text(slot) for slot in word.slots)
    return d, s, c, f"after {Wait(word.deps, word.left)}" if word.deps else ""


def _parse_operand(cursor: Cursor, op: Op, name: str) -> int:
    if op.aux is not None and name.endswith("_aux"):
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


def _parse_left(cursor: Cursor) -> int:
    cursor.at_end()
    start = cursor.position
    left, most = cursor.integer(), BIT_FIELD["left"].bounds[1]
    if not 0 <= left <= most:
        raise cursor.error("loads left", f"0…{most}", left, at=start)
    return left


def _parse_wait(cursor: Cursor) -> Wait:
    deps = left = 0
    while True:
        dep = cursor.member(Dep)
        deps |= dep
        if dep == Dep.LOAD and cursor.accept("-"):
            left = _parse_left(cursor)
        if not cursor.accept("+"):
            return Wait(deps, left)


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
            fields |= _parse_wait(cursor)._asdict()
            break
        _parse_slot(cursor, fields)
    cursor.end_line()
    return siw.encode(fields)
