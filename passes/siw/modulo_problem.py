"""What modulo scheduling is to solve: a loop's graph, phases of VL, and operations that explicit waits keep apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tfmbs.passes.siw.modulo_phases import Phases
from tfmbs.passes.siw.modulo_windows import Windows
from tfmbs.passes.siw.schedule_graph import Graph, same_window_conflict
from tfmbs.passes.siw.schedule_memory import window_of
from tfmbs.runtime.abi.siw_deps import INTERLOCKED_UNITS
from tfmbs.runtime.abi.siw_timing import Timing

EFFORT = 2000
"""Operations in all schedules of a loop that are tried, without those placed again."""

LEAST_EFFORT = 12
"""Schedules that are tried of any loop."""


@dataclass
class Problem:
    """A loop to be scheduled: its graph, and pairs of operations that explicit waits keep apart.

    A word that waits for slow units or for stores waits for all of them, so that it should not come soon after one:
    `apart[n]` lists (earlier operation m, cycles): modulo the interval, n issues with m or at least so much after it.
    `same_word[n]` are memory operations that cannot be in one word with n. `effort` is how many schedules may still be
    tried.
    """

    graph: Graph
    phases: Phases
    windows: Windows | None
    effort: int
    apart: list[list[tuple[int, int]]] = field(default_factory=list)
    followers: list[list[tuple[int, int]]] = field(default_factory=list)
    same_word: list[list[int]] = field(default_factory=list)

    @classmethod
    def of(cls, graph: Graph, phases: Phases, timing: Timing) -> Problem:
        """The problem of a graph. Its last operations are the SETVL of the phases, when there are several."""
        waits = list(_waits(graph, timing))
        # What waits for an operation comes before it in a window, and so in the next interval, when it need not wait.
        before = {(n, m) for n, _, m in waits}
        windows = Windows.of(phases, [instr.op.slot for instr in graph.instrs], graph.busy, before)
        effort = max(LEAST_EFFORT, EFFORT // len(graph.instrs))
        problem = cls(graph, phases, windows, effort, [[] for _ in graph.instrs], [[] for _ in graph.instrs])
        problem.same_word = _same_word(graph)
        for n, cycles, m in waits:
            problem.apart[n].append((m, cycles))
            problem.followers[m].append((n, cycles))
        return problem

    def ways(self, interval: int, tries: int) -> Iterator[tuple[Windows | None, bool, int]]:
        """Ways to schedule: (windows of VLs, whether to make room in gaps too, a number for the order)."""
        for shuffle in range(tries):
            if self.windows is not None and self.windows.bound <= interval:
                yield from ((self.windows, False, shuffle), (self.windows, True, shuffle))
            yield from ((None, False, shuffle), (None, True, shuffle))

    @property
    def bound(self) -> int:
        """The least interval that waits allow: a slot that stores to a window and loads from it turns round in each.

        Of what it does with such a window in an interval, at least one load comes next after a store, and waits until
        that is complete. A result of a slow unit has its reader, and who waits for all of them, in turn.
        """
        graph = self.graph
        bound = 1
        for n, before in enumerate(self.apart):
            for m, cycles in before:
                alone = cycles
                same = graph.instrs[n].op.is_load and same_window_conflict(graph.instrs[n], graph.instrs[m])
                if same and graph.instrs[n].op.slot == graph.instrs[m].op.slot:
                    alone += sum(graph.busy[other] for other in self._with_window_of(n) if other != m)
                bound = max(bound, alone)
        return bound

    def _with_window_of(self, n: int) -> Iterator[int]:
        """The memory operations of its slot on the window of operation n."""
        instr = self.graph.instrs[n]
        for m, other in enumerate(self.graph.instrs):
            if other.op.unit == "memory" and other.op.slot == instr.op.slot and window_of(other) == window_of(instr):
                yield m


def _same_word(graph: Graph) -> list[list[int]]:
    """The operations that use a window in a way that one word cannot, by operation."""
    memory = [n for n, instr in enumerate(graph.instrs) if instr.op.unit == "memory"]
    result: list[list[int]] = [[] for _ in graph.instrs]
    for n in memory:
        result[n] = [m for m in memory if m != n and same_window_conflict(graph.instrs[n], graph.instrs[m])]
    return result


def _waits(graph: Graph, timing: Timing) -> Iterator[tuple[int, int, int]]:
    """(waiting operation, cycles, operation it waits for)."""
    slow = [n for n, instr in enumerate(graph.instrs) if instr.op.unit in INTERLOCKED_UNITS]
    readers = {edge.to for n in slow for edge in graph.out[n] if graph.instrs[n].writes in graph.instrs[edge.to].reads}
    for reader in sorted(readers):
        for n in slow:
            if n != reader:
                yield reader, timing.result_latency(graph.instrs[n].op), n
    stores = [m for m, instr in enumerate(graph.instrs) if instr.op.is_store]
    for n, instr in enumerate(graph.instrs):
        if instr.op.is_load and any(same_window_conflict(instr, graph.instrs[m]) for m in stores):
            for m in stores:
                yield n, graph.busy[m] + timing.result_latency(graph.instrs[m].op), m
