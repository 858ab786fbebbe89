"""ATTENTION: blocks of queries of a head against panels of its keys, softmax in L1, then against panels of its values.

The scores of a block of rows stay in L1. Keys and values come in panels of neighbouring columns; values are transposed
by the BlockMover, since the array takes the reduction along rows. The softmax of a row takes, on the vector engine, a
beat per `lanes` scores for each of scale, mask, maximum and sum; the beats of an exponential and of a division; and a
latency of each unit.
"""

from __future__ import annotations

from dataclasses import dataclass

from tfmbs.runtime.abi.array_timing import Sizes
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Row
from tfmbs.runtime.abi.movement.expansion import Expansion
from tfmbs.runtime.abi.movement.launches import bytes_of, fabric_tiles
from tfmbs.runtime.abi.movement.machine import EngineKind, array_cycles
from tfmbs.runtime.abi.movement.memory import Residents, Ring, Slot, Uses, aligned
from tfmbs.runtime.abi.movement.operands import Matrix, Tile, span
from tfmbs.runtime.abi.movement.program import Copy, Memory, Op, What
from tfmbs.runtime.abi.records import Dataflow, MaskMode
from tfmbs.runtime.abi.siw_timing import Timing
from tfmbs.runtime.abi.types import DType, Packing

SLOTS = 2  # of what streams
WORD = 4
PASSES = 4  # of the vector engine over a row, besides exponentials and divisions
SHARE = 4  # of L2 and L3 for queries, masks and results


@dataclass(frozen=True)
class Job:
    """Queries `first` to `first + rows` of a head."""

    batch: int
    head: int
    first: int
    rows: int


def expand_attention(x: Expansion, descriptor: Row, where: str) -> None:
    """Adds an ATTENTION."""
    AttentionExpansion(x, descriptor, where).run()


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
        self.flow, self.is_buffered = Dataflow(schedule["dataflow"]), schedule["buffers"] > 1
        self.fabric = fabric_tiles(x, descriptor, where)
        self.rows, self.panel = self._fitted(min(schedule["tile_m"], g["rows"]), min(schedule["tile_n"], g["columns"]))

    def _panels(self, place: tuple[int, int], name: str, count: int, k: int, *, is_transposed: bool) -> Matrix:
        """Keys, or transposed values, of each group of each batch; a key of a chunk is (batch·groups + group, …)."""
        g = self.g
        row, element = g[f"{name}_row_stride"], g["rhs_stride" if name == "rhs" else "value_stride"]
        stride, k_stride = (element, row) if is_transposed else (row, element)
        return Matrix(*place, DType.F32, Packing.DENSE, 1, count, k, 0, stride, k_stride, False)

    def _fitted(self, rows: int, panel: int) -> tuple[int, int]:
        """Rows of a block and columns of a panel, halved (the larger first) until L1, L2 and L3 hold them."""
        target = self.x.machine.target
        while True:
            small = min(target.l2.size, target.l3.size) // SHARE
            others = SLOTS * (self._query(rows) + self._mask(rows) + self._result(rows))
            panels = SLOTS * (self._key_panel(panel) + self._value_panel(panel))
            scores = aligned(rows * self.g["columns"] * WORD)
            fits = others + panels + scores <= target.l1.size and others <= small and panels <= SLOTS * small
            if fits:
                return rows, panel
            if rows == panel == 1:
                raise TfmbsError("unsupported", self.where, "its smallest tile does not fit the memories of the target")
            rows, panel = (-(-rows // 2), panel) if rows >= panel else (rows, -(-panel // 2))

    def _query(self, rows: int) -> int:
        return aligned(rows * self.g["width"] * WORD)

    def _result(self, rows: int) -> int:
        return aligned(rows * self.g["value_width"] * WORD)

    def _mask(self, rows: int) -> int:
        own_rows = rows if self.g["mask_row_stride"] else 1
        return aligned(own_rows * self.g["columns"] * self.mask_bytes)

    def _key_panel(self, panel: int) -> int:
        return aligned(panel * self.g["width"] * WORD)

    def _value_panel(self, panel: int) -> int:
        return aligned(panel * self.g["value_width"] * WORD)

    def _jobs(self) -> list[Job]:
        g = self.g
        return [
            Job(batch, head, *span(i, self.rows, g["rows"]))
            for batch in range(g["batch"])
            for head in range(self.heads)
            for i in range(-(-g["rows"] // self.rows))
        ]

    def run(self) -> None:
        """Adds all movements; jobs go round robin to the tiles."""
        jobs, x = self._jobs(), self.x
        panels = -(-self.g["columns"] // self.panel)
        uses, step = (Uses(), Uses()), 0
        for job in jobs:
            for operand in range(2):
                for panel in range(panels):
                    uses[operand].add((*self._group(job), panel), step)
                    step += 1
        for one in uses:
            one.freeze()
        self.shared = []
        sizes = (self._key_panel(self.panel), self._value_panel(self.panel))
        for space in (x.l3, x.l2):
            rings = [
                Ring(space.slots(SLOTS, size)) if size else None
                for size in (self._query(self.rows), self._mask(self.rows), self._result(self.rows))
            ]
            share = space.free // 2
            total = self.g["batch"] * self.g["groups"] * panels
            counts = [max(1, min(total, share // size)) for size in sizes]
            kept = [
                Residents(space.slots(count, size), own, 1 if count > 1 else 0)
                for count, size, own in zip(counts, sizes, uses, strict=True)
            ]
            self.shared.append((rings, kept))
        self.own = {}
        for tile in self.fabric[: len(jobs)]:
            space = x.l1[tile]
            self.own[tile] = [
                Ring(space.slots(count, size)) if size else None
                for count, size in (
                    (SLOTS, self._query(self.rows)),
                    (SLOTS, self._mask(self.rows)),
                    (SLOTS, self._result(self.rows)),
                    (SLOTS, sizes[0]),
                    (SLOTS, sizes[1]),
                    (1, aligned(self.rows * self.g["columns"] * WORD)),
                )
            ]
        step = 0
        for number, job in enumerate(jobs):
            self._job(job, self.fabric[number % len(self.fabric)], step)
            step += 2 * panels

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

    def _panel_in_l1(self, job: Job, operand: int, panel: int, step: int, tile: int) -> Slot:
        x, g = self.x, self.g
        batch, group = self._group(job)
        key = (batch, group, panel)
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
        l3, l2 = (level[1][operand] for level in self.shared)
        found = l2.find(key, step)
        if found is None:
            start = l3.find(key, step)
            if start is None:
                start = l3.take(key, step)
                x.load([matrix.load(chunk, tiling, start)], start)
            found = l2.take(key, step)
            x.lift([matrix.lift(chunk, tiling, start, found)], start, found)
        ring = self.own[tile][3 + operand]
        assert ring is not None
        slot = ring.take()
        x.feed([matrix.feed(chunk, tiling, found, slot)], found, slot, tile)
        return slot

    def _job(self, job: Job, tile: int, step: int) -> None:
        x, g = self.x, self.g
        columns, panels = g["columns"], -(-g["columns"] // self.panel)
        queries, masks = self._queries(job, tile), self._masks(job, tile)
        score_ring, result_ring = self.own[tile][5], self.own[tile][2]
        assert score_ring is not None
        assert result_ring is not None
        scores, results = score_ring.take(), result_ring.take()
        before = scores.to_write(job.rows * columns * WORD)
        made = []
        for panel in range(panels):
            keys = self._panel_in_l1(job, 0, panel, step + panel, tile)
            part = span(panel, self.panel, columns)
            sizes = Sizes(job.rows, part.size, g["width"])
            made.append(
                self._fold(
                    sizes, (queries, 0, g["width"]), keys, (scores, part.first, columns), tile, before, is_first=True
                )
            )
        scores.writers = made
        weights = self._softmax(job, scores, masks, tile)
        scores.writers = [weights]
        before = results.to_write(job.rows * g["value_width"] * WORD)
        for panel in range(panels):
            values = self._panel_in_l1(job, 1, panel, step + panels + panel, tile)
            part = span(panel, self.panel, columns)
            sizes = Sizes(job.rows, g["value_width"], part.size)
            number = self._fold(
                sizes, (scores, part.first, columns), values, (results, 0, g["value_width"]), tile, before,
                is_first=panel == 0,
            )  # fmt: skip
            before = [number]
        results.writers = before
        rows_size = job.rows * g["value_width"] * WORD
        rings = [level[0][2] for level in self.shared]
        assert rings[0] is not None
        assert rings[1] is not None
        l3, l2 = rings[0].take(), rings[1].take()
        first = ((job.batch * self.heads + job.head) * g["rows"] + job.first) * g["value_width"] * WORD
        store = Copy(l3.memory, l3.address, self.out[0], self.out[1] + first, run=rows_size)
        x.drop(results, rows_size, l2, l3, [store], tile)

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
        cycles = array_cycles(x.machine, self.flow, sizes, self.is_buffered, not is_first)
        waits = [*lhs[0].writers, *rhs.writers, *before]
        number = x.program.add(Op.FOLD, x.machine.first(EngineKind.ARRAY) + tile, x.launch, cycles, waits, what)
        lhs[0].readers.append(number)
        rhs.readers.append(number)
        return number

    def _softmax(self, job: Job, scores: Slot, masks: tuple[Slot, int, int] | None, tile: int) -> int:
        x, columns = self.x, self.g["columns"]
        timing = Timing.of(x.machine.target.vector)
        exponential = "special" if "exp" in timing.functions else "software"
        beats = -(-columns // timing.lanes)
        cycles = beats * (PASSES + timing.cycles[exponential] + timing.cycles["div"])
        cycles += sum(timing.latency[unit] for unit in ("memory", "alu", "special", "div"))
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
