"""Placing buffers in one arena: those that live at the same time get disjoint bytes."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

ALIGNMENT = 64
_SEARCH = 1 << 21
"""Pairs of buffers that the search for a better order compares at most."""


@dataclass(frozen=True)
class Interval:
    """A buffer of `size` bytes that is in use from step `first` to step `last`, both included."""

    first: int
    last: int
    size: int

    def meets(self, other: Interval) -> bool:
        """Whether both are in use at some step."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class Plan:
    """Byte offsets in the order of the buffers, and the size of the arena."""

    offsets: tuple[int, ...]
    peak: int


Order = Sequence[int]
Gap = Callable[[Sequence[tuple[int, int]], int], int]

_ORDERS: tuple[Callable[[Interval], tuple[int, ...]], ...] = (
    lambda b: (-b.size, b.first),
    lambda b: (-b.size * (b.last - b.first + 1), b.first),
    lambda b: (b.first - b.last, -b.size),
    lambda b: (b.first, -b.size),
    lambda b: (-b.last, -b.size),
)


def live_bytes(buffers: Sequence[Interval]) -> int:
    """The most bytes in use at one step: no arena is smaller."""
    steps = {buffer.first for buffer in buffers}
    return max((sum(_aligned(b.size) for b in buffers if b.first <= step <= b.last) for step in steps), default=0)


def plan(buffers: Sequence[Interval]) -> Plan:
    """The best of several orders in which buffers are placed one by one, and of a search from there on.

    Offsets are multiples of `ALIGNMENT`. The same buffers in the same order give the same plan. Some order, with each
    buffer as low as it goes, gives the least arena there is; the search stops early at `live_bytes`.
    """
    bound = live_bytes(buffers)
    best: Plan | None = None
    order: list[int] = []
    for key in _ORDERS:
        candidate = sorted(range(len(buffers)), key=lambda i: (*key(buffers[i]), i))
        for gap in (_tightest, _lowest):
            placed = _placed(buffers, candidate, gap)
            if best is None or placed.peak < best.peak:
                best, order = placed, candidate
            if best.peak == bound:
                return best
    assert best is not None
    return _search(buffers, order, best, bound)


def _search(buffers: Sequence[Interval], order: list[int], best: Plan, bound: int) -> Plan:
    """Moves a buffer that reaches the top of the arena, or any other, to an earlier place in the order."""
    rng = random.Random(len(buffers))
    for _ in range(_SEARCH // max(1, len(buffers) ** 2)):
        highest = [i for i in order if best.offsets[i] + _aligned(buffers[i].size) == best.peak]
        moved = rng.choice(highest) if rng.random() < 0.7 else rng.choice(order)
        candidate = [i for i in order if i != moved]
        candidate.insert(rng.randrange(len(order)), moved)
        placed = _placed(buffers, candidate, _lowest)
        if placed.peak <= best.peak:
            best, order = placed, candidate
        if best.peak == bound:
            break
    return best


def _placed(buffers: Sequence[Interval], order: Order, gap: Gap) -> Plan:
    """Buffers placed one by one between those that they meet."""
    offsets: dict[int, int] = {}
    for index in order:
        taken = sorted(
            (offset, offset + _aligned(buffers[other].size))
            for other, offset in offsets.items()
            if buffers[other].meets(buffers[index])
        )
        offsets[index] = gap(taken, _aligned(buffers[index].size))
    peak = max((offset + _aligned(buffers[index].size) for index, offset in offsets.items()), default=0)
    return Plan(tuple(offsets[index] for index in range(len(buffers))), peak)


def _aligned(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT


def _gaps(taken: Sequence[tuple[int, int]], size: int) -> tuple[list[tuple[int, int]], int]:
    """Size and start of the gaps of at least `size` bytes between `taken` ranges, and their end."""
    gaps, end = [], 0
    for start, stop in taken:
        if start - end >= size:
            gaps.append((start - end, end))
        end = max(end, stop)
    return gaps, end


def _tightest(taken: Sequence[tuple[int, int]], size: int) -> int:
    gaps, end = _gaps(taken, size)
    return min(gaps)[1] if gaps else end


def _lowest(taken: Sequence[tuple[int, int]], size: int) -> int:
    gaps, end = _gaps(taken, size)
    return gaps[0][1] if gaps else end
