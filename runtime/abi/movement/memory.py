"""Buffers of the on-chip memories: who may use which bytes, after whom, and which chunk of data stays.

A memory is carved into slots anew for each launch. What a movement writes into a slot waits for all that used the bytes
before, of this launch or of earlier ones; what reads it waits for what wrote it.

Residency. A chunk that is in a slot is not brought again. Another one takes the slot of a chunk that is never used
again, the least recently used first; if there is none, of that whose next use is furthest away; never of one that is
used in the current step, nor, where operands are buffered, in the one before.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile
from typing import NamedTuple, Protocol

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.movement.program import Copy, Program

NEVER = 1 << 60
ALIGNMENT = 64


def aligned(size: int) -> int:
    """A size as slots have it."""
    return -(-size // ALIGNMENT) * ALIGNMENT


class Piece(NamedTuple):
    """Bytes of a memory up to `high`, and the last movements that used them."""

    low: int
    high: int
    movements: list[int]

    def within(self, low: int, high: int) -> Piece:
        """What of it lies between two bytes."""
        return Piece(max(low, self.low), min(high, self.high), self.movements)


class Pieces(Protocol):
    """What knows who used bytes of a memory."""

    def pieces(self) -> list[Piece]:
        """Who used which bytes last."""


@dataclass(eq=False, slots=True)
class Slot:
    """Bytes of a memory; `key` names the chunk in it. `writers` filled it, `readers` used that since.

    `filled` are its first bytes that these use, `before` who used which of the others; `spans` tells of those that use
    a part of them which bytes lie between the ends of it.
    """

    memory: int
    address: int
    size: int
    writers: list[int] = field(default_factory=list)
    readers: list[int] = field(default_factory=list)
    key: Hashable = None
    used: int = -NEVER  # the last step that uses it
    needed: int = NEVER  # the next one
    filled: int = 0
    before: list[Piece] = field(default_factory=list)
    owner: Pieces | None = None  # knows better who used which bytes
    spans: dict[int, tuple[int, int]] = field(default_factory=dict)

    def to_write(self, size: int) -> list[int]:
        """Movements before the next that overwrites its first bytes; forgets them."""
        before, end, spans = self.writers + self.readers, self.address + size, self.spans
        if spans and size < self.filled:
            before = [number for number in before if number not in spans or spans[number][0] < end]
        rest = (
            [piece.within(end, piece.high) for piece in self.users() if piece.high > end] if size < self.filled else []
        )
        self.writers, self.readers = [], []
        if spans:
            self.spans = {}
        if rest:
            self.before += rest
        elif self.before:
            before += [number for piece in self.before if piece.low < end for number in piece.movements]
            self.before = [piece.within(end, piece.high) for piece in self.before if piece.high > end]
        self.filled = size
        return before

    def users(self) -> list[Piece]:
        """Who uses which of its filled bytes."""
        own = self.writers + self.readers
        whole = Piece(self.address, self.address + self.filled, [number for number in own if number not in self.spans])
        parts = [Piece(*self.spans[number], [number]) for number in own if number in self.spans]
        return [whole, *parts] if whole.movements else parts

    def to_write_parts(self, parts: Sequence[Sequence[Copy]]) -> list[list[int]]:
        """For each of several movements that overwrite parts of its first bytes, those before it; forgets them."""
        pieces = [*self.users(), *self.before]
        before = [
            [
                number
                for piece in pieces
                if any(copy.meets(piece.low, piece.high) for copy in part)
                for number in piece.movements
            ]
            for part in parts
        ]
        self.to_write(max(copy.end for part in parts for copy in part) - self.address)
        return before

    def place(self, size: int | None = None) -> tuple[int, int, int]:
        """Memory, first byte and end, of its first `size` bytes."""
        return self.memory, self.address, self.address + (self.size if size is None else size)


class Space:
    """One memory, carved into slots launch by launch."""

    def __init__(self, program: Program, memory: int, size: int) -> None:
        self.program, self.memory, self.size = program, memory, size
        self._pieces: list[Piece] = []
        self._slots: list[Slot] = []
        self._next = 0
        self._passed = 0  # pieces that end before the next slot

    def reset(self) -> None:
        """Starts a new launch: all bytes may be carved again."""
        pieces = [piece.within(self._next, piece.high) for piece in self._pieces if piece.high > self._next]
        for slot in self._slots:
            pieces += slot.owner.pieces() if slot.owner else slot.before
            if slot.filled:
                for piece in slot.users():
                    last = self.program.last_of_queues(piece.movements)
                    pieces.append(piece._replace(movements=list(last.values())))
        self._pieces = sorted(pieces)
        self._slots, self._next, self._passed = [], 0, 0

    def slots(self, count: int, size: int) -> list[Slot]:
        """So many slots of at least `size` bytes, each to be written only after all that used its bytes."""
        size = aligned(size)
        if self._next + count * size > self.size:
            raise TfmbsError("resource-limit", "movement", "bytes of a memory", self.size, self._next + count * size)
        made = []
        for _ in range(count):
            slot = Slot(self.memory, self._next, size)
            if self._pieces:
                slot.before = self._meeting(slot)
            made.append(slot)
            self._next += size
        self._slots += made
        return made

    def split(self, slot: Slot, size: int) -> Slot:
        """The bytes of a slot behind its first ones, as a slot of their own."""
        at = slot.address + size
        rest = Slot(slot.memory, at, slot.size - size)
        rest.before = [piece.within(at, piece.high) for piece in slot.before if piece.high > at]
        slot.before = [piece.within(piece.low, at) for piece in slot.before if piece.low < at]
        slot.size = size
        self._slots.append(rest)
        return rest

    def _meeting(self, slot: Slot) -> list[Piece]:
        """The pieces that have bytes of the next slot."""
        pieces, end = self._pieces, slot.address + slot.size
        while self._passed < len(pieces) and pieces[self._passed].high <= slot.address:
            self._passed += 1
        later = takewhile(lambda piece: piece.low < end, islice(pieces, self._passed, None))
        return [piece.within(slot.address, end) for piece in later if piece.high > slot.address]

    @property
    def used(self) -> int:
        """Bytes that are carved."""
        return self._next

    @property
    def free(self) -> int:
        """Bytes that are not carved."""
        return self.size - self._next


class Ring:
    """Slots that are used in turn, for what is used once."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        self._slots, self._next = slots, 0

    def take(self) -> Slot:
        """The slot that is used next."""
        slot = self._slots[self._next]
        self._next = (self._next + 1) % len(self._slots)
        return slot


class Uses:
    """In which steps each chunk is used, known beforehand."""

    def __init__(self) -> None:
        self._steps: dict[Hashable, list[int]] = {}

    def add(self, key: Hashable, step: int) -> None:
        """The next use, in ascending order of steps."""
        self._steps.setdefault(key, []).append(step)

    def freeze(self) -> None:
        """Ends the additions: from now on uses are taken from the front."""
        for steps in self._steps.values():
            steps.reverse()

    def after(self, key: Hashable, step: int) -> int:
        """The first use after a step; steps are asked for in ascending order."""
        steps = self._steps[key]
        while steps and steps[-1] <= step:
            steps.pop()
        return steps[-1] if steps else NEVER


class Residents:
    """Slots of one operand in one memory, by the rule of residency. `guard` is 1 where operands are buffered."""

    def __init__(self, slots: Iterable[Slot], uses: Uses, guard: int) -> None:
        self._free = list(slots)[::-1]
        self._uses, self._guard = uses, guard
        self._by_key: dict[Hashable, Slot] = {}

    def find(self, key: Hashable, step: int) -> Slot | None:
        """The slot that holds a chunk, which is used in this step."""
        slot = self._by_key.get(key)
        if slot is not None:
            slot.used = step
            slot.needed = self._uses.after(key, step)
        return slot

    def take(self, key: Hashable, step: int) -> Slot:
        """A slot for a chunk that is in none; the chunk that it held is gone."""
        slot = self._free.pop() if self._free else self._victim(step)
        slot.key, slot.used, slot.needed = key, step, self._uses.after(key, step)
        self._by_key[key] = slot
        return slot

    def _victim(self, step: int) -> Slot:
        best = self._furthest(step, step - self._guard)
        if best is None:  # too few slots to keep what the step before used
            best = self._furthest(step, step)
        if best is None:
            raise TfmbsError("resource-limit", "movement", "slots of an operand in a step", "more", len(self._by_key))
        del self._by_key[best.key]
        return best

    def _furthest(self, step: int, before: int) -> Slot | None:
        """Of the slots that were used before a step last, the one that is needed last."""
        best, furthest = None, -1
        for slot in self._by_key.values():
            if slot.used >= before:
                continue
            needed = slot.needed
            if needed <= step:  # used since where the next level had it
                needed = slot.needed = self._uses.after(slot.key, step)
            if best is None or needed > furthest or (needed == furthest and slot.used < best.used):
                best, furthest = slot, needed
        return best
