"""Which windows are received and sent in slot C instead of being loaded and stored in slot S.

Emission marks accesses that walk their window in order. All accesses of a window in one direction become streams or
none, as they share a cursor; which ones is decided for the whole program, by the slots of its innermost loops.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from tfmbs.passes.siw.machine import Instr, Item, Loop, instructions
from tfmbs.passes.siw.schedule_memory import window_of
from tfmbs.passes.siw.slots import can_move, in_slot_c

_SECOND = 0.05
_TRIPS = 16  # reckoned where the number is not known

Stream = tuple[int, bool]  # window, whether it is stored to


class _Body:
    """How busy the slots are in one block, and what of S could be streams."""

    def __init__(self, instrs: Sequence[Instr], weight: float, busy: Callable[[Instr], int]) -> None:
        self.weight = weight
        self.load = dict.fromkeys("DSC", 0)
        self.flexible = 0
        self.streams: dict[Stream, int] = defaultdict(int)
        for instr in instrs:
            self.load[instr.op.slot] += busy(instr)
            if can_move(instr):
                self.flexible += busy(instr)
            if instr.stream:
                self.streams[_stream(instr)] += busy(instr)

    def cost(self, chosen: set[Stream]) -> float:
        """Cycles that the fullest slot takes, and a little for the next one: a schedule with two full slots is rare."""
        moved = sum(cycles for stream, cycles in self.streams.items() if stream in chosen)
        d, c = self.load["D"] - self.flexible, self.load["C"] + moved
        even = (d + c + self.flexible) / 2
        most, least = max(d, c, even), min(d + self.flexible, c + self.flexible, even)
        _, second, first = sorted((most, least, self.load["S"] - moved))
        return self.weight * (first + _SECOND * second)


def _stream(instr: Instr) -> Stream:
    return window_of(instr), instr.op.is_store


def choose_streams(items: Sequence[Item], busy: Callable[[Instr], int]) -> list[Item]:
    """The program with the accesses of some windows in slot C."""
    every: dict[Stream, list[Instr]] = defaultdict(list)
    for instr in instructions(items):
        if instr.op.unit == "memory":
            every[_stream(instr)].append(instr)
    candidates = sorted(stream for stream, accesses in every.items() if all(i.stream for i in accesses))
    if not candidates:
        return list(items)
    bodies = list(_bodies(items, 1.0, busy))
    chosen: set[Stream] = set()
    best = sum(body.cost(chosen) for body in bodies)
    while True:
        costs = [(sum(b.cost(chosen ^ {c}) for b in bodies), c) for c in candidates]
        least, stream = min(costs)
        if least >= best:
            return _streamed(items, chosen)
        best, chosen = least, chosen ^ {stream}


def _bodies(items: Sequence[Item], weight: float, busy: Callable[[Instr], int]) -> Iterator[_Body]:
    block = [item for item in items if isinstance(item, Instr)]
    if block:
        yield _Body(block, weight, busy)
    for item in items:
        if isinstance(item, Instr):
            continue
        trips = (_TRIPS if item.trips is None else item.trips) if isinstance(item, Loop) else 1
        yield from _bodies(item.body, weight * trips, busy)


def _streamed(items: Sequence[Item], chosen: set[Stream]) -> list[Item]:
    result: list[Item] = []
    for item in items:
        if not isinstance(item, Instr):
            item.body = _streamed(item.body, chosen)
            result.append(item)
        else:
            result.append(in_slot_c(item) if item.stream and _stream(item) in chosen else item)
    return result
