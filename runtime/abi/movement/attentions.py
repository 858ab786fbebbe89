"""ATTENTION: blocks of queries of a head against panels of its keys, softmax in L1, then against panels of its values.

The scores of a block of rows stay in L1. Keys and values come in panels of neighbouring columns; values are transposed
by the BlockMover, since the array takes the reduction along rows. The softmax of a row takes, on the vector engine, a
beat per `lanes` scores for each of scale, mask, maximum and sum; the beats of an exponential and of a division; and a
latency of each unit.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from tfmbs.runtime.abi.array_timing import Sizes
from tfmbs.runtime.abi.geometries import attention_out_strides
from tfmbs.runtime.abi.image import Row
from tfmbs.runtime.abi.movement.attention_plan import (
    SLOTS,
    WORD,
    AttentionWork,
    planned_attention,
    predict_attention,
    softmax_cycles,
)
from tfmbs.runtime.abi.movement.expansion import Expansion
from tfmbs.runtime.abi.movement.fields import Memory, Op
from tfmbs.runtime.abi.movement.launch import Launch
from tfmbs.runtime.abi.movement.launches import bytes_of, fabric_tiles
from tfmbs.runtime.abi.movement.machine import EngineKind, array_cycles
from tfmbs.runtime.abi.movement.memory import Ring, Slot
from tfmbs.runtime.abi.movement.operands import Key, Matrix, Span, Tile, span
from tfmbs.runtime.abi.movement.program import Copy, What
from tfmbs.runtime.abi.movement.residency import Store, residency
from tfmbs.runtime.abi.records import Dataflow, MaskMode
from tfmbs.runtime.abi.types import DType, Packing


@dataclass(frozen=True)
class Job:
    """Queries `first` to `first + rows` of a head."""

    batch: int
    head: int
    first: int
    rows: int


def expand_attention(x: Expansion, descriptor: Row, where: str) -> Launch:
    """Plans an ATTENTION."""
    one = AttentionExpansion(x, descriptor, where)
    return Launch(predict_attention(one.work, one.plan, x.machine), one.run)


class AttentionExpansion:
    """The movements of one attention."""

    def __init__(self, x: Expansion, descriptor: Row, where: str) -> None:
        self.x, self.where = x, where
        self.g = g = x.image.attention_geometries[descriptor["geometry"]]
        args = x.image.args[descriptor["args_first"] : descriptor["args_first"] + descriptor["args_count"]]
        heads = g["groups"] * g["shared"]
        self.heads = heads
        self.q = x.place(descriptor["lhs"])
        self.out = x.place(descriptor["out"])
        self.mask = x.place(args[1]) if len(args) > 1 else None
        self.mask_bytes = bytes_of(x, args[1]) if len(args) > 1 else 0
        self.keys = self._panels(x.place(descriptor["rhs"]), "rhs", g["columns"], g["width"], is_transposed=False)
        self.values = self._panels(x.place(args[0]), "value", g["value_width"], g["columns"], is_transposed=True)
        schedule = x.image.schedules[descriptor["schedule"]]
        fabric, flow = fabric_tiles(x, descriptor, where), Dataflow(schedule["dataflow"])
        self.work = AttentionWork(
            g["batch"], heads, g["shared"], g["rows"], g["columns"], g["width"], g["value_width"], self.mask_bytes,
            bool(g["mask_row_stride"]),
        )  # fmt: skip
        wanted = schedule["tile_m"], schedule["tile_n"]
        self.plan = plan = planned_attention(self.work, wanted, flow, schedule["buffers"], fabric, x.machine, where)
        self.rows, self.panel, self.fabric = plan.rows, plan.panel, plan.fabric

    def _panels(self, place: tuple[int, int], name: str, count: int, k: int, *, is_transposed: bool) -> Matrix:
        """Keys, or transposed values, of each group of each batch; a key of a chunk is (batch·groups + group, …)."""
        g = self.g
        row, element = g[f"{name}_row_stride"], g["rhs_stride" if name == "rhs" else "value_stride"]
        stride, k_stride = (element, row) if is_transposed else (row, element)
        return Matrix(*place, DType.F32, Packing.DENSE, 1, count, k, 0, stride, k_stride, False)

    def _jobs(self) -> list[Job]:
        g = self.g
        return [
            Job(batch, head, *span(i, self.rows, g["rows"]))
            for batch in range(g["batch"])
            for head in range(self.heads)
            for i in range(-(-g["rows"] // self.rows))
        ]

    def run(self) -> None:
        """Adds all movements; jobs go round robin to the tiles.

        With two slots of scores, a tile's next job multiplies queries and keys before this one weighs its values.
        """
        jobs, x, work = self._jobs(), self.x, self.work
        panels = -(-self.g["columns"] // self.panel)
        every: list[tuple[Key, int]] = [
            ((*self._group(job), panel), number * panels + panel)
            for number, job in enumerate(jobs)
            for panel in range(panels)
        ]
        self.shared = []
        streamed = (work.query(self.rows), work.mask(self.rows), work.result(self.rows))
        sizes = (work.key_panel(self.panel), work.value_panel(self.panel))
        for space in (x.l3, x.l2):
            rings = [Ring(space.slots(SLOTS, size)) if size else None for size in streamed]
            share = space.free // 2
            total = self.g["batch"] * self.g["groups"] * panels
            counts = [max(1, min(total, share // size)) for size in sizes]
            self.shared.append((rings, [space.slots(count, size) for count, size in zip(counts, sizes, strict=True)]))
        self.kept = [self._kept(every, operand) for operand in range(2)]
        self.own = {}
        for tile in self.fabric:
            space = x.l1[tile]
            rings = [Ring(space.slots(SLOTS, size)) if size else None for size in (*streamed, *sizes)]
            self.own[tile] = [*rings, Ring(space.slots(self.plan.score_slots, work.scores(self.rows)))]
        ahead = len(self.fabric) if self.plan.score_slots > 1 else 0
        weighted: deque[tuple[Job, int, Slot]] = deque()
        for number, job in enumerate(jobs):
            tile = self.fabric[number % len(self.fabric)]
            weighted.append((job, tile, self._weigh(job, tile)))
            if len(weighted) > ahead:
                self._sum(*weighted.popleft())
        for one_job in weighted:
            self._sum(*one_job)

    def _group(self, job: Job) -> tuple[int, int]:
        return job.batch, job.head // self.g["shared"]

    def _brought(self, which: int, copies_from: list[Copy], size: int, tile: int) -> Slot:
        """What is used once comes to L1: copies that fill a slot of L3, from its first byte on."""
        x = self.x
        l3, l2, l1 = (
            ring.take() for ring in (self.shared[0][0][which], self.shared[1][0][which], self.own[tile][which]) if ring
        )
        x.load([copy._replace(target=l3.memory, to=l3.address) for copy in copies_from], l3)
        x.lift([Copy(l3.memory, l3.address, l2.memory, l2.address, run=size)], l3, l2)
        x.feed([Copy(l2.memory, l2.address, l1.memory, l1.address, run=size)], l2, l1, tile)
        return l1

    def _queries(self, job: Job, tile: int) -> Slot:
        g = self.g
        first = job.batch * g["lhs_batch_stride"] + job.head * g["lhs_head_stride"] + job.first * g["lhs_row_stride"]
        copy = _strided(self.q, first, job.rows, g["lhs_row_stride"], g["width"], g["lhs_stride"], WORD)
        return self._brought(0, [copy], job.rows * g["width"] * WORD, tile)

    def _masks(self, job: Job, tile: int) -> tuple[Slot, int, int] | None:
        """The mask of a block in L1, and its strides there."""
        g = self.g
        if self.mask is None or g["mask"] == MaskMode.NONE:
            return None
        rows = job.rows if g["mask_row_stride"] else 1
        columns = g["columns"] if g["mask_column_stride"] else 1
        first = job.batch * g["mask_batch_stride"] + job.head * g["mask_head_stride"] + job.first * g["mask_row_stride"]
        copy = _strided(self.mask, first, rows, g["mask_row_stride"], columns, g["mask_column_stride"], self.mask_bytes)
        slot = self._brought(1, [copy], rows * columns * self.mask_bytes, tile)
        return slot, columns if g["mask_row_stride"] else 0, int(columns > 1)

    def _panel_in_l1(self, job: Job, operand: int, panel: int, tile: int) -> Slot:
        x, g = self.x, self.g
        batch, group = self._group(job)
        name = "value" if operand else "rhs"
        at = batch * g[f"{name}_batch_stride"] + group * g[f"{name}_group_stride"]
        matrix = self.values if operand else self.keys
        matrix = Matrix(
            matrix.memory, matrix.offset + at * WORD, matrix.dtype, matrix.packing, 1, matrix.count, matrix.k, 0,
            matrix.stride, matrix.k_stride, False,
        )  # fmt: skip
        # Of keys, a panel is a block of vectors; of values, a part of the reduction.
        tiling = Tile(1, g["value_width"], self.panel) if operand else Tile(1, self.panel, g["width"])
        chunk = (0, 0, panel) if operand else (0, panel, 0)
        l3, l2 = self.kept[operand]
        found, is_brought = l2.use()
        if is_brought:
            start, is_loaded = l3.use()
            if is_loaded:
                x.load([matrix.load(chunk, tiling, start)], start)
            x.lift([matrix.lift(chunk, tiling, start, found)], start, found)
        ring = self.own[tile][3 + operand]
        assert ring is not None
        slot = ring.take()
        x.feed([matrix.feed(chunk, tiling, found, slot)], found, slot, tile)
        return slot

    def _kept(self, every: list[tuple[Key, int]], operand: int) -> tuple[Store, Store]:
        """Where uses of panels find them in L3 and L2, which keeps what it can; L3 keeps others."""
        slots3, slots2 = (level[1][operand] for level in self.shared)
        held2 = residency(every, len(slots2), min(1, len(slots2) - 1))
        asked = [use for use, held in zip(every, held2, strict=True) if held.is_brought]
        return Store(slots3, residency(asked, len(slots3), min(1, len(slots3) - 1))), Store(slots2, held2)

    def _parts(self) -> list[tuple[int, Span]]:
        """Panels and their columns."""
        columns = self.g["columns"]
        return [(panel, span(panel, self.panel, columns)) for panel in range(-(-columns // self.panel))]

    def _weigh(self, job: Job, tile: int) -> Slot:
        """The weights of a block: its scores after softmax."""
        g, columns = self.g, self.g["columns"]
        queries, masks = self._queries(job, tile), self._masks(job, tile)
        ring = self.own[tile][5]
        assert ring is not None
        scores = ring.take()
        before, made = scores.to_write(job.rows * columns * WORD), []
        for panel, part in self._parts():
            keys = self._panel_in_l1(job, 0, panel, tile)
            sizes, at = Sizes(job.rows, part.size, g["width"]), (scores, part.first, columns)
            made.append(self._fold(sizes, (queries, 0, g["width"]), keys, at, tile, before, is_first=True))
        scores.writers = made
        scores.writers = [self._softmax(job, scores, masks, tile)]
        return scores

    def _sum(self, job: Job, tile: int, scores: Slot) -> None:
        """The sums of a block's values by their weights, and their way to external memory."""
        x, g, columns, width = self.x, self.g, self.g["columns"], self.g["value_width"]
        ring = self.own[tile][2]
        assert ring is not None
        results = ring.take()
        before = results.to_write(job.rows * width * WORD)
        for panel, part in self._parts():
            values = self._panel_in_l1(job, 1, panel, tile)
            sizes, at = Sizes(job.rows, width, part.size), (results, 0, width)
            before = [self._fold(sizes, (scores, part.first, columns), values, at, tile, before, is_first=panel == 0)]
        results.writers = before
        rows_size = job.rows * width * WORD
        rings = [level[0][2] for level in self.shared]
        assert rings[0] is not None
        assert rings[1] is not None
        l3, l2 = rings[0].take(), rings[1].take()
        batch, head, row = attention_out_strides(g)
        first = self.out[1] + WORD * (job.batch * batch + job.head * head + job.first * row)
        run = width * WORD
        store = Copy(l3.memory, l3.address, self.out[0], first, 1, 0, 0, job.rows, run, row * WORD, run)
        x.drop(results, rows_size, (l2, l3), [store], tile)

    def _fold(
        self,
        sizes: Sizes,
        lhs: tuple[Slot, int, int],
        rhs: Slot,
        sums: tuple[Slot, int, int],
        tile: int,
        before: list[int],
        *,
        is_first: bool,
    ) -> int:
        """A product of a block; `lhs` and `sums` are slots, their first word, and words from row to row."""
        x = self.x
        parameters = (
            Memory.L1 + tile, lhs[0].address + WORD * lhs[1], rhs.address, sums[0].address + WORD * sums[1], sizes.m,
            sizes.n, sizes.k, True, is_first, 0, Packing.DENSE, sizes.k * WORD, False, 0, True, lhs[2], sums[2],
            0, -1, -1,
        )  # fmt: skip

        def rows_of(slot: Slot, first: int, stride: int, width: int) -> list[tuple[int, int, int]]:
            starts = [slot.address + WORD * (first + i * stride) for i in range(sizes.m)]
            return [(slot.memory, start, start + WORD * width) for start in starts]

        written = rows_of(*sums, sizes.n)
        reads = [*rows_of(*lhs, sizes.k), rhs.place(sizes.n * sizes.k * WORD)]
        what = What(
            tile=tile,
            parameters=parameters,
            reads=reads if is_first else [*reads, *written],
            writes=written,
            macs=sizes.m * sizes.n * sizes.k,
        )
        cycles = array_cycles(x.machine, self.plan.dataflow, sizes, self.plan.is_buffered, not is_first)
        waits = [*lhs[0].writers, *rhs.writers, *before]
        number = x.program.add(Op.FOLD, x.machine.first(EngineKind.ARRAY) + tile, x.launch, cycles, waits, what)
        lhs[0].readers.append(number)
        rhs.readers.append(number)
        return number

    def _softmax(self, job: Job, scores: Slot, masks: tuple[Slot, int, int] | None, tile: int) -> int:
        x, columns = self.x, self.g["columns"]
        cycles = softmax_cycles(x.machine, columns)
        place = scores.place(job.rows * columns * WORD)
        slot, row, column = masks if masks else (None, 0, 0)
        at = slot.address if slot else 0
        masked = ((job.rows - 1) * row + (columns - 1) * column + 1) * self.mask_bytes
        what = What(
            tile=tile,
            parameters=(Memory.L1 + tile, scores.address, job.rows, columns, job.first, at, row, column),
            reads=[place, slot.place(masked)] if slot else [place],
            writes=[place],
            operations=job.rows * columns,
        )  # fmt: skip
        waits = [*scores.writers, *(slot.writers if slot else ())]
        engine = x.machine.first(EngineKind.VECTOR) + tile
        number = x.program.add(Op.SOFTMAX, engine, x.launch, job.rows * cycles, waits, what)
        if slot:
            slot.readers.append(number)
        return number


def _strided(place: tuple[int, int], first: int, rows: int, row: int, columns: int, column: int, e: int) -> Copy:
    """rows×columns elements of a tensor, dense where they go."""
    start = place[1] + first * e
    if column == 1 or columns == 1:
        run = columns * e
        return Copy(place[0], start, 0, 0, 1, 0, 0, rows, row * e, run, run)
    return Copy(place[0], start, 0, 0, rows, row * e, columns * e, columns, column * e, e, e)
