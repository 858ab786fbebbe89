"""LSTM: sums of inputs some steps ahead, then step by step blocks of the state against weights of each gate, and gates.

A job is some sequences of a direction. The states of the step before stay in the L1 of its tile, those that are made go
to L2 in blocks, and back when all of them are there; so do cells. For each block, panels of recurrent weights come and
are multiplied; the gates of a block are the vector engine's. What the array can do of the inputs of later steps it does
between these folds, evenly, and where a step ends, while the gates of its last block are made. Which pages of weights
stay in L2 and L3 is decided beforehand (`pages`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import NamedTuple

from tfmbs.runtime.abi.array_timing import Sizes
from tfmbs.runtime.abi.image import Row
from tfmbs.runtime.abi.movement.expansion import Expansion
from tfmbs.runtime.abi.movement.launch import Launch
from tfmbs.runtime.abi.movement.memory import Ring, Slot
from tfmbs.runtime.abi.movement.operands import span
from tfmbs.runtime.abi.movement.recurrence_ahead import Ahead, AheadSlots, Chunk
from tfmbs.runtime.abi.movement.recurrence_folds import Folds, Rows
from tfmbs.runtime.abi.movement.recurrence_gates import Gates, GatesSlots
from tfmbs.runtime.abi.movement.recurrence_launch import Job, Recurrence
from tfmbs.runtime.abi.movement.recurrence_plan import GATES, WORD, Layout
from tfmbs.runtime.abi.movement.recurrence_prediction import predict_recurrence
from tfmbs.runtime.abi.movement.recurrence_weights import Inputs


class _Panel(NamedTuple):
    """A panel of recurrent weights in a step of a job."""

    step: int
    block: int
    gate: int
    part: int


@dataclass
class _Own:
    """Slots of a tile: in L1 the states of the step before, panels and sums of a block; in L2 the states that are made;
    and what becomes of gates and inputs."""

    state: Slot
    panels: Ring
    sums: Ring
    made: Slot
    gates: GatesSlots
    ahead: AheadSlots

    @classmethod
    def of(cls, x: Expansion, layout: Layout, tile: int) -> _Own:
        """Carves them."""
        l1 = x.l1[tile]
        return cls(
            l1.slots(1, layout.state)[0],
            Ring(l1.slots(layout.plan.slots, layout.panel)),
            Ring(l1.slots(2, layout.sums)),
            x.l2.slots(1, layout.state)[0],
            GatesSlots.of(x, layout, tile),
            AheadSlots.of(x, layout, tile),
        )


def expand_lstm(x: Expansion, descriptor: Row, where: str) -> Launch:
    """Plans an LSTM."""
    one = Recurrence(x, descriptor, where)
    return Launch(predict_recurrence(one.work, one.layout.plan, x.machine), lambda: _add(one))


def _add(one: Recurrence) -> None:
    """Jobs as there are tiles, side by side, one round after the other."""
    work, layout, plan = one.work, one.layout, one.layout.plan
    one.carve()
    parts = [span(i, plan.rows, work.batch) for i in range(-(-work.batch // plan.rows))]
    every = [(way, rows) for rows in parts for way in range(work.ways)]
    own = {tile: _Own.of(one.x, layout, tile) for tile in plan.fabric}
    for first in range(0, len(every), len(plan.fabric)):
        some = every[first : first + len(plan.fabric)]
        _Round(one, own, [Job(*job, tile) for job, tile in zip(some, plan.fabric, strict=False)]).run()


class _Round:
    """Jobs side by side, one for each tile."""

    def __init__(self, parent: Recurrence, own: dict[int, _Own], jobs: list[Job]) -> None:
        self.p, self.own, self.jobs = parent, own, jobs
        self.inputs = {
            job.tile: Inputs(parent.input, parent.work, job.rows, parent.layout.plan.ahead_depth, parent.layout.page)
            for job in jobs
        }  # fmt: skip
        ways = sorted({job.way for job in jobs})
        self.kept = [
            [key for keys in zip(*(weights.keys(way) for way in ways), strict=True) for key in keys]
            for weights in (parent.recurrent, parent.weights)
        ]
        self.settled = -1

    def run(self) -> None:
        """Adds their movements, a fold of each in turn: what they share is there for all of them."""
        for _ in zip_longest(*(self._job(job) for job in self.jobs)):
            pass

    def _chunks(self, job: Job) -> list[Chunk]:
        layout, is_backwards = self.p.layout, self.p.is_backwards(job.way)
        return [
            Chunk.of(i, layout.plan.ahead, self.p.work.steps, is_backwards=is_backwards) for i in range(layout.chunks)
        ]

    def _settle(self, chunk: int) -> None:
        """Decides which pages stay: inputs of a chunk, then recurrent weights, then those of inputs."""
        if chunk <= self.settled:
            return
        self.settled = chunk
        inputs = [
            key
            for job in self.jobs
            if chunk < self.p.layout.chunks
            for key in self.inputs[job.tile].keys(self._chunks(job)[chunk].places)
        ]
        self.p.pages.settle(inputs, *self.kept[: 2 if chunk < self.p.layout.chunks else 1])

    def _job(self, job: Job) -> Iterator[None]:
        p, layout, own = self.p, self.p.layout, self.own[job.tile]
        chunks = self._chunks(job)
        ahead = Ahead(p, job, own.ahead, self.inputs[job.tile], lambda chunk: self._settle(chunk.number))
        gates = Gates(p, job, own.gates, own.made, ahead)
        products = ahead.run(chunks)
        yield from islice(products, ahead.folds)
        gates.start(own.state)
        panels = (
            _Panel(step, block, gate, part)
            for step in range(p.work.steps)
            for block in range(layout.blocks)
            for gate in range(0, GATES, layout.plan.gates)
            for part in range(len(p.recurrent.steps()))
        )
        step = _Steps(p, job, own, gates)

        def load(panel: _Panel) -> tuple[_Panel, Slot]:
            if panel.step >= chunks[-1].steps.first:  # which have no products beside them
                self._settle(layout.chunks)
            return panel, step.load(panel)

        loaded = deque(load(panel) for panel in islice(panels, layout.plan.slots))
        while loaded:
            panel, slot = loaded.popleft()
            chunk = chunks[panel.step // layout.plan.ahead]
            step.fold(panel, slot)
            following = next(panels, None)
            if following is not None:
                loaded.append(load(following))
            step.finish(chunk, panel)
            yield
            if chunk.number + 1 < layout.chunks:
                for _ in islice(products, step.due(chunk, panel, ahead.folds)):
                    yield
        gates.end(p.work.steps - 1, own.state)


class _Steps:
    """The steps of a job."""

    def __init__(self, parent: Recurrence, job: Job, own: _Own, gates: Gates) -> None:
        self.p, self.job, self.gates, self.own = parent, job, gates, own
        self.parts = parent.recurrent.steps()
        self.of_step = parent.layout.blocks * GATES // parent.layout.plan.gates * len(self.parts)
        self._folds = Folds(parent.x, parent.layout.plan, parent.pages, job.tile)
        self._sums: Slot | None = None
        self._before: list[int] = []  # before the first of the sums of a block
        self._done = 0  # folds ahead, of the current chunk

    def load(self, panel: _Panel) -> Slot:
        """A panel to L1."""
        slot = self.own.panels.take()
        self._folds.feed(self.p.recurrent.panel(self.job.way, panel.block, panel.gate, panel.part), slot)
        return slot

    def fold(self, panel: _Panel, weights: Slot) -> None:
        """A panel against the states of the step before, which are there when all that it made is."""
        p, plan, rows = self.p, self.p.layout.plan, self.job.rows.size
        elements = span(panel.block, plan.block, p.work.hidden).size
        if panel.step > 0 and self._number(panel) == 0:
            self.gates.end(panel.step - 1, self.own.state)
        if panel.gate == 0 and panel.part == 0:
            self._sums = self.own.sums.take()
            self._before = self._sums.to_write(GATES * rows * elements * WORD)
        assert self._sums is not None
        k = self.parts[panel.part]
        number = self._folds.add(
            Sizes(rows, plan.gates * elements, k.size), Rows(self.own.state, k.first, p.work.hidden), weights,
            Rows(self._sums, panel.gate * elements, GATES * elements), self._before, is_first=panel.part == 0,
        )  # fmt: skip
        self._sums.writers.append(number)

    def finish(self, chunk: Chunk, panel: _Panel) -> None:
        """What comes behind a panel: the gates of its block, if it is the last of one."""
        if panel.gate + self.p.layout.plan.gates == GATES and panel.part == len(self.parts) - 1:
            assert self._sums is not None
            self.gates.block(chunk, panel.step, panel.block, self._sums)

    def due(self, chunk: Chunk, panel: _Panel, folds: int) -> int:
        """How many folds ahead come behind a panel, so that those of a chunk come evenly."""
        at = (panel.step - chunk.steps.first) * self.of_step + self._number(panel)
        if at == 0:
            self._done = 0
        wanted = folds * (at + 1) // (chunk.steps.size * self.of_step)
        count = max(0, wanted - self._done)
        self._done += count
        return count

    def _number(self, panel: _Panel) -> int:
        """Which of a step a panel is."""
        gates = self.p.layout.plan.gates
        return (panel.block * (GATES // gates) + panel.gate // gates) * len(self.parts) + panel.part
