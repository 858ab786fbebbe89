"""How long an LSTM takes by a closed model of the movement rule: what the search ranks plans by.

Inputs of the first steps are multiplied before the recurrence starts; those of others while it goes on. So there are
three phases, and each takes what its busiest engine does: the first product, the recurrence beside products, and the
recurrence of the last steps by itself. Where there is no product beside it, the array waits after each step for the
gates of its last block.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from tfmbs.runtime.abi.array_timing import Sizes
from tfmbs.runtime.abi.movement.machine import EngineInfo, EngineKind, Machine, array_cycles
from tfmbs.runtime.abi.movement.predicted import Bounds, Prediction, Traffic
from tfmbs.runtime.abi.movement.recurrence_plan import GATES, WORD, Layout, RecurrencePlan, RecurrenceWork
from tfmbs.runtime.abi.siw_timing import Timing
from tfmbs.runtime.abi.target import Vector

WAITING = 16
"""Engines that are both busy wait for each other now and then: for one part in so many of what the other one does."""

NOTHING = Bounds(0, 0, 0, 0, 0, 0)


@lru_cache(maxsize=4096)
def gates_cycles(vector: Vector, columns: int, biases: int) -> int:
    """What the vector engine takes for the gates of a row: five special functions; a sum for each gate and each bias;
    two products and a sum for the cell, and a product for the state; and a latency of each unit."""
    timing = Timing.of(vector)
    beats = -(-columns // timing.lanes)
    special = sum(
        timing.cycles["special" if name in timing.functions else "software"] * count
        for name, count in (("sigmoid", GATES - 1), ("tanh", 2))
    )
    sums = GATES * (1 + biases) + 4
    return beats * (sums + special) + sum(timing.latency[unit] for unit in ("memory", "alu", "special", "store"))


class _Moved(NamedTuple):
    """Bytes into L3, L2 and L1 for a step or a chunk of all jobs side by side, and results on their way out."""

    l3: int
    l2: int
    l1: int
    results: int

    def plus(self, other: _Moved) -> _Moved:
        """Of both together."""
        return _Moved(*(a + b for a, b in zip(self, other, strict=True)))

    def times(self, count: int) -> _Moved:
        """For so many of them."""
        return _Moved(*(count * size for size in self))


def predict_recurrence(work: RecurrenceWork, plan: RecurrencePlan, machine: Machine) -> Prediction:
    """The prediction for a launch."""
    return _Model(work, plan, machine).prediction()


class _Model:
    def __init__(self, work: RecurrenceWork, plan: RecurrencePlan, machine: Machine) -> None:
        self.work, self.plan, self.machine = work, plan, machine
        self.layout = Layout(work, plan, machine)
        self.jobs = work.ways * -(-work.batch // plan.rows)
        self.side = len(plan.fabric)
        self.ways = min(work.ways, self.side)  # at once
        self.dma, self.mover, self.streamer = (
            [engine for engine in machine.engines if engine.kind is kind]
            for kind in (EngineKind.DMA, EngineKind.BLOCK_MOVER, EngineKind.STREAMER)
        )
        l2, l3 = self.layout.l2_pages[1], self.layout.l3_pages[1]
        inputs = self.side * self.layout.input_pages
        self.left = max(0, l2 + l3 - inputs), l2 + l3  # pages for weights beside inputs, and without
        self.inputs_stay = inputs <= l2 + l3
        self.l2_share = l2 / max(1, l2 + l3)

    # --- the array and the vector engine, in cycles -------------------------------------------------------------------

    def _fold(self, m: int, n: int, k: int, *, again: bool) -> int:
        return array_cycles(self.machine, self.plan.dataflow, Sizes(m, n, k), self.plan.is_buffered, again)

    def _product(self, m: int, gates: int, k: int, depth: int) -> tuple[int, int]:
        """Cycles of the folds of m rows against all gates, and how many folds these are."""
        total = count = 0
        for block, blocks in _parts(self.work.hidden, self.plan.block):
            for size, depths in _parts(k, depth):
                first, again = (self._fold(m, gates * block, size, again=again) for again in (False, True))
                starts = 1 if size == min(depth, k) else 0
                total += GATES // gates * blocks * (starts * first + (depths - starts) * again)
                count += GATES // gates * blocks * depths
        return total, count

    def _streamed(self, size: int) -> int:
        """Cycles of a tile's Streamers."""
        return -(-size // self.streamer[0].width) * self.streamer[0].period_ps // self.machine.core_ps

    # --- bytes --------------------------------------------------------------------------------------------------------

    def _recurrent(self, pages: int) -> _Moved:
        """Of a step, where so many pages stay."""
        work, plan = self.work, self.plan
        weights = self.ways * GATES * work.hidden * work.hidden * WORD
        share = 1 - min(1.0, pages / max(1, self.ways * self.layout.recurrent_pages))
        share2 = 1 - min(1.0, pages * self.l2_share / max(1, self.ways * self.layout.recurrent_pages))
        state = self.side * plan.rows * work.hidden * WORD
        sums = GATES * state
        return _Moved(
            int(weights * share) + (0 if self.layout.stays else sums),
            int(weights * share2) + sums,
            self.side * weights // self.ways + sums + 2 * state,
            state,
        )

    def _ahead(self, pages: int) -> _Moved:
        """Of a chunk of steps, where so many pages of weights are there from the one before."""
        work, plan, layout = self.work, self.plan, self.layout
        weights = GATES * work.hidden * work.width * WORD
        inputs = self.side * plan.ahead * plan.rows * work.width * WORD
        turns = layout.blocks * GATES // plan.ahead_gates
        share = 1 - min(1.0, pages / max(1, self.ways * layout.weight_pages))
        into = int(self.ways * weights * share) + inputs * (1 if self.inputs_stay else turns)
        sums = self.side * plan.ahead * plan.rows * GATES * work.hidden * WORD
        return _Moved(into, into, self.side * weights + inputs * turns, 0 if layout.stays else sums)

    # --- phases -------------------------------------------------------------------------------------------------------

    def _bounds(self, array: int, vector: int, moved: _Moved) -> Bounds:
        machine = self.machine
        feeding = min(len(self.streamer), self.side)
        return Bounds(
            array * machine.core_ps,
            vector * machine.core_ps,
            machine.external_ps(moved.l3 + moved.results),
            _moved(moved.l3 + moved.results, self.dma),
            _moved(moved.l2, self.mover),
            _moved(moved.l1, self.streamer[:feeding]),
        )

    def prediction(self) -> Prediction:
        """Of all rounds."""
        work, plan, layout, machine = self.work, self.plan, self.layout, self.machine
        chunk = plan.ahead * plan.rows
        ahead, aheads = self._product(chunk, plan.ahead_gates, work.width, plan.ahead_depth)
        step, steps = self._product(plan.rows, plan.gates, work.hidden, plan.depth)
        gates = gates_cycles(machine.target.vector, plan.block, work.biases)
        vector = layout.blocks * plan.rows * gates
        fed = self._streamed(layout.panel), self._streamed(layout.ahead_inputs + layout.ahead_weights)
        single = plan.slots == 1
        # The gates of a block follow its folds, and the next step all gates: the vector engine starts when the first
        # block is done, and ends after the last one.
        block = step // layout.blocks + (fed[0] if single else 0)
        turn = plan.rows * gates + 2 * self._streamed(layout.state)
        alone = max(step + (steps * fed[0] if single else 0) + turn, block + vector + turn - plan.rows * gates)
        first = ahead + (aheads * fed[1] if single else 0)
        last_steps = work.steps - (layout.chunks - 1) * plan.ahead
        lone = steps * plan.ahead - aheads  # folds that follow one of their own kind
        both = ahead + plan.ahead * step + (abs(lone) * fed[0 if lone > 0 else 1] if single else 0)
        both = max(both, plan.ahead * alone)
        chunked = self._ahead(max(0, self.left[0] - self.ways * layout.recurrent_pages))
        beside, last = self._recurrent(self.left[0]), self._recurrent(self.left[1])
        once = self._recurrent(0).l3 - last.l3  # pages that stay come once
        phases = [
            (1, first, 0, self._ahead(0)),
            (layout.chunks - 1, both, plan.ahead * vector, chunked.plus(beside.times(plan.ahead))),
            (1, last_steps * alone, last_steps * vector, last.times(last_steps).plus(_Moved(once, once, 0, 0))),
        ]
        total, bounds, traffic = 0, NOTHING, _Moved(0, 0, 0, 0)
        for count, array, vectors, moved in phases:
            one = self._bounds(array, vectors, moved)
            busiest, second = sorted((*one[:2], max(one.external, one.dma), *one[4:]))[:-3:-1]
            total += count * (busiest + second // WAITING)
            bounds = Bounds(*(a + count * b for a, b in zip(bounds, one, strict=True)))
            traffic = traffic.plus(moved.times(count))
        rounds = -(-self.jobs // self.side)
        page = layout.page
        latency = max(machine.external_ps(page), _moved(page, self.dma[:1])) + _moved(page, self.mover[:1])
        return Prediction(
            Bounds(*(rounds * one for one in bounds)),
            Traffic(*traffic.times(rounds)),
            latency,
            rounds * total + latency,
            machine.core_ps,
        )


def _parts(size: int, by: int) -> Iterator[tuple[int, int]]:
    """Sizes of the parts of an axis, and how many there are of each."""
    full, rest = divmod(size, by)
    yield from (part for part in ((by, full), (rest, 1)) if part[0] and part[1])


def _moved(size: int, engines: list[EngineInfo]) -> int:
    """Picoseconds that engines take together to move bytes."""
    return -(-size // (engines[0].width * len(engines))) * engines[0].period_ps
