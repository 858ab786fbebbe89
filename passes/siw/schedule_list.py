"""List scheduling of operations that run one after the other: the longest path first, or in written order."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from tfmbs.passes.siw.lanes import Lanes
from tfmbs.passes.siw.machine import Instr
from tfmbs.passes.siw.schedule import Word
from tfmbs.passes.siw.schedule_graph import Graph, dependence_graph, same_window_conflict
from tfmbs.runtime.abi.siw_bounds import Edge
from tfmbs.runtime.abi.siw_timing import Timing


def schedule_block(
    instrs: Sequence[Instr], control: Instr | None, timing: Timing, lanes: Lanes, *, in_order: bool
) -> list[Word]:
    """The words of `instrs`; `control`, a LOOP, SKIP or BREAK, is in the last one.

    `in_order` keeps the written order, which keeps few values alive; otherwise latencies and busy slots decide.
    """
    every = [*instrs, *([control] if control is not None else [])]
    if control is not None:
        lanes.vl.setdefault(control, 1)
    graph = dependence_graph(every, timing, lanes)
    if control is not None:
        last = len(every) - 1
        for n in range(last):
            edge = Edge(n, last, 0)
            graph.out[n].append(edge)
            graph.into[last].append(edge)
    issue = _in_order(graph) if in_order else _by_latency(graph)
    words: dict[int, Word] = {}
    for n, cycle in enumerate(issue):
        words.setdefault(cycle, Word()).slots[every[n].op.slot] = every[n]
    return [words[cycle] for cycle in sorted(words)]


def heights(graph: Graph) -> list[int]:
    """Cycles from the issue of each operation to the end, along edges within an iteration."""
    height = list(graph.busy)
    for n in reversed(range(len(graph.instrs))):
        for edge in graph.out[n]:
            if not edge.ahead:
                height[n] = max(height[n], edge.cycles + height[edge.to])
    return height


class _Placing:
    """Words filled so far, by cycle, and when each slot is free."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.issue = [-1] * len(graph.instrs)
        self.free = dict.fromkeys("DSC", 0)
        self.at: dict[int, list[Instr]] = {}

    def earliest(self, n: int) -> int:
        """The first cycle that its operands allow."""
        return max((self.issue[edge.source] + edge.cycles for edge in self.graph.into[n]), default=0)

    def fits(self, n: int, cycle: int) -> bool:
        """Whether the slot is free, and no other operation of the word on the same window is in the way."""
        instr = self.graph.instrs[n]
        return self.free[instr.op.slot] <= cycle and not any(
            same_window_conflict(instr, other) for other in self.at.get(cycle, ())
        )

    def place(self, n: int, cycle: int) -> None:
        """Issues an operation."""
        self.issue[n] = cycle
        instr = self.graph.instrs[n]
        self.free[instr.op.slot] = cycle + self.graph.busy[n]
        self.at.setdefault(cycle, []).append(instr)


def _in_order(graph: Graph) -> list[int]:
    placing, cycle = _Placing(graph), 0
    for n in range(len(graph.instrs)):
        cycle = max(cycle, placing.earliest(n))
        while not placing.fits(n, cycle):
            cycle += 1
        placing.place(n, cycle)
    return placing.issue


def _by_latency(graph: Graph) -> list[int]:
    placing, height = _Placing(graph), heights(graph)
    waiting = [len(edges) for edges in graph.into]
    pending = [(0, n) for n, count in enumerate(waiting) if not count]  # by the cycle their operands allow
    heapq.heapify(pending)
    ready: dict[str, list[tuple[int, int]]] = {"D": [], "S": [], "C": []}  # by height
    left, cycle = len(graph.instrs), 0
    while left:
        while pending and pending[0][0] <= cycle:
            _, n = heapq.heappop(pending)
            heapq.heappush(ready[graph.instrs[n].op.slot], (-height[n], n))
        placed = _issue(placing, ready, cycle)
        left -= len(placed)
        again = False
        for n in placed:
            for edge in graph.out[n]:
                waiting[edge.to] -= 1
                if not waiting[edge.to]:
                    heapq.heappush(pending, (placing.earliest(edge.to), edge.to))
                    again = again or pending[0][0] <= cycle
        if not again:  # an operation that may share the word of one just placed is tried once more
            times = [placing.free[slot] for slot, heap in ready.items() if heap]
            times += [pending[0][0]] if pending else []
            cycle = max(cycle + 1, min(times, default=cycle + 1))
    return placing.issue


def _issue(placing: _Placing, ready: dict[str, list[tuple[int, int]]], cycle: int) -> list[int]:
    """Issues what is ready, the highest of each slot first; returns what was placed."""
    placed = []
    for heap in ready.values():
        skipped = []
        while heap:
            entry = heapq.heappop(heap)
            if placing.fits(entry[1], cycle):
                placing.place(entry[1], cycle)
                placed.append(entry[1])
                break
            skipped.append(entry)
            if placing.free[placing.graph.instrs[entry[1]].op.slot] > cycle:
                break
        for entry in skipped:
            heapq.heappush(heap, entry)
    return placed
