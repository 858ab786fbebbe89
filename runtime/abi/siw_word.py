"""One instruction word, decoded and checked by itself: what each slot does, and what it touches as bit masks.

- Every field that an opcode does not use is zero, and its element type and aux are among those of the opcode.
- An operand with 64-bit lanes names an even register. s0 is never written.
- No two slots of a word write the same vector register. Slots S and C may touch the same window only to read it.
- `left` is 0 without LOAD.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property, lru_cache
from itertools import combinations

from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.siw import BIT_FIELDS, FIELDS, OP_BY_CODE, WORD_BITS, Dep, Op
from tfmbs.runtime.abi.types import DType

SLOTS = "DSC"
_LOW = {slot: min(f.low for f in BIT_FIELDS if f.slot == slot) for slot in SLOTS}
_MASK = {slot: sum((1 << f.bits) - 1 << f.low for f in BIT_FIELDS if f.slot == slot) for slot in SLOTS}
_OPERANDS = {slot: tuple(f.name for f in FIELDS if f.slot == slot and not f.name.endswith("_op")) for slot in SLOTS}
_DEPS_LOW, _LEFT_LOW = (siw.BIT_FIELD[name].low for name in ("deps", "left"))
_DEPS_MASK, _LEFT_MASK = ((1 << siw.BIT_FIELD[name].bits) - 1 for name in ("deps", "left"))
_WINDOW_FIELD = {"S": "s_win", "C": "c_src"}
_SCALAR_FIELDS = frozenset({"s_reg", "s_base", "s_index", "c_reg"})
_CACHED_SLOTS = 1 << 15


@dataclass(frozen=True)
class Slot:
    """A valid operation. `registers` are the vector registers that it names, `written` those that it writes, `loaded`
    and `stored` the windows that it reads and writes: bit n for number n."""

    op: Op
    fields: Mapping[str, int]
    registers: int
    written: int
    loaded: int
    stored: int

    @property
    def window(self) -> int:
        """Number of the window that a memory operation accesses."""
        return self.fields[_WINDOW_FIELD[self.op.slot]]

    @property
    def scalar_written(self) -> int:
        """Number of the scalar register that it writes; 0, which is never written, for none."""
        return self.fields[self.op.writes] if self.op.writes and self.op.writes not in self.op.vectors else 0

    @property
    def scalars_read(self) -> frozenset[int]:
        """Numbers of the scalar registers that it reads."""
        names = {name for name in self.op.uses if name in _SCALAR_FIELDS} - set(self.op.vectors)
        return frozenset(self.fields[name] for name in names if name != self.op.writes or self.op.acc)

    @property
    def dtype(self) -> DType:
        """Element type of an operation that has one."""
        return DType(self.fields[f"{self.op.slot.lower()}_type"])

    @cached_property
    def types(self) -> tuple[DType, ...]:
        """The element types that it works on: its own, and the other one of a conversion."""
        own = (self.dtype,) if self.op.types else ()
        other = (DType(self.fields[f"{self.op.slot.lower()}_aux"]),) if self.op.aux is DType else ()
        return own + other


@dataclass(frozen=True)
class Word:
    """A valid instruction word."""

    d: Slot
    s: Slot
    c: Slot
    deps: int
    left: int

    @property
    def slots(self) -> tuple[Slot, Slot, Slot]:
        """Its three operations."""
        return self.d, self.s, self.c

    @cached_property
    def fields(self) -> dict[str, int]:
        """All fields, as `siw.decode` gives them."""
        return {**self.d.fields, **self.s.fields, **self.c.fields, "deps": self.deps, "left": self.left}


class _SlotError(Exception):
    """What is wrong with a slot, as TfmbsError takes it; where is not known yet."""


def _check_type(op: Op, fields: Mapping[str, int]) -> None:
    slot = op.slot.lower()
    code = fields.get(f"{slot}_type", 0)
    if op.types and code not in op.types:
        raise _SlotError(f"{op.name}: element type", "/".join(sorted(t.name for t in op.types)), code)
    if op.aux is None:
        return
    allowed: frozenset[IntEnum] = op.auxes[DType(code)] if op.auxes else frozenset(op.aux)
    aux = fields[f"{slot}_aux"]
    if aux not in allowed:
        raise _SlotError(f"{op.name}: aux", "/".join(member.name for member in sorted(allowed)), aux)


@lru_cache(_CACHED_SLOTS)
def _slot(slot: str, word: int) -> Slot:
    """The operation in a slot of `word`, whose other bits are zero. Raises _SlotError."""
    fields = siw.decode_slot(slot, word)
    code = fields[f"{slot.lower()}_op"]
    op = OP_BY_CODE.get((slot, code))
    if op is None:
        raise _SlotError(f"slot {slot}: opcode {code} is not known", None, None)
    for name in _OPERANDS[slot]:
        if fields[name] and name not in op.uses:
            raise _SlotError(f"{op.name}: unused field {name}", 0, fields[name])
    _check_type(op, fields)
    if op.writes and op.writes not in op.vectors and fields[op.writes] == 0:
        raise _SlotError(f"{op.name} writes s0, which is always 0", None, None)
    registers = written = 0
    for name in op.vectors:
        first, is_pair = fields[name], op.lane_bits(name, fields) == 64
        if is_pair and first & 1:
            raise _SlotError(f"{op.name}: {name}, a pair of registers", "an even register", f"v{first}")
        mask = (3 if is_pair else 1) << first
        registers |= mask
        written |= mask if name == op.writes else 0
    if op.name == "SETVL" and not 1 <= fields["c_imm"] <= siw.VLMAX:
        raise _SlotError("SETVL", f"1…{siw.VLMAX}", fields["c_imm"])
    window = 1 << fields[_WINDOW_FIELD[slot]] if op.unit == "memory" else 0
    return Slot(op, fields, registers, written, window if op.is_load else 0, window if op.is_store else 0)


def _lowest(mask: int) -> int:
    return (mask & -mask).bit_length() - 1


def decode_word(data: bytes | memoryview, where: str) -> Word:
    """The word in 16 bytes, checked by itself. Raises TfmbsError `siw` at the location `where`."""
    bits = int.from_bytes(data, "little")
    if len(data) != WORD_BITS // 8:
        raise ValueError(f"SIW: a word of {len(data)} bytes, expected {WORD_BITS // 8}")
    try:
        d, s, c = (_slot(slot, bits & _MASK[slot]) for slot in SLOTS)
    except _SlotError as error:
        what, expected, got = error.args
        raise TfmbsError("siw", where, what, expected, got) from None
    deps, left = bits >> _DEPS_LOW & _DEPS_MASK, bits >> _LEFT_LOW & _LEFT_MASK
    if left and not deps & Dep.LOAD:
        raise TfmbsError("siw", where, "left in a word that does not wait for loads", 0, left)
    if d.written & s.written or (d.written | s.written) & c.written:
        for one, other in combinations((d, s, c), 2):
            if both := one.written & other.written:
                what = f"slots {one.op.slot} and {other.op.slot} both write v{_lowest(both)}"
                raise TfmbsError("siw", where, what)
    if s.stored & (c.loaded | c.stored) or s.loaded & c.stored:
        raise TfmbsError("siw", where, f"slots S and C both access window {c.window}", "loads only", "a store")
    return Word(d, s, c, deps, left)


def scope_end(words: Sequence[Word], start: int) -> int:
    """Index of the last word of the body of the LOOP, or of those that the SKIP skips, in word `start`."""
    return start + words[start].c.fields["c_imm"]
