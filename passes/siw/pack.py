"""List scheduling: the operations of a program into words of three slots, loops resolved, dependency bits set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tfmbs.passes.siw.assembly import CodegenError, Loop, Slot
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.siw_verify import required_deps

Register = tuple[str, int]
_VL: Register = ("vl", 0)
_MAX_BODY = siw.BIT_FIELD["c_imm"].bounds[1]


@dataclass(frozen=True)
class Packed:
    """A scheduled program: 16-byte words, and how many words it executes."""

    words: tuple[bytes, ...]
    max_steps: int


def pack(items: Sequence[Slot | Loop]) -> Packed:
    """Schedules a program. Raises CodegenError for a loop body of more words than a LOOP can span."""
    words, steps = _schedule(items)
    if words and words[-1].closed:
        words.append(_Word())
        steps += 1
    final = words[-1] if words and "C" not in words[-1].slots else None
    if final is None:
        final = _Word()
        words.append(final)
        steps += 1
    final.slots["C"] = Slot(siw.OP_BY_NAME["C", "END"], {})
    unbound = [siw.encode(word.fields()) for word in words]
    bound = [word.fields() | wait._asdict() for word, wait in zip(words, required_deps(unbound), strict=True)]
    return Packed(tuple(siw.encode(fields) for fields in bound), steps)


@dataclass
class _Word:
    """A word being filled. `closed`: it ends a loop body, or starts one; nothing may be added."""

    slots: dict[str, Slot] = field(default_factory=dict)
    closed: bool = False

    def fields(self) -> dict[str, int]:
        merged: dict[str, int] = {}
        for slot, operation in self.slots.items():
            merged[f"{slot.lower()}_op"] = operation.op.code
            merged.update(operation.fields)
        return merged


class _Block:
    """Straight-line words: each operation goes into the first word that its operands and its slot allow."""

    def __init__(self) -> None:
        self.words: list[_Word] = []
        self._written: dict[Register, int] = {}  # word of the last write
        self._read: dict[Register, int] = {}  # word of the last read
        self._load = -1
        self._store = -1

    def add(self, operation: Slot, earliest: int = 0) -> int:
        """Places an operation; returns its word."""
        reads, writes = accesses(operation)
        # Slots read before any slot writes: a write may share the word of an earlier read, nothing else may.
        at = max(
            [earliest]
            + [self._written.get(register, -1) + 1 for register in (*reads, *writes)]
            + [self._read.get(register, 0) for register in writes]
        )
        if operation.op.is_load:
            at = max(at, self._store + 1)
        elif operation.op.is_store:
            at = max(at, self._store + 1, self._load + 1)
        while at < len(self.words) and operation.op.slot in self.words[at].slots:
            at += 1
        while len(self.words) <= at:
            self.words.append(_Word())
        self.words[at].slots[operation.op.slot] = operation
        self._note(operation, reads, writes, at)
        return at

    def _note(self, operation: Slot, reads: Iterable[Register], writes: Iterable[Register], at: int) -> None:
        for register in reads:
            self._read[register] = max(at, self._read.get(register, 0))
        for register in writes:
            self._written[register] = max(at, self._written.get(register, -1))
        if operation.op.is_load:
            self._load = max(at, self._load)
        elif operation.op.is_store:
            self._store = max(at, self._store)


def accesses(operation: Slot) -> tuple[set[Register], set[Register]]:
    """Registers that an operation reads and writes, VL among them."""
    op = operation.op
    registers = {name for name in op.uses if name.rpartition("_")[2] in _REGISTER_FIELDS}
    named = {name: ("v" if name in op.vectors else "s", operation.fields.get(name, 0)) for name in registers}
    writes = {named[op.writes]} if op.writes else set()
    reads = {register for name, register in named.items() if name != op.writes or op.acc}
    if op.name in ("SETVL", "SETVLR"):
        writes.add(_VL)
    elif op.vectors:
        reads.add(_VL)
    constant_zero = {("s", 0)}
    return reads - constant_zero, writes


_REGISTER_FIELDS = frozenset({"vd", "va", "vb", "vc", "reg", "base", "index"})


def _schedule(items: Sequence[Slot | Loop]) -> tuple[list[_Word], int]:
    """Words of a sequence of operations and loops, and how many of them run."""
    words: list[_Word] = []
    steps = 0
    block = _Block()
    for item in items:
        if isinstance(item, Slot):
            block.add(item)
            continue
        body, body_steps = _schedule(item.body)
        if len(body) > _MAX_BODY:
            raise CodegenError(f"a loop body of {len(body)} words, more than {_MAX_BODY}")
        body[-1].closed = True
        start = {"c_reg": item.count_register, "c_imm": len(body)}
        block.add(Slot(siw.OP_BY_NAME["C", "LOOP"], start), earliest=max(len(block.words) - 1, 0))
        block.words[-1].closed = True
        words += block.words + body
        steps += len(block.words) + item.trips * body_steps
        block = _Block()
    return words + block.words, steps + len(block.words)
