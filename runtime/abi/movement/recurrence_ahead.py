"""Products of the inputs of an LSTM, made for some steps at once, ahead of the recurrence.

For a block of the state and some of its gates, slices of all these inputs are multiplied by their weights, which so
come once for as many steps. The sums stay in L3, or go to the workspace and come back when their step is due.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from tfmbs.runtime.abi.array_timing import Sizes
from tfmbs.runtime.abi.movement.expansion import Expansion
from tfmbs.runtime.abi.movement.memory import Ring, Slot
from tfmbs.runtime.abi.movement.operands import Span, span
from tfmbs.runtime.abi.movement.program import Copy
from tfmbs.runtime.abi.movement.recurrence_folds import Folds, Rows
from tfmbs.runtime.abi.movement.recurrence_launch import Job, Recurrence
from tfmbs.runtime.abi.movement.recurrence_plan import COMING, GATES, WORD, Layout
from tfmbs.runtime.abi.movement.recurrence_weights import Inputs


@dataclass
class AheadSlots:
    """Slots of a tile: in L1 inputs, weights and sums; in L2 and L3 sums that leave (L3: only to external memory) and
    those that come; and where the sums of each block are, of one chunk of steps and, if there are more, of the next."""

    inputs: Ring
    weights: Ring
    sums: Ring
    leaving: tuple[Ring, Ring | None]
    coming: Ring | None
    homes: list[list[Slot]]

    @classmethod
    def of(cls, x: Expansion, layout: Layout, tile: int) -> AheadSlots:
        """Carves them."""
        plan, l1 = layout.plan, x.l1[tile]
        stays, turns = layout.stays, min(2, layout.chunks)
        space = x.l3 if stays else x.workspace
        return cls(
            Ring(l1.slots(plan.slots, layout.ahead_inputs)),
            Ring(l1.slots(plan.slots, layout.ahead_weights)),
            Ring(l1.slots(1, layout.ahead_sums)),
            (Ring(x.l2.slots(1, layout.ahead_sums)), None if stays else Ring(x.l3.slots(1, layout.ahead_sums))),
            None if stays else Ring(x.l3.slots(COMING, layout.sums)),
            [space.slots(layout.blocks, layout.home) for _ in range(turns)],
        )


class Chunk(NamedTuple):
    """Steps whose inputs are multiplied at once: which they are, and their places in the sequence."""

    number: int
    steps: Span
    places: Span
    is_backwards: bool

    @classmethod
    def of(cls, number: int, ahead: int, steps: int, *, is_backwards: bool) -> Chunk:
        """Chunk `number` of so many steps."""
        own = span(number, ahead, steps)
        first = steps - own.first - own.size if is_backwards else own.first
        return cls(number, own, Span(first, own.size), is_backwards)

    def place(self, step: int) -> int:
        """Where a step is among the places of the chunk."""
        at = step - self.steps.first
        return self.steps.size - 1 - at if self.is_backwards else at


class _Unit(NamedTuple):
    """A fold: a part of the reduction for some gates of a block."""

    chunk: Chunk
    block: int
    gate: int
    part: int


class Ahead:
    """The products of the inputs of a job."""

    def __init__(
        self, parent: Recurrence, job: Job, slots: AheadSlots, inputs: Inputs, starts: Callable[[Chunk], None]
    ) -> None:
        self.x, self.layout, self.weights, self.slots, self.inputs = (
            parent.x, parent.layout, parent.weights, slots, inputs
        )  # fmt: skip
        self.way, self.tile, self.rows = job.way, job.tile, job.rows.size
        self._starts = starts  # told when the first inputs of a chunk are about to come
        self._folds = Folds(parent.x, parent.layout.plan, parent.pages, job.tile)
        self.parts = parent.weights.steps()
        self._waits: list[int] = []  # before the first of the sums of a tile
        self._current: Slot | None = None
        self._before: list[int] = []  # before what is written to the home of a block

    @property
    def folds(self) -> int:
        """Of a chunk."""
        return self.layout.blocks * GATES // self.layout.plan.ahead_gates * len(self.parts)

    def run(self, chunks: list[Chunk]) -> Iterator[None]:
        """Adds all folds of some chunks, one at a time; what the next ones need is already on its way."""
        units = (
            _Unit(chunk, block, gate, part)
            for chunk in chunks
            for block in range(self.layout.blocks)
            for gate in range(0, GATES, self.layout.plan.ahead_gates)
            for part in range(len(self.parts))
        )
        loaded = deque((unit, self._load(unit)) for unit in islice(units, self.layout.plan.slots))
        while loaded:
            unit, operands = loaded.popleft()
            self._fold(unit, *operands)
            following = next(units, None)
            if following is not None:
                loaded.append((following, self._load(following)))
            yield

    def _load(self, unit: _Unit) -> tuple[Slot, Slot]:
        if unit == _Unit(unit.chunk, 0, 0, 0):
            self._starts(unit.chunk)
        inputs, weights = self.slots.inputs.take(), self.slots.weights.take()
        self._folds.feed(self.inputs.slice(unit.chunk.places, unit.part), inputs)
        self._folds.feed(self.weights.panel(self.way, unit.block, unit.gate, unit.part), weights)
        return inputs, weights

    def _columns(self, unit: _Unit) -> int:
        plan = self.layout.plan
        return plan.ahead_gates * span(unit.block, plan.block, self.layout.work.hidden).size

    def _fold(self, unit: _Unit, inputs: Slot, weights: Slot) -> None:
        m, n, depth = unit.chunk.steps.size * self.rows, self._columns(unit), self.parts[unit.part].size
        if unit.part == 0:
            self._current = self.slots.sums.take()
            self._waits = self._current.to_write(m * n * WORD)
        sums = self._current
        assert sums is not None
        number = self._folds.add(
            Sizes(m, n, depth), Rows(inputs, 0, depth), weights, Rows(sums, 0, n), self._waits, is_first=unit.part == 0
        )
        sums.writers = [number]
        if unit.part == len(self.parts) - 1:
            self._leave(unit, sums, m * n * WORD)

    def _leave(self, unit: _Unit, sums: Slot, size: int) -> None:
        """Sums of a tile to where they are until their step is due."""
        x, slots = self.x, self.slots
        home = slots.homes[unit.chunk.number % len(slots.homes)][unit.block]
        tiles = GATES // self.layout.plan.ahead_gates
        at = home.address + unit.gate // self.layout.plan.ahead_gates * size
        if unit.gate == 0:
            self._before = home.to_write(tiles * size)
        l2 = slots.leaving[0].take()
        down = Copy(sums.memory, sums.address, l2.memory, l2.address, run=size)
        x.lower([sums], l2, [down], self.tile, l2.to_write(size))
        if slots.leaving[1] is None:
            x.sink([Copy(l2.memory, l2.address, home.memory, at, run=size)], l2, home, self._before)
            return
        l3 = slots.leaving[1].take()
        x.sink([Copy(l2.memory, l2.address, l3.memory, l3.address, run=size)], l2, l3)
        home.writers.append(x.store([Copy(l3.memory, l3.address, home.memory, at, run=size)], l3, self._before))

    def lift(self, chunk: Chunk, step: int, block: int, to: Slot) -> None:
        """The sums of a step for a block to L2: rows×gates×elements."""
        x, slots, gates = self.x, self.slots, self.layout.plan.ahead_gates
        elements = span(block, self.layout.plan.block, self.layout.work.hidden).size
        row, every = gates * elements * WORD, chunk.steps.size * self.rows
        first = chunk.place(step) * self.rows * row
        home = start = slots.homes[chunk.number % len(slots.homes)][block]
        begin, stride = home.address + first, every * row
        if slots.coming is not None:
            start, run = slots.coming.take(), self.rows * row
            x.load(
                [Copy(home.memory, begin, start.memory, start.address, 1, 0, 0, GATES // gates, stride, run, run)],
                start, home.writers,
            )  # fmt: skip
            home.readers.append(start.writers[-1])
            begin, stride = start.address, run
        x.lift(
            [
                Copy(
                    start.memory, begin, to.memory, to.address, GATES // gates, stride, row,
                    self.rows, row, GATES * elements * WORD, row,
                )
            ],
            start, to,
        )  # fmt: skip
