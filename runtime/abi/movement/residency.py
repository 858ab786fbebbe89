"""Which chunk of data stays in which slot of a memory, decided for a whole launch before its movements are made.

A chunk that is in a slot is not brought again. Another one takes the slot of the chunk whose next use is furthest away
(one that is never used again is furthest), the least recently used among equals; never of one that is used in the
current step, nor in the last `guard` steps of those that use the memory, as long as there is another: transfers are
still under way there. This is the best replacement there is, but for the guard.

Where chunks are used in turn, over and over, the best replacement misses others each time. A memory may also hold on to
the first ones that came: then it misses the same ones, as many, and those are what the memory behind it can keep.

Memories are decided from the array outwards. What L2 is asked for is what L1 does not hold, and what L3 is asked for
is what L2 does not: so L3 keeps other chunks than L2, and both together hold what neither could.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.movement.memory import Slot

NEVER = 1 << 60


class Held(NamedTuple):
    """The slot in which a use finds its chunk, and whether it has to be brought there first."""

    slot: int
    is_brought: bool


class Store:
    """Slots of an operand in a memory, and where each use finds its chunk: in the order of `residency`."""

    def __init__(self, slots: Sequence[Slot], held: Sequence[Held]) -> None:
        self._slots, self._held = slots, iter(held)

    def use(self) -> tuple[Slot, bool]:
        """The slot of the next use, and whether its chunk has to be brought there."""
        slot, is_brought = next(self._held)
        return self._slots[slot], is_brought


Uses = Sequence[tuple[Hashable, int]]
"""Chunks and the steps that use them, which ascend."""


def outer_memories(uses: Uses, slots: tuple[int, int], guards: tuple[int, int]) -> tuple[list[Held], list[Held]]:
    """Where uses find their chunks in L2, and in L3 those that do not, each by `residency`.

    L2 holds on or not, whichever brings fewer chunks to L3, of equals to L2.
    """
    least = len({chunk for chunk, _ in uses})
    found: list[tuple[int, int, list[Held], list[Held]]] = []
    for holds_on in (False, True):
        held2 = residency(uses, slots[0], guards[0], holds_on=holds_on)
        missed = [use for use, one in zip(uses, held2, strict=True) if one.is_brought]
        held3 = residency(missed, slots[1], guards[1])
        found.append((sum(one.is_brought for one in held3), len(missed), held2, held3))
        if found[0][0] == least:
            break
    return min(found, key=lambda one: one[:2])[2:]


def residency(uses: Uses, slots: int, guard: int, *, holds_on: bool = False) -> list[Held]:
    """Where each use finds its chunk. `holds_on`: of chunks that are used again, the one that came last goes first.

    Raises TfmbsError `resource-limit` where a step uses more chunks than there are slots.
    """
    if len({key for key, _ in uses}) <= slots:  # then nothing ever goes
        return _kept(uses)
    following = _following(uses)
    holder: dict[Hashable, int] = {}
    held: list[Hashable] = [None] * slots
    used, needed = [-NEVER] * slots, [NEVER] * slots
    heap: list[tuple[int, int, int]] = []
    free = list(range(slots))[::-1]
    rank, last, found = 0, None, []
    for number, (key, step) in enumerate(uses):
        if step != last:
            rank, last = rank + 1, step
        slot = holder.get(key, -1)
        is_brought = slot < 0
        if is_brought:
            slot = free.pop() if free else _victim(heap, used, needed, rank, guard)
            holder.pop(held[slot], None)
            holder[key], held[slot] = slot, key
        used[slot] = rank
        if not holds_on or following[number] == NEVER:
            needed[slot] = following[number]
        elif is_brought:
            needed[slot] = rank
        heappush(heap, (-needed[slot], rank, slot))
        if len(heap) > 8 * slots + 64:  # most of them are out of date
            heap = [(-needed[one], used[one], one) for one in holder.values()]
            heapify(heap)
        found.append(Held(slot, is_brought))
    return found


def _kept(uses: Sequence[tuple[Hashable, int]]) -> list[Held]:
    """Where each use finds its chunk, if there is a slot for every chunk: they take them in the order they come."""
    there: dict[Hashable, Held] = {}
    found = []
    for key, _ in uses:
        held = there.get(key)
        if held is None:
            slot = len(there)
            there[key] = Held(slot, False)
            held = Held(slot, True)
        found.append(held)
    return found


def _following(uses: Sequence[tuple[Hashable, int]]) -> list[int]:
    """Of each use, the step of the next one of the same chunk that is in a later step."""
    result, after = [NEVER] * len(uses), dict[Hashable, tuple[int, int]]()
    for number in range(len(uses) - 1, -1, -1):
        key, step = uses[number]
        own, later = after.get(key, (NEVER, NEVER))
        if own != step:
            own, later = step, own
            after[key] = own, later
        result[number] = later
    return result


def _victim(heap: list[tuple[int, int, int]], used: list[int], needed: list[int], rank: int, guard: int) -> int:
    """The slot that is taken; of those that are only guarded, the one whose next use is furthest away."""
    passed, guarded, chosen = [], -1, -1
    while heap:
        entry = heappop(heap)
        next_use, since, slot = -entry[0], entry[1], entry[2]
        if used[slot] != since or needed[slot] != next_use:
            continue  # out of date
        if since < rank - guard:
            chosen = slot
            break
        passed.append(entry)
        if guarded < 0 and since < rank:
            guarded = slot
    if chosen < 0:
        chosen = guarded
    for entry in passed:
        if entry[2] != chosen:
            heappush(heap, entry)
    if chosen < 0:
        raise TfmbsError("resource-limit", "movement", "slots of an operand in a step", "more", len(used))
    return chosen
