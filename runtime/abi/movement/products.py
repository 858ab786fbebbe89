"""GEMM, GEMV, CONV2D and CONV3D: tiles of products, step by step, with their epilogues."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tfmbs.runtime.abi.array_timing import Sizes
from tfmbs.runtime.abi.movement.cuts import FIRST, LEAST, operand_parts, part_bytes, result_parts
from tfmbs.runtime.abi.movement.epilogues import Epilogue
from tfmbs.runtime.abi.movement.expansion import Expansion
from tfmbs.runtime.abi.movement.fields import Level, Memory, Op
from tfmbs.runtime.abi.movement.machine import EngineKind, array_cycles, array_lag
from tfmbs.runtime.abi.movement.memory import Ring, Slot
from tfmbs.runtime.abi.movement.nests import Place, is_parked_in_l3
from tfmbs.runtime.abi.movement.operands import Key, Matrix, Span, Windows, span
from tfmbs.runtime.abi.movement.plan import Plan, Work, guard_of
from tfmbs.runtime.abi.movement.program import Copy, What
from tfmbs.runtime.abi.movement.residency import Held, Store, outer_memories, residency
from tfmbs.runtime.abi.target import ACCUMULATOR_BYTES
from tfmbs.runtime.abi.types import DType

_FOLD = Op.FOLD  # members of enums take long to look up


@dataclass(frozen=True)
class Result:
    """Where the elements of a product go: `rows`×`columns` as it lies in memory, from an element of the tensor on."""

    memory: int
    offset: int
    element_bytes: int
    is_window: bool
    """Columns of the product are the rows of the result: channels, whose pixels follow each other."""
    start: Callable[[int], int]
    """The first element of a product."""
    stride: int
    """Elements between two rows of the result."""
    channel: Callable[[int], int]
    """The first output channel of a product."""


@dataclass(frozen=True)
class OutputTile:
    """An output tile of a round: its ranges, the fabric tile that makes it, and its number in its block."""

    product: int
    row: int
    column: int
    fabric: int
    number: int
    m: Span
    n: Span


@dataclass
class _Shared:
    """Slots of L3 or L2."""

    operands: tuple[Store, Store]
    results: Ring
    windows: Ring | None
    parked: list[Slot]
    passing: tuple[Ring, Ring]  # sums to a tile, and from it


@dataclass
class Own:
    """Slots of the L1 of a fabric tile."""

    lhs: Store
    rhs: Store
    sums: Ring
    windows: Ring | None
    results: Ring | None
    current: Slot | None = field(default=None)  # the sums of its output tile


class ProductExpansion:
    """The movements of one product."""

    def __init__(
        self, expansion: Expansion, work: Work, plan: Plan, result: Result, epilogue: Epilogue | None, lhs_zero: int
    ) -> None:
        self.x, self.work, self.plan, self.result, self.epilogue = expansion, work, plan, result, epilogue
        self.lhs_zero, self.arrays = lhs_zero, expansion.machine.first(EngineKind.ARRAY)
        self.is_window, self.is_float = isinstance(work.lhs, Windows), work.lhs.element_bytes == 4
        self.rhs_is_float = work.rhs.dtype == DType.F32
        # Weights wait for no launch: in the first step they do not queue behind what does.
        self._weights_first = expansion.is_waiting and work.rhs.memory == Memory.WEIGHTS
        self.steps = -(-work.k // plan.tile.k)
        self._keys: dict[tuple[int, int, int], list[Key]] = {}
        self._cycles: dict[tuple[int, int, int, bool], tuple[int, int]] = {}  # of a step, and its lag
        rounds = plan.rounds(work)
        self.rounds = [([self._output_tile(place) for place in one.places], one.first, one.last) for one in rounds]
        self._prepare()

    def _output_tile(self, place: Place) -> OutputTile:
        tile, work = self.plan.tile, self.work
        return OutputTile(*place, span(place.row, tile.m, work.m), span(place.column, tile.n, work.n))

    def _prepare(self) -> None:
        plan, work, tile, x = self.plan, self.work, self.plan.tile, self.x
        own, shared = self._residency()
        sums = tile.m * tile.n * ACCUMULATOR_BYTES
        result = tile.m * tile.n * work.result_bytes
        self.part_bytes = work.part_bytes(tile, x.machine.target.dma.count)
        self.brought = 0  # bytes of operands so far
        engines = x.machine.target.dma.count
        ends = [one for one, _, last in self.rounds if last == self.steps]
        self.last = [out for one in ends[-engines:] for out in one][-engines:]
        window = work.window_bytes(tile)
        self.levels: list[_Shared] = []
        for space, slots, held in zip((x.l3, x.l2), (plan.l3, plan.l2), shared, strict=True):
            lhs = Store(space.slots(slots.lhs, work.lhs.chunk_bytes(tile)), held[0])
            rhs = Store(space.slots(slots.rhs, work.rhs.chunk_bytes(tile)), held[1])
            results = Ring(space.slots(slots.results, self.part_bytes))
            windows = Ring(space.slots(slots.windows, window)) if slots.windows else None
            parked = space.slots(slots.parked, sums)
            passing = Ring(space.slots(slots.passing, sums)), Ring(space.slots(slots.passing, sums))
            self.levels.append(_Shared((lhs, rhs), results, windows, parked, passing))
        self.tiles: dict[int, Own] = {}
        for fabric in plan.fabric:
            space, slots1 = x.l1[fabric], plan.l1
            self.tiles[fabric] = Own(
                Store(space.slots(slots1.lhs, work.lhs.bytes_in_l1(tile)), own[fabric][0]),
                Store(space.slots(slots1.rhs, work.rhs.bytes_in_l1(tile)), own[fabric][1]),
                Ring(space.slots(slots1.sums, sums)),
                Ring(space.slots(slots1.windows, window)) if window else None,
                Ring(space.slots(slots1.results, result)) if self.epilogue else None,
            )

    def _residency(self) -> tuple[dict[int, list[list[Held]]], list[list[list[Held]]]]:
        """Where uses find the chunks of both operands: in L1 of each fabric tile, and in L3 and L2."""
        plan, target = self.plan, self.x.machine.target
        places = [
            (step, out, k)
            for step, (one, k) in enumerate((one, k) for one, first, last in self.rounds for k in range(first, last))
            for out in one
        ]
        own: dict[int, list[list[Held]]] = {fabric: [] for fabric in plan.fabric}
        shared: list[list[list[Held]]] = [[], []]
        of_step = len(plan.fabric) * self.work.lhs.chunks_of_step(plan.tile), len(plan.fabric)
        for operand in range(2):
            uses: dict[int, list[tuple[Key, int]]] = {fabric: [] for fabric in plan.fabric}
            for step, out, k in places:
                uses[out.fabric].append((self._rhs_key(out, k) if operand else self._lhs_tile(out, k), step))
            guard = plan.l1[operand] // 2 if plan.is_buffered else 0
            for fabric in plan.fabric:
                own[fabric].append(residency(uses[fabric], plan.l1[operand], guard))
            at = {fabric: iter(own[fabric][operand]) for fabric in plan.fabric}
            asked = [
                (key, step)
                for step, out, k in places
                if next(at[out.fabric]).is_brought
                for key in self._l2_keys(operand, out, k)
            ]
            slots = plan.l2[operand], plan.l3[operand]
            guards = [
                guard_of(count, of_step[operand], engines) if plan.is_buffered else 0
                for count, engines in zip(slots, (target.block_mover.count, target.dma.count), strict=True)
            ]
            held2, held3 = outer_memories(asked, slots, (guards[0], guards[1]))
            shared[0].append(held3)
            shared[1].append(held2)
        return own, shared

    def _lhs_keys(self, out: OutputTile, k: int) -> list[Key]:
        at = out.product, out.row, k
        if at not in self._keys:
            self._keys[at] = self.work.lhs.keys(*at, self.plan.tile)
        return self._keys[at]

    def _l2_keys(self, operand: int, out: OutputTile, k: int) -> list[Key]:
        """What L1 asks L2 for where it has not the operand of a step."""
        return [self._rhs_key(out, k)] if operand else self._lhs_keys(out, k)

    def _rhs_key(self, out: OutputTile, k: int) -> Key:
        return self.work.rhs.keys(out.product, out.column, k, self.plan.tile)[0]

    def _lhs_tile(self, out: OutputTile, k: int) -> Key:
        """Names the lhs of a tile in L1."""
        if isinstance(self.work.lhs, Windows):
            return (out.product, out.row, k)
        return self._lhs_keys(out, k)[0]

    def run(self) -> None:
        """Adds all movements."""
        step = 0
        for one, first, last in self.rounds:
            for k in range(first, last):
                self._before(step)
                step += 1
                for out in one:
                    self._step(out, k, is_first=k == first)
            for out in one:
                if last == self.steps:
                    self._finish(out)
                else:
                    self._park(out)

    def _before(self, step: int) -> None:
        """What else is done before a step."""

    def _step(self, out: OutputTile, k: int, *, is_first: bool) -> None:
        tile = self.tiles[out.fabric]
        if is_first:
            tile.current = tile.sums.take()
        assert tile.current is not None
        if is_first and k > 0:
            self._unpark(out, tile.current)
        if self._weights_first:
            rhs, lhs = self._rhs_in_l1(tile, out, k), self._lhs_in_l1(tile, out, k)
            self._weights_first = False
        else:
            lhs, rhs = self._lhs_in_l1(tile, out, k), self._rhs_in_l1(tile, out, k)
        self._fold(out, k, lhs, rhs, tile.current)

    def _parking(self, out: OutputTile) -> tuple[Slot, bool]:
        """Where the sums of a tile park between blocks of k, and whether that is in L3."""
        l3, l2 = (level.parked for level in self.levels)
        before = out.number * len(l3) // (len(l2) + len(l3))  # tiles of its block that park in L3
        if is_parked_in_l3(out.number, len(l2), len(l3)):
            return l3[before], True
        return l2[out.number - before], False

    def _park(self, out: OutputTile) -> None:
        """Sums of an output tile leave L1 until its next block of k."""
        sums, size = self.tiles[out.fabric].current, out.m.size * out.n.size * ACCUMULATOR_BYTES
        assert sums is not None
        slot, is_in_l3 = self._parking(out)
        l2 = self.levels[1].passing[1].take() if is_in_l3 else slot
        self.x.leave_l1(sums, size, l2, out.fabric)
        if is_in_l3:
            self.x.leave_l2(l2, size, slot)

    def _unpark(self, out: OutputTile, sums: Slot) -> None:
        """Sums of an output tile come to L1 again."""
        size = out.m.size * out.n.size * ACCUMULATOR_BYTES
        start, is_in_l3 = self._parking(out)
        if is_in_l3:
            l2 = self.levels[1].passing[0].take()
            self.x.lift([Copy(start.memory, start.address, l2.memory, l2.address, run=size)], start, l2)
            start = l2
        self.x.feed([Copy(start.memory, start.address, sums.memory, sums.address, run=size)], start, sums, out.fabric)

    def _lhs_in_l1(self, tile: Own, out: OutputTile, k: int) -> Slot:
        slot, is_brought = tile.lhs.use()
        if not is_brought:
            return slot
        source, keys = self.work.lhs, self._lhs_keys(out, k)
        found = [self._in_l2(source, 0, key) for key in keys]
        if isinstance(source, Windows):
            self._gather(source, out, k, [(key[1], start) for key, start in zip(keys, found, strict=True)], slot)
        else:
            self.x.feed([source.feed(keys[0], self.plan.tile, found[0], slot)], found[0], slot, out.fabric)
        return slot

    def _rhs_in_l1(self, tile: Own, out: OutputTile, k: int) -> Slot:
        slot, is_brought = tile.rhs.use()
        if is_brought:
            key, source = self._rhs_key(out, k), self.work.rhs
            found = self._in_l2(source, 1, key)
            self.x.feed([source.feed(key, self.plan.tile, found, slot)], found, slot, out.fabric)
        return slot

    def _in_l2(self, source: Matrix | Windows, operand: int, key: Key) -> Slot:
        """The slot of L2 with a chunk, which is brought there if it is not."""
        l3, l2 = (level.operands[operand] for level in self.levels)
        slot, is_brought = l2.use()
        if is_brought:
            start, is_loaded = l3.use()
            lifts, target = source.lifts(key, self.plan.tile, start, slot), self.x.machine.target
            size = sum(copy.bytes for copy in lifts)
            is_early = self.brought < FIRST
            self.brought += size
            if is_loaded:
                parts = operand_parts(size, target.dma.count, is_early=is_early)
                self.x.load(source.loads(key, self.plan.tile, start), start, parts=parts)
            self.x.lift(lifts, start, slot, operand_parts(size, target.block_mover.count, is_early=is_early))
        return slot

    def _gather(self, source: Windows, out: OutputTile, k: int, blocks: Sequence[tuple[int, Slot]], to: Slot) -> None:
        x, size = self.x, self.plan.tile
        channels = span(k, source.step_channels(size), source.channels)
        moved = out.m.size * channels.size * source.taps * source.element_bytes
        engine = x.machine.streamer_of(out.fabric)
        waits = [number for _, slot in blocks for number in slot.writers] + to.to_write(moved)
        parameters = [
            to.memory, to.address, out.m.first, out.m.size, channels.size, source.element_bytes,
            source.rows_per_block(size), self.lhs_zero, len(blocks),
        ]  # fmt: skip
        for block, slot in blocks:
            parameters += (block, slot.address)
        what = What(
            tile=out.fabric,
            parameters=parameters,
            reads=[slot.place(slot.filled) for _, slot in blocks],
            writes=[to.place(moved)],
            bytes=moved,
            source=Level.L2,
            target=Level.L1,
        )
        number = x.program.add(Op.GATHER, engine, x.launch, -(-moved // x.machine.engines[engine].width), waits, what)
        for _, slot in blocks:
            slot.readers.append(number)
        to.writers.append(number)

    def _fold(self, out: OutputTile, k: int, lhs: Slot, rhs: Slot, sums: Slot) -> None:
        x, work, plan = self.x, self.work, self.plan
        steps = span(k, plan.tile.k, work.k)
        depth = steps.size
        kept = -1 if work.kept is None else work.kept(out.product, out.n)
        m, n, taken = out.m.size, out.n.size, depth if kept < 0 else kept
        parameters = (
            sums.memory, lhs.address, rhs.address, sums.address, m, n, depth, self.is_float, k == 0, self.lhs_zero,
            work.rhs.packing, work.rhs.row_bytes(depth), self.is_window, out.m.first, self.rhs_is_float, depth,
            m if self.is_window else n, 0, -1, kept,
        )  # fmt: skip
        used = m * n * ACCUMULATOR_BYTES
        waits = [*lhs.writers, *rhs.writers, *(sums.to_write(used) if k == 0 else sums.writers)]
        reads = [lhs.place(m * depth * work.lhs.element_bytes), rhs.place(work.rhs.bytes_of(n, steps))]
        what = What(
            tile=out.fabric,
            parameters=parameters,
            reads=reads if k == 0 else [*reads, sums.place(used)],
            writes=[sums.place(used)],
            macs=m * n * taken,
        )
        found = self._cycles.get((m, n, taken, k > 0))
        if found is None:
            sizes, flow = Sizes(m, n, taken), plan.dataflow
            cycles = array_cycles(x.machine, flow, sizes, plan.is_buffered, k > 0)
            found = cycles, array_lag(x.machine, flow, sizes, plan.is_buffered) if plan.overlaps else 0
            self._cycles[m, n, taken, k > 0] = found
        cycles, lag = found
        number = x.program.add(_FOLD, self.arrays + out.fabric, x.launch, cycles, waits, what, lag)
        lhs.readers.append(number)
        rhs.readers.append(number)
        sums.writers = [number]

    def _finish(self, out: OutputTile) -> None:
        """The epilogue of an output tile, and its way to external memory."""
        tile, x, result = self.tiles[out.fabric], self.x, self.result
        done = tile.current
        assert done is not None
        rows, columns = (out.n, out.m) if result.is_window else (out.m, out.n)
        element = result.start(out.product) + rows.first * result.stride + columns.first
        if self.epilogue is not None:
            assert tile.results is not None
            channel = result.channel(out.product) + out.n.first
            windows = [ring for ring in (*(level.windows for level in self.levels), tile.windows) if ring is not None]
            slot = tile.results.take()
            self.epilogue.add(
                x, (done, slot), (rows.size, columns.size), (element, result.stride, channel), windows, out.fabric
            )
            done = slot
        e, engines = result.element_bytes, x.machine.target.dma.count
        limit = self.part_bytes
        if out in self.last:
            limit = min(limit, part_bytes(rows.size, columns.size, e, engines, LEAST))
        places = list(result_parts(rows.size, columns.size, e, limit))
        parts = x.outward([(one.first * columns.size + other.first) * e for one, other in places])
        for (own_rows, own_columns), part in zip(places, parts, strict=True):
            l3, l2 = (level.results.take() for level in self.levels)
            start = element + own_rows.first * result.stride + own_columns.first
            run = own_columns.size * e
            store = Copy(
                l3.memory, l3.address, result.memory, result.offset + start * e,
                1, 0, 0, own_rows.size, run, result.stride * e, run,
            )  # fmt: skip
            x.drop(done, own_rows.size * run, (l2, l3), [store], out.fabric, part=part)
