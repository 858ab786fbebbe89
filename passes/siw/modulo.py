"""Iterative modulo scheduling (Rau): issue times of a loop's operations so that iterations can follow at an interval.

An operation takes its slot for the cycles it is busy, at its time modulo the interval. Operations are placed the
longest path first, each where its operands and its slot allow; one that finds no place takes one, and what is in its
way is placed again. Times are chosen so that the gaps left in a slot still hold what has to go there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tfmbs.passes.siw.modulo_phases import Phases
from tfmbs.passes.siw.schedule_graph import Graph, same_window_conflict
from tfmbs.runtime.abi.siw_deps import INTERLOCKED_UNITS
from tfmbs.runtime.abi.siw_timing import Timing

BUDGET = 5
"""Placements per operation before an interval is given up."""


@dataclass
class Problem:
    """A loop to be scheduled: its graph, and pairs of operations that explicit waits keep apart.

    A word that waits for slow units or for stores waits for all of them, so that it should not come soon after one:
    `apart[n]` lists (earlier operation m, cycles): modulo the interval, n issues with m or at least so much after it.
    """

    graph: Graph
    phases: Phases
    apart: list[list[tuple[int, int]]] = field(default_factory=list)
    followers: list[list[tuple[int, int]]] = field(default_factory=list)

    @classmethod
    def of(cls, graph: Graph, phases: Phases, timing: Timing) -> Problem:
        """The problem of a graph. Its last operations are the SETVL of the phases, when there are several."""
        problem = cls(graph, phases, [[] for _ in graph.instrs], [[] for _ in graph.instrs])
        for n, cycles, m in _waits(graph, timing):
            problem.apart[n].append((m, cycles))
            problem.followers[m].append((n, cycles))
        return problem

    @property
    def bound(self) -> int:
        """The least interval that waits allow. One slot does the waiting operation and what it waits for in turn."""
        graph = self.graph
        pairs = [(n, m, cycles) for n, before in enumerate(self.apart) for m, cycles in before]
        same = [
            (graph.instrs[n].op.slot == graph.instrs[m].op.slot and graph.instrs[n].op.is_load) for n, m, _ in pairs
        ]
        alone = [cycles + (graph.busy[n] if s else 0) for (n, _, cycles), s in zip(pairs, same, strict=True)]
        return max(alone, default=1)


def _waits(graph: Graph, timing: Timing) -> Iterator[tuple[int, int, int]]:
    """(waiting operation, cycles, operation it waits for)."""
    slow = [n for n, instr in enumerate(graph.instrs) if instr.op.unit in INTERLOCKED_UNITS]
    readers = {edge.to for n in slow for edge in graph.out[n] if graph.instrs[n].writes in graph.instrs[edge.to].reads}
    for reader in sorted(readers):
        for n in slow:
            if n != reader:
                yield reader, timing.result_latency(graph.instrs[n].op), n
    for n, instr in enumerate(graph.instrs):
        if instr.op.is_load:
            for m, other in enumerate(graph.instrs):
                if other.op.is_store and same_window_conflict(instr, other):
                    yield n, graph.busy[m] + timing.result_latency(other.op), m


def modulo_schedule(problem: Problem, interval: int) -> list[int] | None:
    """Issue times, the first of them 0, with which iterations can start every `interval` cycles; None: none found."""
    if max(problem.graph.busy, default=0) > interval:
        return None
    for gaps_too in (False, True):  # neither way to make room is better than the other
        placing = _Placing(problem, interval, gaps_too)
        if placing.run():
            placing.delay()
            first = min(placing.time.values())
            return [placing.time[n] - first for n in range(len(problem.graph.instrs))]
    return None


def _unit(busy: list[int]) -> int:
    """Of how many cycles the longer operations of a slot are multiples; otherwise the longest."""
    longer = sorted({cycles for cycles in busy if cycles > 1})
    if not longer:
        return 1
    return longer[0] if all(cycles % longer[0] == 0 for cycles in longer) else longer[-1]


class _Placing:
    def __init__(self, problem: Problem, interval: int, gaps_too: bool) -> None:
        self.gaps_too = gaps_too
        self.graph = problem.graph
        self.problem = problem
        self.interval = interval
        self.time: dict[int, int] = {}
        self.slot = [instr.op.slot for instr in self.graph.instrs]
        self.in_slot: dict[str, set[int]] = {slot: set() for slot in "DSC"}
        self.members = {slot: [n for n, s in enumerate(self.slot) if s == slot] for slot in "DSC"}
        self.memory = {n for n, instr in enumerate(self.graph.instrs) if instr.op.unit == "memory"}
        self.unit = {slot: _unit([self.graph.busy[n] for n in members]) for slot, members in self.members.items()}
        self.spare = {slot: self._spare(members, slot) for slot, members in self.members.items()}
        self.fixed = range(len(problem.phases.member), len(self.graph.instrs))
        self.starts = problem.phases.starts(interval)
        for n, start in zip(self.fixed, self.starts, strict=True):
            self.time[n] = start
            self.in_slot["C"].add(n)

    def _spare(self, members: list[int], slot: str) -> int:
        """Cycles of a slot that operations of whole units leave: as much may be lost between them."""
        unit = self.unit[slot]
        return self.interval - sum(self.graph.busy[n] for n in members if self.graph.busy[n] >= unit)

    def run(self) -> bool:
        """Places every operation, within the budget."""
        count = self.fixed.start
        height = self._heights()
        waiting = sorted(range(count), key=lambda n: (height[n], -n))
        last = [-1] * count
        budget = BUDGET * count
        while waiting:
            budget -= 1
            if budget < 0:
                return False
            n = waiting.pop()
            earliest = self._earliest(n)
            time = self._free_time(n, earliest)
            if time is None:
                time = self._taken_time(n, max(earliest, last[n] + 1))
            if time is None:
                return False
            last[n] = time
            evicted = self._place(n, time)
            if evicted:
                waiting = sorted({*waiting, *evicted}, key=lambda m: (height[m], -m))
        return True

    def _heights(self) -> list[int]:
        height = [0] * len(self.graph.instrs)
        changed = True
        while changed:  # ends, as no cycle of edges is longer than the interval allows
            changed = False
            for n in reversed(range(len(height))):
                for edge in self.graph.out[n]:
                    level = height[edge.to] + edge.cycles - self.interval * edge.ahead
                    if level > height[n]:
                        height[n] = level
                        changed = True
        return height

    def _earliest(self, n: int) -> int:
        earliest = 0
        for edge in self.graph.into[n]:
            if edge.source in self.time and edge.source != n:
                earliest = max(earliest, self.time[edge.source] + edge.cycles - self.interval * edge.ahead)
        return earliest

    def _latest(self, n: int) -> int | None:
        """The latest time that what is placed behind it allows."""
        times = [
            self.time[edge.to] - edge.cycles + self.interval * edge.ahead
            for edge in self.graph.out[n]
            if edge.to != n and edge.to in self.time
        ]
        return min(times, default=None)

    def _gaps(self, slot: str, without: int = -1) -> list[tuple[int, int]]:
        """(start, length) of the free parts of a slot, starts modulo the interval."""
        taken = sorted((self.time[m] % self.interval, self.graph.busy[m]) for m in self.in_slot[slot] if m != without)
        if not taken:
            return [(0, self.interval)]
        gaps = []
        for (start, busy), (following, _) in zip(taken, [*taken[1:], (taken[0][0] + self.interval, 0)], strict=True):
            if following > start + busy:
                gaps.append(((start + busy) % self.interval, following - start - busy))
        return gaps

    def _free_time(self, n: int, earliest: int, latest: int | None = None) -> int | None:
        """The first time from `earliest` on, within an interval, at which nothing is in the way."""
        last = earliest + self.interval - 1 if latest is None else min(latest, earliest + self.interval - 1)
        gaps = self._gaps(self.slot[n], n)
        for time in self._candidates(n, earliest, gaps):
            if time > last:
                return None
            if self._roomy(n, time, gaps) and not self._clashes(n, time):
                return time
        return None

    def _candidates(self, n: int, earliest: int, gaps: list[tuple[int, int]]) -> list[int]:
        """Times in gaps that leave others of the slot a place: where gaps start, end, or have room for whole units."""
        unit, interval = self.unit[self.slot[n]], self.interval
        found = set()
        for start, length in gaps:
            room = length - self.graph.busy[n]
            if room < 0:
                continue
            offset = (earliest - start) % interval
            first = earliest - offset
            found.add(first + interval)
            if offset <= room:
                found |= {earliest, first + room}
                whole = -(-offset // unit) * unit
                if whole <= room:
                    found.add(first + whole)
        ready = [self.time[m] + cycles for m, cycles in self.problem.apart[n] if m in self.time]
        ready += [self.time[m] + 1 for m, _ in self.problem.followers[n] if m in self.time]
        found |= {earliest + (time - earliest) % interval for time in ready}
        if self.starts and self.problem.phases.member[n] >= 0:
            start, end = self._window(n)
            found |= {earliest + (start - earliest) % interval, earliest + (end - earliest) % interval}
        return sorted(time for time in found if time >= earliest and self._in_phase(n, time))

    def _window(self, n: int) -> tuple[int, int]:
        """The first and the last time of the phase that an operation is in, modulo the interval."""
        phase = self.problem.phases.member[n]
        following = self.starts[phase + 1] if phase + 1 < len(self.starts) else self.interval
        return self.starts[phase] + 1, following

    def _in_phase(self, n: int, time: int) -> bool:
        if not self.starts or self.problem.phases.member[n] < 0:
            return True
        start, end = self._window(n)
        return (time - start) % self.interval <= end - start

    def _roomy(self, n: int, time: int, gaps: list[tuple[int, int]]) -> bool:
        """Whether the time lies in a gap and what is lost between the longest operations is not too much."""
        slot, busy = self.slot[n], self.graph.busy[n]
        unit = self.unit[slot]
        place, lost, inside = time % self.interval, 0, False
        for start, length in gaps:
            before = (place - start) % self.interval
            if not inside and before + busy <= length:
                inside = True
                after = length - before - busy
                small = busy if busy < unit else 0
                lost += before % unit + after % unit + small
            else:
                lost += length % unit
        placed = sum(self.graph.busy[m] for m in self.in_slot[slot] if m != n and self.graph.busy[m] < unit)
        return inside and lost + placed <= self.spare[slot]

    def _clashes(self, n: int, time: int) -> set[int]:
        """Placed operations that cannot stay where they are when `n` is at `time`, by slot, word or wait."""
        interval, busy = self.interval, self.graph.busy
        place = time % interval
        found = set()
        for m in self.in_slot[self.slot[n]]:
            if m != n:
                ahead = (self.time[m] - place) % interval
                if ahead < busy[n] or ahead + busy[m] > interval:
                    found.add(m)
        if n in self.memory:
            instr = self.graph.instrs[n]
            for m in self.memory:
                together = m != n and m in self.time and (self.time[m] - place) % interval == 0
                if together and same_window_conflict(instr, self.graph.instrs[m]):
                    found.add(m)
        for m, cycles in self.problem.apart[n]:
            if m in self.time and 0 < (time - self.time[m]) % interval < min(cycles, interval):
                found.add(m)
        for m, cycles in self.problem.followers[n]:
            if m in self.time and 0 < (self.time[m] - time) % interval < min(cycles, interval):
                found.add(m)
        return found

    def _taken_time(self, n: int, earliest: int) -> int | None:
        """A time to take although something is in the way there: where something of the slot starts.

        So gaps keep their size. With `gaps_too` times in gaps count as well, and the least in the way decides.
        """
        starts = {self.time[m] for m in self.in_slot[self.slot[n]]}
        if self.starts and self.problem.phases.member[n] >= 0:
            starts.update(self._window(n))
        times = {earliest + (start - earliest) % self.interval for start in starts or {earliest}}
        if self.gaps_too:
            times.update(self._candidates(n, earliest, self._gaps(self.slot[n], n)))
        best: tuple[int, int] | None = None
        for time in times:
            clashes = self._clashes(n, time)
            if self._in_phase(n, time) and clashes.isdisjoint(self.fixed):
                found = len(clashes) if self.gaps_too else 0, time
                best = min(best or found, found)
        return None if best is None else best[1]

    def _place(self, n: int, time: int) -> set[int]:
        """Places an operation; returns those that have to be placed again."""
        evicted = self._clashes(n, time)
        self.time[n] = time
        for edge in self.graph.out[n]:
            to = edge.to
            if to != n and to in self.time and self.time[to] < time + edge.cycles - self.interval * edge.ahead:
                evicted.add(to)
        for m in evicted:
            del self.time[m]
            self.in_slot[self.slot[m]].discard(m)
        self.in_slot[self.slot[n]].add(n)
        return evicted

    def delay(self) -> None:
        """Moves operations that make as many values as they end towards their readers: registers are held shorter."""
        for n in sorted(range(self.fixed.start), key=lambda m: -self.time[m]):
            instr = self.graph.instrs[n]
            latest = self._latest(n)
            if latest is None or latest <= self.time[n] or instr.writes is None:
                continue
            if len([r for r in instr.reads if r.bank is instr.writes.bank]) > 1:
                continue
            whole = (latest - self.time[n]) // self.interval * self.interval
            self.time[n] += whole  # the same place in the slot
            gaps = self._gaps(self.slot[n], n)
            later = [t for t in self._candidates(n, self.time[n], gaps) if t <= latest]
            for time in reversed(later):
                if self._roomy(n, time, gaps) and not self._clashes(n, time):
                    self.time[n] = time
                    break
