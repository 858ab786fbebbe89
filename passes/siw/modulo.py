"""Iterative modulo scheduling (Rau): issue times of a loop's operations so that iterations can follow at an interval.

An operation takes its slot for the cycles it is busy, at its time modulo the interval. Operations are placed the
longest path first, each where its operands and its slot allow; one that finds no place takes one, and what is in its
way is placed again. Times are chosen so that the gaps left in a slot still hold what has to go there.
"""

from __future__ import annotations

from collections.abc import Iterator

from tfmbs.passes.siw.modulo_problem import Problem
from tfmbs.passes.siw.modulo_windows import Windows, fits_before

BUDGET = 5
"""Placements per operation before an interval is given up."""


def modulo_schedules(problem: Problem, interval: int, tries: int) -> Iterator[list[int]]:
    """Issue times, the first of them 0, with which iterations can start every `interval` cycles.

    No way to choose what is placed next is always the best, so several are tried: by the longest path in four ways, and
    by paths of which each is made longer by a part of the interval, `tries` times in all.
    """
    if max(problem.graph.busy, default=0) > interval:
        return
    for windows, gaps_too, shuffle in problem.ways(interval, tries):
        if problem.effort <= 0:
            return
        problem.effort -= 1
        placing = _Placing(problem, interval, windows, gaps_too, shuffle)
        if placing.run():
            placing.delay()
            first = min(placing.time.values())
            yield [placing.time[n] - first for n in range(len(problem.graph.instrs))]


def _unit(busy: list[int]) -> int:
    """Of how many cycles the longer operations of a slot are multiples; otherwise the longest."""
    longer = sorted({cycles for cycles in busy if cycles > 1})
    if not longer:
        return 1
    return longer[0] if all(cycles % longer[0] == 0 for cycles in longer) else longer[-1]


class _Placing:
    def __init__(self, problem: Problem, interval: int, windows: Windows | None, gaps_too: bool, shuffle: int) -> None:
        self.shuffle = shuffle
        self.windows = windows
        self.gaps_too = gaps_too
        self.graph = problem.graph
        self.problem = problem
        self.interval = interval
        self.time: dict[int, int] = {}
        self.slot = [instr.op.slot for instr in self.graph.instrs]
        self.in_slot: dict[str, set[int]] = {slot: set() for slot in "DSC"}
        self.members = {slot: [n for n, s in enumerate(self.slot) if s == slot] for slot in "DSC"}
        self.unit = {slot: _unit([self.graph.busy[n] for n in members]) for slot, members in self.members.items()}
        self.spare = {slot: self._spare(members, slot) for slot, members in self.members.items()}
        self.count = len(problem.phases.member)
        self.starts = list(windows.starts) if windows else problem.phases.starts(interval)
        self.window = self._windows()
        self.place = dict(windows.place if windows else {})
        setvls = range(self.count, len(self.graph.instrs))
        self.fixed = {*self.place, *setvls}
        for n, start in zip(setvls, self.starts, strict=True):
            self.time[n] = self.place[n] = start
        self.at = dict(self.place)  # where in the interval operations issue that are placed, or whose place is fixed
        for n in self.place:
            self.in_slot[self.slot[n]].add(n)

    def _spare(self, members: list[int], slot: str) -> int:
        """Cycles of a slot that operations of whole units leave: as much may be lost between them."""
        unit = self.unit[slot]
        return self.interval - sum(self.graph.busy[n] for n in members if self.graph.busy[n] >= unit)

    def run(self) -> bool:
        """Places every operation, within the budget."""
        count = self.count
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
        return [level + self._noise(n) for n, level in enumerate(height)]

    def _noise(self, n: int) -> int:
        """A number below the interval that looks random, the same in every run; 0 for the first order."""
        return self.shuffle * (n + 1) * 2654435761 % (1 << 32) * self.interval >> 32

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
        taken = sorted((self.at[m], self.graph.busy[m]) for m in self.in_slot[slot] if m != without)
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
        short = self._short(n)
        for time in self._candidates(n, earliest, gaps):
            if time > last:
                return None
            if self._roomy(n, time, gaps, short) and not self._clashes(n, time):
                return time
        return None

    def _candidates(self, n: int, earliest: int, gaps: list[tuple[int, int]]) -> list[int]:
        """Times in gaps that leave others of the slot a place: where gaps start, end, or have room for whole units."""
        unit, interval = self.unit[self.slot[n]], self.interval
        if n in self.place:
            return [earliest + (self.place[n] - earliest) % interval]
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
        if window := self.window[n]:
            start, end = window
            found |= {earliest + (at - earliest) % interval for at in (start, end, end + 1 - self.graph.busy[n])}
        return sorted(time for time in found if time >= earliest and self._in_phase(n, time))

    def _windows(self) -> list[tuple[int, int] | None]:
        """The first and the last time of the phase that each operation is in, modulo the interval; None for any."""
        ends = [min((s for s in self.starts if s > start), default=self.interval) for start in self.starts]
        phases = [(start + 1, end) for start, end in zip(self.starts, ends, strict=True)]
        members = self.problem.phases.member
        own = [phases[phase] if phases and phase >= 0 else None for phase in members]
        return [*own, *[None] * (len(self.graph.instrs) - len(own))]

    def _in_phase(self, n: int, time: int) -> bool:
        if (window := self.window[n]) is None:
            return True
        start, end = window
        offset, last = (time - start) % self.interval, end - start
        return offset <= last and (self.windows is None or fits_before(last, offset, self.graph.busy[n]))

    def _short(self, n: int) -> int:
        """Cycles of the slot that other operations which are shorter than its unit are busy."""
        slot, busy = self.slot[n], self.graph.busy
        return sum(busy[m] for m in self.in_slot[slot] if m != n and busy[m] < self.unit[slot])

    def _roomy(self, n: int, time: int, gaps: list[tuple[int, int]], short: int) -> bool:
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
        return inside and lost + short <= self.spare[slot]

    def _clashes(self, n: int, time: int) -> set[int]:
        """Placed operations that cannot stay where they are when `n` is at `time`, by slot, word or wait."""
        interval, busy, at, own = self.interval, self.graph.busy, self.at, self.graph.busy[n]
        place = time % interval
        found = set()
        for m in self.in_slot[self.slot[n]]:
            ahead = (at[m] - place) % interval
            if (ahead < own or ahead + busy[m] > interval) and m != n:
                found.add(m)
        for m in self.problem.same_word[n]:
            if at.get(m) == place:
                found.add(m)
        times = self.time
        for m, cycles in self.problem.apart[n]:
            if m in times and 0 < (time - times[m]) % interval < cycles:
                found.add(m)
        for m, cycles in self.problem.followers[n]:
            if m in times and 0 < (times[m] - time) % interval < cycles:
                found.add(m)
        return found

    def _taken_time(self, n: int, earliest: int) -> int | None:
        """A time to take although something is in the way there: where something of the slot starts.

        So gaps keep their size. With `gaps_too` times in gaps count as well, and the least in the way decides.
        """
        starts = {self.at[m] for m in self.in_slot[self.slot[n]]}
        starts.update(self.window[n] or ())
        times = {earliest + (start - earliest) % self.interval for start in starts or {earliest}}
        if n in self.place:
            times = set(self._candidates(n, earliest, []))
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
        self.at[n] = time % self.interval
        for edge in self.graph.out[n]:
            to = edge.to
            if to != n and to in self.time and self.time[to] < time + edge.cycles - self.interval * edge.ahead:
                evicted.add(to)
        for m in evicted:
            del self.time[m]
            if m not in self.place:
                del self.at[m]
                self.in_slot[self.slot[m]].discard(m)
        self.in_slot[self.slot[n]].add(n)
        return evicted

    def delay(self) -> None:
        """Moves operations that make as many values as they end towards their readers: registers are held shorter."""
        for n in sorted(range(self.count), key=lambda m: -self.time[m]):
            instr = self.graph.instrs[n]
            latest = self._latest(n)
            if latest is None or latest <= self.time[n] or instr.writes is None:
                continue
            if len([r for r in instr.reads if r.bank is instr.writes.bank]) > 1:
                continue
            whole = (latest - self.time[n]) // self.interval * self.interval
            self.time[n] += whole  # the same place in the slot
            gaps, short = self._gaps(self.slot[n], n), self._short(n)
            later = [t for t in self._candidates(n, self.time[n], gaps) if t <= latest]
            for time in reversed(later):
                if self._roomy(n, time, gaps, short) and not self._clashes(n, time):
                    self.time[n], self.at[n] = time, time % self.interval
                    break
