"""Gates of an LSTM on the vector engine, and where states, cells and biases are between steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from tfmbs.runtime.abi.movement.expansion import Expansion
from tfmbs.runtime.abi.movement.fields import Memory, Op
from tfmbs.runtime.abi.movement.machine import EngineKind
from tfmbs.runtime.abi.movement.memory import Ring, Slot
from tfmbs.runtime.abi.movement.operands import Span, span
from tfmbs.runtime.abi.movement.pages import Page
from tfmbs.runtime.abi.movement.program import Copy, What
from tfmbs.runtime.abi.movement.recurrence_ahead import Ahead, Chunk
from tfmbs.runtime.abi.movement.recurrence_launch import Job, Recurrence
from tfmbs.runtime.abi.movement.recurrence_plan import GATES, WORD, Layout
from tfmbs.runtime.abi.movement.recurrence_prediction import gates_cycles
from tfmbs.runtime.abi.siw_timing import Timing


@dataclass
class GatesSlots:
    """Slots of a tile: in L1 sums of inputs, biases, cells and states of a block; in L2 sums of inputs on their way,
    and the cells of each block."""

    sums: Ring
    bias: Ring | None
    cell: Ring
    state: Ring
    coming: Ring
    cells: list[Slot]

    @classmethod
    def of(cls, x: Expansion, layout: Layout, tile: int) -> GatesSlots:
        """Carves them."""
        l1, slots = x.l1[tile], layout.plan.slots
        return cls(
            Ring(l1.slots(slots, layout.sums)),
            Ring(l1.slots(slots, layout.bias)) if layout.bias else None,
            Ring(l1.slots(slots, layout.elements)),
            Ring(l1.slots(slots, layout.elements)),
            Ring(x.l2.slots(slots, layout.sums)),
            x.l2.slots(layout.blocks, layout.elements),
        )


class _Made(NamedTuple):
    """A block that is made, and where it is in L1."""

    block: int
    cell: Slot
    state: Slot


class _InL1(NamedTuple):
    """What the gates of a block read and write."""

    of_state: Slot
    of_input: Slot
    bias: Slot | None
    cell: Slot
    state: Slot


def _whole(start: Slot, to: Slot, size: int) -> Copy:
    """The first bytes of a slot to those of another."""
    return Copy(start.memory, start.address, to.memory, to.address, run=size)


class Gates:
    """The gates of a job; states that are made go to the slot of L2 `made`."""

    def __init__(self, parent: Recurrence, job: Job, slots: GatesSlots, made: Slot, ahead: Ahead) -> None:
        self.p, self.job, self.slots, self.made, self.ahead = parent, job, slots, made, ahead
        self.x, self.hidden = parent.x, parent.work.hidden
        self._made: _Made | None = None
        self._before: list[int] = []  # before what is written to `made` in a step
        self._has_cells = parent.initial[1] is not None

    def _elements(self, block: int) -> Span:
        return span(block, self.p.layout.plan.block, self.hidden)

    # --- first states and cells ---------------------------------------------------------------------------------------

    def start(self, state: Slot) -> None:
        """First states to the slot of L1 `state`, given or zeros; and given cells to L2."""
        p, x, rows = self.p, self.x, self.job.rows
        size = rows.size * self.hidden * WORD
        vector = self.job.way * p.work.batch + rows.first
        if p.initial[0] is None:
            self._clear(state, size)
        else:
            memory, first = p.initial[0]
            before = self.made.to_write(size)
            for at in range(0, size, p.layout.page):
                run = min(p.layout.page, size - at)
                copy = Copy(memory, first + vector * self.hidden * WORD + at, 0, 0, run=run)
                l3 = p.pages.in_l3(Page(None, run, (copy,)))
                x.lift(
                    [Copy(l3.memory, l3.address, self.made.memory, self.made.address + at, run=run)],
                    l3,
                    self.made,
                    before=before,
                )
            self._feed_state(state)
        if p.initial[1] is None:
            return
        memory, first = p.initial[1]
        for block, slot in enumerate(self.slots.cells):
            own = self._elements(block)
            start, run = first + (vector * self.hidden + own.first) * WORD, own.size * WORD
            copy = Copy(memory, start, 0, 0, 1, 0, 0, rows.size, self.hidden * WORD, run, run)
            l3 = p.pages.in_l3(Page(None, rows.size * run, (copy,)))
            x.lift([_whole(l3, slot, rows.size * run)], l3, slot)

    def _clear(self, slot: Slot, size: int) -> None:
        x, tile = self.x, self.job.tile
        timing = Timing.of(x.machine.target.vector)
        cycles = -(-size // (WORD * timing.lanes)) + timing.latency["store"]
        what = What(tile=tile, parameters=(slot.memory, slot.address, size), writes=[slot.place(size)])
        engine = x.machine.first(EngineKind.VECTOR) + tile
        slot.writers = [x.program.add(Op.CLEAR, engine, x.launch, cycles, slot.to_write(size), what)]

    def _feed_state(self, state: Slot) -> None:
        size = self.job.rows.size * self.hidden * WORD
        self.x.feed([_whole(self.made, state, size)], self.made, state, self.job.tile)

    # --- steps --------------------------------------------------------------------------------------------------------

    def block(self, chunk: Chunk, step: int, block: int, sums: Slot) -> None:
        """Cells and states of a block, of its sums in L1."""
        x, slots, tile, rows, own = self.x, self.slots, self.job.tile, self.job.rows.size, self._elements(block)
        size = rows * own.size * WORD
        self._spill()
        coming, of_input, cell, state = slots.coming.take(), slots.sums.take(), slots.cell.take(), slots.state.take()
        self.ahead.lift(chunk, step, block, coming)
        x.feed([_whole(coming, of_input, GATES * size)], coming, of_input, tile)
        cells = slots.cells[block]
        if step == 0 and not self._has_cells:
            self._clear(cell, size)
        else:
            x.feed([_whole(cells, cell, size)], cells, cell, tile)
        self._gates(block, _InL1(sums, of_input, self._biases(block), cell, state))
        self._made = _Made(block, cell, state)

    def _spill(self) -> None:
        """Cells and states of the last block that was made to L2. They wait for the vector engine, and all that leaves
        the tile later waits for them: so what is ready before them comes before them."""
        if self._made is None:
            return
        (block, cell, state), self._made = self._made, None
        x, rows, own = self.x, self.job.rows.size, self._elements(block)
        cells, size = self.slots.cells[block], rows * own.size * WORD
        x.lower([cell], cells, [_whole(cell, cells, size)], self.job.tile, cells.to_write(size))
        if block == 0:
            self._before = self.made.to_write(rows * self.hidden * WORD)
        run = own.size * WORD
        made = Copy(
            state.memory, state.address, self.made.memory, self.made.address + own.first * WORD,
            1, 0, 0, rows, run, self.hidden * WORD, run,
        )  # fmt: skip
        x.lower([state], self.made, [made], self.job.tile, self._before)

    def _gates(self, block: int, at: _InL1) -> None:
        x, rows, columns = self.x, self.job.rows.size, self._elements(block).size
        size = rows * columns * WORD
        places = self._places(at.bias, columns)
        parameters = (
            Memory.L1 + self.job.tile, at.of_input.address, at.of_state.address, *places, at.cell.address,
            at.state.address, rows, columns,
        )  # fmt: skip
        reads = [at.of_state.place(GATES * size), at.of_input.place(GATES * size), at.cell.place(size)]
        waits = [*at.of_state.writers, *at.of_input.writers, *at.cell.writers, *at.state.to_write(size)]
        read = [at.of_state, at.of_input]
        if at.bias is not None:
            reads.append(at.bias.place(self.p.work.biases * GATES * columns * WORD))
            waits += at.bias.writers
            read.append(at.bias)
        what = What(
            tile=self.job.tile,
            parameters=parameters,
            reads=reads,
            writes=[at.cell.place(size), at.state.place(size)],
            operations=rows * columns,
        )
        cycles = rows * gates_cycles(x.machine.target.vector, columns, self.p.work.biases)
        engine = x.machine.first(EngineKind.VECTOR) + self.job.tile
        number = x.program.add(Op.GATES, engine, x.launch, cycles, waits, what)
        for slot in read:
            slot.readers.append(number)
        at.cell.writers, at.state.writers = [number], [number]

    # --- biases -------------------------------------------------------------------------------------------------------

    def _biases(self, block: int) -> Slot | None:
        """The slot of L1 with the biases of a block, if there are any; they stay in L2."""
        if self.slots.bias is None:
            return None
        p, x, own = self.p, self.x, self._elements(block)
        slot, there = self.slots.bias.take(), p.bias_slots[self.job.way][block]
        run = own.size * WORD
        size = p.work.biases * GATES * run
        if not there.writers:
            first = (self.job.way * GATES * self.hidden + own.first) * WORD
            copies = tuple(
                Copy(bias[0], bias[1] + first, 0, number * GATES * run, 1, 0, 0, GATES, self.hidden * WORD, run, run)
                for number, bias in enumerate(bias for bias in p.biases if bias is not None)
            )
            l3 = p.pages.in_l3(Page(None, size, copies))
            x.lift([_whole(l3, there, size)], l3, there)
        x.feed([_whole(there, slot, size)], there, slot, self.job.tile)
        return slot

    def _places(self, slot: Slot | None, columns: int) -> list[int]:
        """Where each of both kinds of biases lies in L1 (-1: there is none)."""
        places, at = [], slot.address if slot is not None else 0
        for bias in self.p.biases:
            places.append(-1 if bias is None else at)
            at += 0 if bias is None else GATES * columns * WORD
        return places

    # --- ends of steps ------------------------------------------------------------------------------------------------

    def end(self, step: int, state: Slot) -> None:
        """The end of a step: all states go out, and to the slot of L1 `state` for the next; after the last one, cells
        go behind the states where the model asks for it."""
        p, work, rows = self.p, self.p.work, self.job.rows
        size = rows.size * self.hidden * WORD
        self._spill()
        place = work.steps - 1 - step if p.is_backwards(self.job.way) else step
        if step + 1 < work.steps:
            self._feed_state(state)
        p.store(self.made, size, p.place(place, self.job))
        if p.g["cell"] and step + 1 == work.steps:
            for block, slot in enumerate(self.slots.cells):
                own = self._elements(block)
                p.store_rows(slot, p.place(work.steps, self.job) + own.first * WORD, rows.size, own.size * WORD)
