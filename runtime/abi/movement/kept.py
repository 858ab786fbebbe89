"""What a vector program keeps on chip, so that its parts find it there again.

Of windows that it loads and stores, whose bytes it writes before it reads them (sums of rows, what one pass over rows
leaves for the next), each has a *home*: small ones in L1, others in L2. What nobody reads after the launch never leaves
the chip. Of windows that it only loads, and more than once, *lines* of `LINE` bytes stay in L2 and L3 by the rule of
residency. Everything else passes through. Where not all fits beside slots for what passes, the largest are not kept.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tfmbs.runtime.abi.movement.areas import Area
from tfmbs.runtime.abi.movement.expansion import Expansion
from tfmbs.runtime.abi.movement.fields import Memory
from tfmbs.runtime.abi.movement.intervals import Intervals
from tfmbs.runtime.abi.movement.liveness import read_later
from tfmbs.runtime.abi.movement.memory import Space, aligned
from tfmbs.runtime.abi.movement.prediction import Stream
from tfmbs.runtime.abi.movement.residency import Held, residency
from tfmbs.runtime.abi.movement.walks import LEAST_SLOTS, Part, Runs, Walk, Walked

LINE = 2048
SLOTS = 8  # in each memory, as far as they fit: for as many transfers at once as there are engines, and as many more
L1_SHARE = 4  # homes have at most this part of L1
LEAST_RUN = 64  # bytes of an average run of what is kept in lines


@dataclass(eq=False)
class Home:
    """Bytes `low` to `high` of a memory, and where they are on chip. `is_stored`: results go out, too."""

    memory: int
    low: int
    high: int
    is_stored: bool
    area: Area | None = None
    is_in_l1: bool = False

    @property
    def size(self) -> int:
        """What it takes."""
        return aligned(self.high - self.low)

    @property
    def place(self) -> Area:
        """Where it is."""
        assert self.area is not None, "a home is used before it is planned"
        return self.area

    def address(self, at: int) -> int:
        """Where a byte is."""
        return self.place.address + at - self.low


@dataclass(eq=False)
class Lines:
    """Bytes `low` to `high` of a memory in lines; `touched` are those that are read."""

    memory: int
    low: int
    high: int
    touched: Intervals = field(default_factory=Intervals)

    @property
    def size(self) -> int:
        """What all of it takes."""
        return self.high - self.low


class Line(NamedTuple):
    """A line of `Lines`."""

    lines: Lines
    number: int

    @property
    def start(self) -> int:
        """The byte that is first in its slot."""
        return self.lines.low + self.number * LINE

    @property
    def bytes(self) -> list[tuple[int, int]]:
        """What of it is read."""
        return self.lines.touched.within(self.start, self.start + LINE)

    @property
    def size(self) -> int:
        """How much that is."""
        return sum(high - low for low, high in self.bytes)


Use = tuple[Line, int]
"""Of a line, by a part."""
Kept = Home | Lines


class Ranges:
    """Bytes of memories that are kept, and by what."""

    def __init__(self, kept: Sequence[Kept]) -> None:
        self._by_memory: dict[int, tuple[list[int], list[Kept]]] = {}
        for one in sorted(kept, key=lambda one: (one.memory, one.low)):
            lows, all_kept = self._by_memory.setdefault(one.memory, ([], []))
            lows.append(one.low)
            all_kept.append(one)

    def cut(self, runs: Sequence[Runs]) -> Iterator[tuple[Kept | None, Runs]]:
        """Runs, and what keeps them."""
        for run in runs:
            if run.memory not in self._by_memory:
                yield None, run
                continue
            kept, end = self._at(run.memory, run.first)
            if run.end <= end:
                yield kept, run
                continue
            for low, high in run.each():
                at = low
                while at < high:
                    kept, end = self._at(run.memory, at)
                    end = min(end, high)
                    yield kept, Runs(run.memory, at, end - at, 1, 0)
                    at = end

    def _at(self, memory: int, at: int) -> tuple[Kept | None, int]:
        """What keeps a byte, and up to where that is so."""
        lows, kept = self._by_memory[memory]
        index = bisect_right(lows, at)
        if index and kept[index - 1].high > at:
            return kept[index - 1], kept[index - 1].high
        return None, lows[index] if index < len(lows) else 1 << 62


@dataclass
class Slots:
    """How many bytes of a part's reads and writes pass through each memory, and how many such slots each has."""

    reads: int = 0
    writes: int = 0

    @property
    def size(self) -> int:
        """Of a slot for each."""
        return aligned(self.reads) + aligned(self.writes)

    def count(self, free: int) -> int:
        """How many there are in so many bytes."""
        return min(SLOTS, free // max(1, self.size))


_NOTHING = Stream(0, 0, (0, 0, 0), 0, 0, 0)


@dataclass
class Plan:
    """What a launch keeps.

    `l1` and `below` are the sizes of slots, `counts` how many there are in L3, L2 and L1. `held` are, for L2 and L3,
    where each line is found, in the order of `lines_of`, and `lines` where they lie. `stream` is all of it together.
    """

    ranges: Ranges
    l1: Slots
    below: Slots
    counts: tuple[int, int, int] = (0, 0, 0)
    held: tuple[Iterator[Held], Iterator[Held]] = (iter(()), iter(()))
    lines: tuple[Area, ...] = ()
    stream: Stream = _NOTHING


def planned(x: Expansion, walk: Walk, walked: Walked, tile: int) -> Plan:
    """What is kept, in areas of the memories that are carved for it."""
    parts, (l3, l2, l1) = walked.parts, (x.l3, x.l2, x.l1[tile])
    homes, lines = _homes(x, walk, walked), _lines(walk, parts)
    in_l1: list[Home] = []
    for home in sorted(homes, key=lambda one: one.size):
        more = [*in_l1, home]
        size = sum(one.size for one in more)
        slots = _passing(parts, Ranges(more))
        if home.is_stored or size * L1_SHARE > l1.size or size + LEAST_SLOTS * slots.size > l1.free:
            continue
        in_l1 = more
    others: list[Kept] = [*(home for home in homes if home not in in_l1), *lines]
    while True:
        ranges = Ranges([*in_l1, *others])
        below, need = _passing(parts, ranges), _lines_of_a_part(parts, ranges)
        in_l2 = sum(one.size for one in others if isinstance(one, Home))
        least = LEAST_SLOTS * (below.size + need * LINE)
        if not others or (in_l2 + least <= l2.free and least <= l3.free):
            break
        others.remove(max(others, key=lambda one: one.size))
    plan = Plan(ranges, _passing(parts, Ranges(in_l1)), below)
    for home in in_l1:
        home.area, home.is_in_l1 = Area(l1, home.size), True
    for one in others:
        if isinstance(one, Home):
            one.area = Area(l2, one.size)
    share = 2 if need else 1
    plan.counts = (
        max(LEAST_SLOTS, below.count(l3.free // share)),
        max(LEAST_SLOTS, below.count(l2.free // share)),
        plan.l1.count(l1.free),
    )
    brought = _keep_lines(plan, parts, (l2, l3), need) if need else ([], [])
    plan.stream = _stream(parts, ranges, *brought)
    return plan


def _stream(parts: Sequence[Part], ranges: Ranges, lifted: Sequence[Use], loaded: Sequence[Use]) -> Stream:
    """Cycles and bytes of all parts; `lifted` and `loaded` are the lines that come to L2 and L3."""
    fed, reads, writes = 0, [0] * len(parts), [0] * len(parts)
    for number, part in enumerate(parts):
        for kept, run in ranges.cut(part.reads):
            fed += run.total if not (isinstance(kept, Home) and kept.is_in_l1) else 0
            reads[number] += run.total if kept is None else 0
        writes[number] = sum(run.total for kept, run in ranges.cut(part.writes) if passes(kept))
    into = sum(reads)
    l3, l2 = (into + sum(line.size for line, _ in lines) for lines in (loaded, lifted))
    first = reads[0] + sum(line.size for line, number in loaded if number == 0)
    return Stream(0, sum(part.cycles for part in parts), (l3, l2, fed), sum(writes), first, writes[-1])


def lines_of(part: Part, ranges: Ranges) -> list[Line]:
    """The lines that a part reads, each once."""
    found: dict[Line, None] = {}
    for kept, run in ranges.cut(part.reads):
        if isinstance(kept, Lines):
            for low, high in run.each():
                first, last = (low - kept.low) // LINE, (high - 1 - kept.low) // LINE
                found.update(dict.fromkeys(Line(kept, number) for number in range(first, last + 1)))
    return list(found)


def _homes(x: Expansion, walk: Walk, walked: Walked) -> list[Home]:
    loaded, stored = walk.used()
    found = []
    for window in sorted(loaded & stored):
        memory, first, end = walk.place(window)
        written = Intervals()
        for run in walked.written:
            if run.memory == memory:
                for low, high in run.each():
                    if low < end and first < high:
                        written.add(max(low, first), min(high, end))
        bounds = list(written)
        if not bounds:
            continue
        low, high = bounds[0][0], bounds[-1][1]
        if any(run.memory == memory and run.first < end and first < run.end for run in walked.exposed):
            continue
        is_stored = memory != Memory.SCRATCH or bool(read_later(x).within(low, high))
        found.append(Home(memory, low, high, is_stored))
    return found


def _lines(walk: Walk, parts: Sequence[Part]) -> list[Lines]:
    """Of what is only loaded, what more than one part reads, in runs long enough; windows that meet are one."""
    loaded, stored = walk.used()
    found: list[Lines] = []
    for memory, low, high in sorted(walk.place(window) for window in loaded - stored):
        if found and found[-1].memory == memory and low < found[-1].high:
            found[-1].high = max(found[-1].high, high)
        else:
            found.append(Lines(memory, low, high))
    ranges, totals = Ranges(found), dict.fromkeys(found, (0, 0))
    for part in parts:
        for kept, run in ranges.cut(part.reads):
            if isinstance(kept, Lines):
                total, times = totals[kept]
                totals[kept] = total + run.total, times + run.times
    dense = [one for one, (total, times) in totals.items() if total >= LEAST_RUN * times > 0]
    ranges = Ranges(dense)
    for part in parts:
        for kept, run in ranges.cut(part.reads):
            if isinstance(kept, Lines):
                for low, high in run.each():
                    kept.touched.add(low, high)
    return [one for one in dense if totals[one][0] > one.touched.bytes]


def _passing(parts: Sequence[Part], ranges: Ranges) -> Slots:
    """The most that a part reads and writes of what passes through."""
    slots = Slots()
    for part in parts:
        slots.reads = max(slots.reads, sum(run.total for kept, run in ranges.cut(part.reads) if kept is None))
        slots.writes = max(slots.writes, sum(run.total for kept, run in ranges.cut(part.writes) if passes(kept)))
    return slots


def passes(kept: Kept | None) -> bool:
    """Whether what is written goes out."""
    return kept is None or (isinstance(kept, Home) and kept.is_stored)


def _lines_of_a_part(parts: Sequence[Part], ranges: Ranges) -> int:
    return max(len(lines_of(part, ranges)) for part in parts)


def _keep_lines(
    plan: Plan, parts: Sequence[Part], spaces: tuple[Space, Space], need: int
) -> tuple[list[Use], list[Use]]:
    """Decides which lines stay, from L2 outwards: what L2 misses is what L3 is asked for. Gives what each misses."""
    uses: list[Use] = [(line, number) for number, part in enumerate(parts) for line in lines_of(part, plan.ranges)]
    held, areas, missed = [], [], []
    for space, count in zip(spaces, (plan.counts[1], plan.counts[0]), strict=True):
        slots = min(len({line for line, _ in uses}), (space.free - count * plan.below.size) // LINE)
        found = residency(uses, slots, min(SLOTS, slots // need - 1))
        held.append(iter(found))
        areas.append(Area(space, slots * LINE))
        uses = [use for use, one in zip(uses, found, strict=True) if one.is_brought]
        missed.append(uses)
    plan.held, plan.lines = (held[0], held[1]), tuple(areas)
    return missed[0], missed[1]
