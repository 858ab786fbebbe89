"""What all jobs of an LSTM share: operands, the plan, and slots of L3 and L2."""

from __future__ import annotations

from typing import NamedTuple

from tfmbs.runtime.abi.image import Row
from tfmbs.runtime.abi.movement.expansion import Expansion
from tfmbs.runtime.abi.movement.launches import fabric_tiles
from tfmbs.runtime.abi.movement.memory import Ring, Slot
from tfmbs.runtime.abi.movement.operands import Span, Tile
from tfmbs.runtime.abi.movement.pages import Pages
from tfmbs.runtime.abi.movement.program import Copy
from tfmbs.runtime.abi.movement.recurrence_plan import LEAVING, WORD, Layout, RecurrenceWork
from tfmbs.runtime.abi.movement.recurrence_search import planned_recurrence
from tfmbs.runtime.abi.movement.recurrence_weights import Weights
from tfmbs.runtime.abi.records import Dataflow, Direction


class Job(NamedTuple):
    """Sequences of a direction, and the tile that makes them."""

    way: int
    rows: Span
    tile: int


class Recurrence:
    """One LSTM: `where` is its place for errors."""

    def __init__(self, x: Expansion, descriptor: Row, where: str) -> None:
        self.x = x
        self.g = g = x.image.lstm_geometries[descriptor["geometry"]]
        first = descriptor["args_first"]
        further = iter(x.image.args[first : first + descriptor["args_count"]])
        recurrent = x.place(next(further))
        self.biases = [x.place(next(further)) if g[name] else None for name in ("bias", "recurrent_bias")]
        self.initial = [x.place(next(further)) if g["initial"] else None for _ in range(2)]
        self.input, self.out = x.place(descriptor["lhs"]), x.place(descriptor["out"])
        ways, biases = 2 if g["direction"] == Direction.BOTH else 1, sum(bias is not None for bias in self.biases)
        self.work = work = RecurrenceWork(ways, g["steps"], g["batch"], g["width"], g["hidden"], biases)
        schedule = x.image.schedules[descriptor["schedule"]]
        wanted = Tile(schedule["tile_m"], schedule["tile_n"], schedule["tile_k"])
        flow, fabric = Dataflow(schedule["dataflow"]), fabric_tiles(x, descriptor, where)
        plan = planned_recurrence(work, wanted, flow, schedule["buffers"], fabric, x.machine, where)
        self.layout = layout = Layout(work, plan, x.machine)
        self.recurrent = Weights(
            "recurrent", recurrent, work, work.hidden, block=plan.block, gates=plan.gates, depth=plan.depth,
            page=layout.page,
        )  # fmt: skip
        self.weights = Weights(
            "input", x.place(descriptor["rhs"]), work, work.width, block=plan.block, gates=plan.ahead_gates,
            depth=plan.ahead_depth, page=layout.page,
        )  # fmt: skip

    def carve(self) -> None:
        """Carves the slots that all jobs share."""
        x, layout = self.x, self.layout
        self.pages = Pages(
            x,
            (x.l3.slots(layout.l3_pages[0], layout.page), x.l3.slots(layout.l3_pages[1], layout.page)),
            (x.l2.slots(layout.l2_pages[0], layout.page), x.l2.slots(layout.l2_pages[1], layout.page)),
        )
        self._leaving = Ring(x.l3.slots(LEAVING, layout.page))
        self.bias_slots = (
            [x.l2.slots(layout.blocks, layout.bias) for _ in range(self.work.ways)] if self.work.biases else []
        )

    def is_backwards(self, way: int) -> bool:
        """Whether a direction goes from the last place of the sequence to the first."""
        return way == 1 or self.g["direction"] == Direction.REVERSE

    def place(self, place: int, job: Job) -> int:
        """Bytes before the states of a job in the result, at a place of the sequence; last cells are one behind."""
        work = self.work
        return ((place * work.ways + job.way) * work.batch + job.rows.first) * work.hidden * WORD

    def store(self, start: Slot, size: int, to: int) -> None:
        """Bytes of a slot of L2 to a place of the result, in pages."""
        x = self.x
        for first in range(0, size, self.layout.page):
            run, l3 = min(self.layout.page, size - first), self._leaving.take()
            x.sink([Copy(start.memory, start.address + first, l3.memory, l3.address, run=run)], start, l3)
            x.store([Copy(l3.memory, l3.address, self.out[0], self.out[1] + to + first, run=run)], l3)

    def store_rows(self, start: Slot, to: int, rows: int, row: int) -> None:
        """Dense rows of `row` bytes, in a slot of L2, to rows of states in the result."""
        x, l3 = self.x, self._leaving.take()
        x.sink([Copy(start.memory, start.address, l3.memory, l3.address, run=rows * row)], start, l3)
        stride = self.work.hidden * WORD
        x.store([Copy(l3.memory, l3.address, self.out[0], self.out[1] + to, 1, 0, 0, rows, row, stride, row)], l3)
