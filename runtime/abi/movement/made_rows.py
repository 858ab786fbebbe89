"""Rows of f32 on their way to integers in L2: part by part, each of which comes to the L1 of a worker once or twice.

All parts of a block of rows in ascending order for their largest magnitudes, then in descending order, the last ones
being there still, as integers. Blocks go round robin to workers, whose turns are interleaved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tfmbs.runtime.abi.movement.expansion import Expansion
from tfmbs.runtime.abi.movement.fields import Op
from tfmbs.runtime.abi.movement.group_operands import (
    WORD,
    Magnitudes,
    factors_at,
    integer_cycles,
    integers_bytes,
    magnitude_cycles,
)
from tfmbs.runtime.abi.movement.machine import EngineKind
from tfmbs.runtime.abi.movement.memory import Ring, Slot
from tfmbs.runtime.abi.movement.operands import Key, Span, Tile, span
from tfmbs.runtime.abi.movement.plan import Work, guard_of
from tfmbs.runtime.abi.movement.program import Copy, What
from tfmbs.runtime.abi.movement.residency import Held, Store, residency
from tfmbs.runtime.abi.movement.row_plan import SLOTS, RowPlan


class Use(NamedTuple):
    """A part in a pass: the block of rows of a tile that it is of, its own block of rows, its number, its worker."""

    tile: int
    rows: int
    part: int
    worker: int
    is_second: bool

    @property
    def key(self) -> Key:
        """The chunk of f32."""
        return 0, self.rows, self.part


@dataclass
class _Worker:
    """Slots of L1 of a tile that makes integers, and the factors of the rows that it is at."""

    parts: Store
    made: Ring
    factors: Ring
    current: Slot | None = field(default=None)


class MadeRows:
    """The movements that make integers of the rows of a launch, in the order of their first use."""

    def __init__(self, x: Expansion, work: Work, plan: RowPlan) -> None:
        assert isinstance(work.lhs, Magnitudes)
        self.x, self.work, self.making, self.block = x, work, plan.making, plan.tile.m
        self.floats, self.tile = work.lhs.floats, Tile(self.making.rows, 1, self.making.columns)
        self.parts = -(-work.k // self.making.columns)
        self.uses = [use for tile in range(-(-work.m // self.block)) for use in self._of(tile)]
        self.kept = x.l2.slots(self.making.kept, work.lhs.chunk_bytes(plan.tile))
        self._before: list[int] = []
        self._at = -1  # the block of rows whose integers were the last
        self._carve(plan)

    def _of(self, tile: int) -> Iterator[Use]:
        """The uses of a block of rows."""
        rows = span(tile, self.block, self.work.m)
        first, count = rows.first // self.making.rows, -(-rows.size // self.making.rows)
        for start in range(first, first + count, self.making.workers):
            own = range(start, min(start + self.making.workers, first + count))
            for is_second in (False, True):
                for part in reversed(range(self.parts)) if is_second else range(self.parts):
                    yield from (Use(tile, one, part, one % self.making.workers, is_second) for one in own)

    def _carve(self, plan: RowPlan) -> None:
        x, making, is_buffered = self.x, self.making, plan.is_buffered
        own: list[list[Held]] = []
        for worker in range(making.workers):
            uses = [(use.key, number) for number, use in enumerate(self.uses) if use.worker == worker]
            own.append(residency(uses, SLOTS, int(is_buffered)))
        turns = [iter(held) for held in own]
        asked = [(use.key, number) for number, use in enumerate(self.uses) if next(turns[use.worker]).is_brought]
        shared, target = [], x.machine.target
        for space, slots, count in ((x.l2, making.l2, target.block_mover.count), (x.l3, making.l3, target.dma.count)):
            held = residency(asked, slots, guard_of(slots, 1, count) if is_buffered else 0)
            shared.append(Store(space.slots(slots, making.bytes), held))
            asked = [use for use, one in zip(asked, held, strict=True) if one.is_brought]
        self.l2, self.l3 = shared
        self.workers = []
        for worker in range(making.workers):
            space, rows = x.l1[plan.fabric[worker]], making.rows
            parts, made, factors = (
                space.slots(SLOTS, size) for size in (making.bytes, rows * making.columns, rows * WORD)
            )
            self.workers.append(_Worker(Store(parts, own[worker]), Ring(made), Ring(factors)))
        self.fabric = plan.fabric

    def make(self, use: Use) -> None:
        """Adds the movements of the next use."""
        worker = self.workers[use.worker]
        slot = self._in_l1(use, worker)
        rows, columns = self.floats.shape(use.key, self.tile)
        if use.is_second:
            self._to_integers(use, worker, slot, rows, columns)
        else:
            self._measure(use, worker, slot, rows, columns)

    def _in_l1(self, use: Use, worker: _Worker) -> Slot:
        slot, is_brought = worker.parts.use()
        if is_brought:
            found, is_lifted = self.l2.use()
            if is_lifted:
                start, is_loaded = self.l3.use()
                if is_loaded:
                    self.x.load(self.floats.loads(use.key, self.tile, start), start)
                self.x.lift([self.floats.lift(use.key, self.tile, start, found)], start, found)
            self.x.feed([self.floats.feed(use.key, self.tile, found, slot)], found, slot, self.fabric[use.worker])
        return slot

    def _measure(self, use: Use, worker: _Worker, slot: Slot, rows: Span, columns: Span) -> None:
        """The largest magnitudes of rows so far; after their last part, the factors."""
        is_first, is_last, size = use.part == 0, use.part == self.parts - 1, rows.size * WORD
        waits = list(slot.writers)
        if is_first:
            worker.current = worker.factors.take()
            waits += worker.current.to_write(size)
        factors = worker.current
        assert factors is not None
        reads = [slot.place(rows.size * columns.size * WORD)]
        what = What(
            tile=self.fabric[use.worker],
            parameters=(
                slot.memory, slot.address, factors.address, rows.size, columns.size, is_first, is_last,
            ),
            reads=reads if is_first else [*reads, factors.place(size)],
            writes=[factors.place(size)],
            operations=rows.size * columns.size,
        )  # fmt: skip
        cycles = magnitude_cycles(self.x.machine.target, columns.size, is_last=is_last)
        number = self._add(Op.MAGNITUDE, rows.size * cycles, waits + factors.writers, what)
        slot.readers.append(number)
        factors.writers.append(number)

    def _to_integers(self, use: Use, worker: _Worker, slot: Slot, rows: Span, columns: Span) -> None:
        """A part becomes integers, which go to L2; with the first one go the factors of its rows."""
        factors, made, size = worker.current, worker.made.take(), rows.size * columns.size
        assert factors is not None
        reads = [slot.place(size * WORD), factors.place(rows.size * WORD)]
        what = What(
            tile=self.fabric[use.worker],
            parameters=(slot.memory, slot.address, made.address, factors.address, rows.size, columns.size),
            reads=reads,
            writes=[made.place(size)],
            operations=size,
        )
        waits = [*slot.writers, *factors.writers, *made.to_write(size)]
        cycles = integer_cycles(self.x.machine.target, columns.size)
        number = self._add(Op.QUANTIZE, rows.size * cycles, waits, what)
        slot.readers.append(number)
        factors.readers.append(number)
        made.writers.append(number)
        self._keep(use, made, factors, rows, columns)

    def _keep(self, use: Use, made: Slot, factors: Slot, rows: Span, columns: Span) -> None:
        k, block, to = self.work.k, span(use.tile, self.block, self.work.m), self.kept_of(use.tile)
        if use.tile != self._at:
            self._at, self._before = use.tile, to.to_write(integers_bytes(block.size, k))
        row = rows.first - block.first
        at = to.address + row * k + columns.first
        copies = [Copy(made.memory, made.address, to.memory, at, 1, 0, 0, rows.size, columns.size, k, columns.size)]
        starts = [made]
        if use.part == self.parts - 1:
            at = to.address + factors_at(block.size, k) + row * WORD
            copies.append(Copy(factors.memory, factors.address, to.memory, at, run=rows.size * WORD))
            starts.append(factors)
        self.x.lower(starts, to, copies, self.fabric[use.worker], self._before)

    def kept_of(self, tile: int) -> Slot:
        """Where the integers of a block of rows are in L2."""
        return self.kept[tile % self.making.kept]

    def _add(self, op: Op, cycles: int, waits: Sequence[int], what: What) -> int:
        """A job of the vector engine."""
        x = self.x
        return x.program.add(op, x.machine.first(EngineKind.VECTOR) + what.tile, x.launch, cycles, waits, what)
