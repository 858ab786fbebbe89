"""The dependence graph of operations that are written one after the other, once or as the body of a loop.

An edge says that an operation issues at least `cycles` after another one `ahead` iterations before it. With 0 cycles
the two may share a word: slots read before any slot writes. VL and the cursors of windows are registers like others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass, field

from tfmbs.passes.siw.lanes import Lanes
from tfmbs.passes.siw.machine import ZERO, Instr
from tfmbs.passes.siw.schedule_memory import distance, overlaps, window_of
from tfmbs.runtime.abi.siw_bounds import Edge
from tfmbs.runtime.abi.siw_timing import Timing

VL = "vl"


@dataclass
class Graph:
    """Operations by number, how long each keeps its slot busy, and the edges out of and into each."""

    instrs: list[Instr]
    busy: list[int]
    out: list[list[Edge]] = field(default_factory=list)
    into: list[list[Edge]] = field(default_factory=list)

    def edges(self) -> Iterator[Edge]:
        """All edges."""
        for edges in self.out:
            yield from edges


def resources(instr: Instr) -> tuple[set[Hashable], set[Hashable]]:
    """What an operation reads and what it writes: registers, VL, cursors."""
    op = instr.op
    reads: set[Hashable] = set(instr.reads)
    writes: set[Hashable] = {instr.writes} if instr.writes is not None and instr.writes != ZERO else set()
    if op.name in ("SETVL", "SETVLR"):
        writes.add(VL)
    elif op.vectors:
        reads.add(VL)
    if op.name in ("RECV", "SEND"):
        cursor = (op.name, window_of(instr))
        reads.add(cursor)
        writes.add(cursor)
    return reads, writes


def dependence_graph(
    instrs: Sequence[Instr],
    timing: Timing,
    lanes: Lanes,
    loop: int | None = None,
    renamed: Collection[Hashable] = (),
    local: Collection[Hashable] = (),
    free: Collection[Hashable] = (),
) -> Graph:
    """The graph of `instrs`; with `loop`, the edges to later iterations too.

    `renamed` are registers of which every iteration gets one of its own: only reads wait for writes of these. Those in
    `local` are written in an iteration before they are read: within it, its operations keep their order. `free`
    registers bind nothing: address registers whose users make up for their steps.
    """
    busy = [timing.busy(instr.op, lanes.cycles_vl(instr)) for instr in instrs]
    builder = _Builder(Graph(list(instrs), busy), timing, frozenset(renamed), frozenset(local), frozenset(free))
    builder.registers(2 if loop is not None else 1)
    builder.memory(lanes, loop)
    return builder.finish()


class _Builder:
    def __init__(
        self,
        graph: Graph,
        timing: Timing,
        renamed: frozenset[Hashable],
        local: frozenset[Hashable],
        free: frozenset[Hashable],
    ) -> None:
        self.graph = graph
        self.timing = timing
        self.renamed = renamed
        self.local = local
        self.free = free
        self.cycles: dict[tuple[int, int, int], int] = {}

    def add(self, source: int, to: int, cycles: int, ahead: int) -> None:
        key = (source, to, ahead)
        self.cycles[key] = max(self.cycles.get(key, 0), cycles)

    def registers(self, rounds: int) -> None:
        """Edges between operations on the same register, from a walk over one or two iterations."""
        instrs, size = self.graph.instrs, len(self.graph.instrs)
        accesses = [(reads - self.free, writes - self.free) for reads, writes in (resources(instr) for instr in instrs)]
        writer: dict[Hashable, int] = {}
        readers: dict[Hashable, list[int]] = {}
        for at in range(rounds * size):
            n = at % size
            reads, writes = accesses[n]
            for register in reads:
                if register in writer:
                    self._edge(writer[register], at, self._next if isinstance(register, tuple) else self._flow)
                readers.setdefault(register, []).append(at)
            for register in writes:
                before = [writer[register]] if register in writer and register not in reads else []
                if self._binds(register, at, before):
                    self._edge(before[0], at, self._output)
                for reader in readers.get(register, ()):
                    if reader != at and self._binds(register, at, [reader]):
                        self._edge(reader, at, self._anti)
                writer[register] = at
                readers[register] = []

    def _binds(self, register: Hashable, at: int, before: list[int]) -> bool:
        """Whether a write has to wait for an earlier access: not where iterations have registers of their own."""
        size = len(self.graph.instrs)
        if not before or register not in self.renamed:
            return bool(before)
        return register in self.local and before[0] // size == at // size

    def _edge(self, source: int, to: int, cycles: Callable[[int, int], int]) -> None:
        size = len(self.graph.instrs)
        if source < size or to < size:  # edges within the second iteration are those of the first
            self.add(source % size, to % size, cycles(source % size, to % size), to // size - source // size)

    def _flow(self, source: int, to: int) -> int:
        producer, consumer, busy = self.graph.instrs[source], self.graph.instrs[to], self.graph.busy
        return max(1, self.timing.ready_after(producer.op, busy[source], consumer.op, busy[to]))

    def _next(self, source: int, _: int) -> int:
        """A cursor moves on while the slot is busy."""
        return self.graph.busy[source]

    def _anti(self, source: int, to: int) -> int:
        return max(0, self.graph.busy[source] - self.graph.busy[to])

    def _output(self, source: int, to: int) -> int:
        return self._flow(source, to)

    def memory(self, lanes: Lanes, loop: int | None) -> None:
        """Edges between operations on the same window, of which one stores."""
        accesses = [n for n, instr in enumerate(self.graph.instrs) if instr.op.unit == "memory"]
        for position, n in enumerate(accesses):
            first = self.graph.instrs[n]
            for m in accesses if loop is not None else accesses[position + 1 :]:
                second = self.graph.instrs[m]
                if not (first.op.is_store or second.op.is_store) or window_of(first) != window_of(second):
                    continue
                most = max(lanes.cycles_vl(first), lanes.cycles_vl(second))
                if n < m and overlaps(first.touch, second.touch, most):
                    self.add(n, m, self._memory(n, m), 0)
                    continue
                ahead = distance(first, second, most, loop) if loop is not None else None
                if ahead is not None:
                    self.add(n, m, self._memory(n, m), ahead)

    def _memory(self, source: int, to: int) -> int:
        first, second, busy = self.graph.instrs[source].op, self.graph.instrs[to].op, self.graph.busy
        if first.is_store and second.is_load:
            return busy[source] + self.timing.result_latency(first)
        return max(1, busy[source] - busy[to])

    def finish(self) -> Graph:
        """The graph with its edges in place."""
        graph = self.graph
        graph.out = [[] for _ in graph.instrs]
        graph.into = [[] for _ in graph.instrs]
        for (source, to, ahead), cycles in self.cycles.items():
            edge = Edge(source, to, cycles, ahead)
            graph.out[source].append(edge)
            graph.into[to].append(edge)
        return graph


def same_window_conflict(first: Instr, second: Instr) -> bool:
    """Whether a word may not hold both: memory operations on one window, one of them a store."""
    if first.op.unit != "memory" or second.op.unit != "memory":
        return False
    return (first.op.is_store or second.op.is_store) and window_of(first) == window_of(second)
