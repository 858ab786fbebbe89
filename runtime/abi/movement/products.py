"""GEMM, GEMV, CONV2D and CONV3D: tiles of products, step by step, with their epilogues."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tfmbs.runtime.abi.array_timing import Sizes
from tfmbs.runtime.abi.movement.epilogues import Epilogue
from tfmbs.runtime.abi.movement.expansion import Expansion
from tfmbs.runtime.abi.movement.machine import EngineKind, array_cycles
from tfmbs.runtime.abi.movement.memory import Residents, Ring, Slot, Uses
from tfmbs.runtime.abi.movement.operands import Key, Matrix, Span, Windows, span
from tfmbs.runtime.abi.movement.program import Copy, Level, Memory, Op, What
from tfmbs.runtime.abi.movement.tiles import Plan, Work, guard_of
from tfmbs.runtime.abi.target import ACCUMULATOR_BYTES
from tfmbs.runtime.abi.types import DType


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
    """An output tile of a round: its ranges, and the fabric tile that makes it."""

    product: int
    row: int
    column: int
    fabric: int
    m: Span
    n: Span


@dataclass
class _Shared:
    """Slots of L3 or L2."""

    operands: tuple[Residents, Residents]
    results: Ring
    windows: Ring | None


@dataclass
class _Own:
    """Slots of the L1 of a fabric tile."""

    lhs: Residents
    rhs: Residents
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
        self.lhs_zero = lhs_zero
        self.steps = -(-work.k // plan.tile.k)
        self._keys: dict[tuple[int, int, int], list[Key]] = {}
        self._cycles: dict[tuple[Sizes, bool], int] = {}
        self.rounds = [[self._output_tile(*place) for place in one] for one in plan.rounds(work)]
        self._prepare()

    def _output_tile(self, product: int, row: int, column: int, fabric: int) -> OutputTile:
        tile, work = self.plan.tile, self.work
        return OutputTile(product, row, column, fabric, span(row, tile.m, work.m), span(column, tile.n, work.n))

    def _prepare(self) -> None:
        plan, work, tile, x = self.plan, self.work, self.plan.tile, self.x
        shared = (Uses(), Uses())
        own = {fabric: (Uses(), Uses()) for fabric in plan.fabric}
        step = 0
        for one in self.rounds:
            for k in range(self.steps):
                for out in one:
                    for key in self._lhs_keys(out, k):
                        shared[0].add(key, step)
                    shared[1].add(self._rhs_key(out, k), step)
                    own[out.fabric][0].add(self._lhs_tile(out, k), step)
                    own[out.fabric][1].add(self._rhs_key(out, k), step)
                step += 1
        for uses in (*shared, *(u for pair in own.values() for u in pair)):
            uses.freeze()
        out_bytes = work.out_bytes if self.epilogue else ACCUMULATOR_BYTES
        result = tile.m * tile.n * out_bytes
        window = work.window_bytes(tile)
        self.levels: list[_Shared] = []
        engines = (x.machine.target.dma.count, x.machine.target.block_mover.count)
        of_step = len(plan.fabric) * work.lhs.chunks_of_step(tile), len(plan.fabric)
        for space, slots, count in zip((x.l3, x.l2), (plan.l3, plan.l2), engines, strict=True):
            guards = [
                guard_of(*pair, count) if plan.is_buffered else 0 for pair in zip(slots[:2], of_step, strict=True)
            ]
            lhs = Residents(space.slots(slots.lhs, work.lhs.chunk_bytes(tile)), shared[0], guards[0])
            rhs = Residents(space.slots(slots.rhs, work.rhs.chunk_bytes(tile)), shared[1], guards[1])
            results = Ring(space.slots(slots.results, result))
            windows = Ring(space.slots(slots.windows, window)) if slots.windows else None
            self.levels.append(_Shared((lhs, rhs), results, windows))
        self.tiles: dict[int, _Own] = {}
        for fabric in plan.fabric:
            space, slots1 = x.l1[fabric], plan.l1
            guards = [count // 2 if plan.is_buffered else 0 for count in slots1[:2]]
            self.tiles[fabric] = _Own(
                Residents(space.slots(slots1.lhs, work.lhs.bytes_in_l1(tile)), own[fabric][0], guards[0]),
                Residents(space.slots(slots1.rhs, work.rhs.bytes_in_l1(tile)), own[fabric][1], guards[1]),
                Ring(space.slots(slots1.sums, tile.m * tile.n * ACCUMULATOR_BYTES)),
                Ring(space.slots(slots1.windows, window)) if window else None,
                Ring(space.slots(slots1.results, result)) if self.epilogue else None,
            )

    def _lhs_keys(self, out: OutputTile, k: int) -> list[Key]:
        at = out.product, out.row, k
        if at not in self._keys:
            self._keys[at] = self.work.lhs.keys(*at, self.plan.tile)
        return self._keys[at]

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
        for one in self.rounds:
            for k in range(self.steps):
                for out in one:
                    self._step(out, k, step)
                step += 1
            for out in one:
                self._finish(out)

    def _step(self, out: OutputTile, k: int, step: int) -> None:
        tile = self.tiles[out.fabric]
        lhs = self._lhs_in_l1(tile, out, k, step)
        rhs = self._rhs_in_l1(tile, out, k, step)
        if k == 0:
            tile.current = tile.sums.take()
        assert tile.current is not None
        self._fold(out, k, lhs, rhs, tile.current)

    def _lhs_in_l1(self, tile: _Own, out: OutputTile, k: int, step: int) -> Slot:
        name = self._lhs_tile(out, k)
        keys = self._lhs_keys(out, k)
        here = tile.lhs.find(name, step)
        if here is not None:
            for key in keys:  # it stays where it is as well, if it is there
                self.levels[1].operands[0].find(key, step)
            return here
        source = self.work.lhs
        found = [self._in_l2(source, 0, key, step) for key in keys]
        slot = tile.lhs.take(name, step)
        if isinstance(source, Windows):
            self._gather(source, out, k, [(key[1], start) for key, start in zip(keys, found, strict=True)], slot)
        else:
            self.x.feed([source.feed(name, self.plan.tile, found[0], slot)], found[0], slot, out.fabric)
        self._fed(out, slot)
        return slot

    def _fed(self, out: OutputTile, slot: Slot) -> None:
        """What else becomes of lhs in L1."""

    def _rhs_in_l1(self, tile: _Own, out: OutputTile, k: int, step: int) -> Slot:
        key, source = self._rhs_key(out, k), self.work.rhs
        here = tile.rhs.find(key, step)
        if here is not None:
            self.levels[1].operands[1].find(key, step)
            return here
        found = self._in_l2(source, 1, key, step)
        slot = tile.rhs.take(key, step)
        self.x.feed([source.feed(key, self.plan.tile, found, slot)], found, slot, out.fabric)
        return slot

    def _in_l2(self, source: Matrix | Windows, operand: int, key: Key, step: int) -> Slot:
        """The slot of L2 with a chunk, which is brought there if it is not."""
        l3, l2 = (level.operands[operand] for level in self.levels)
        here = l2.find(key, step)
        if here is not None:
            return here
        start = l3.find(key, step)
        if start is None:
            start = l3.take(key, step)
            self.x.load(source.loads(key, self.plan.tile, start), start)
        slot = l2.take(key, step)
        self.x.lift([source.lift(key, self.plan.tile, start, slot)], start, slot)
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
            reads=[slot.place() for _, slot in blocks],
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
        x, work, machine = self.x, self.work, self.x.machine
        depth = span(k, self.plan.tile.k, work.k)
        row_bytes = work.rhs.row_bytes(depth.size)
        is_float = work.lhs.element_bytes == 4
        kept = -1 if work.kept is None else work.kept(out.product, out.n)
        sizes = Sizes(out.m.size, out.n.size, depth.size if kept < 0 else kept)
        is_window = isinstance(work.lhs, Windows)
        parameters = (
            Memory.L1 + out.fabric, lhs.address, rhs.address, sums.address, out.m.size, out.n.size, depth.size,
            is_float, k == 0, self.lhs_zero, work.rhs.packing, row_bytes, is_window, out.m.first,
            work.rhs.dtype == DType.F32, depth.size, out.m.size if is_window else out.n.size, 0, -1, kept,
        )  # fmt: skip
        used = out.m.size * out.n.size * ACCUMULATOR_BYTES
        waits = [*lhs.writers, *rhs.writers, *(sums.to_write(used) if k == 0 else sums.writers)]
        reads = [lhs.place(out.m.size * depth.size * work.lhs.element_bytes), rhs.place(out.n.size * row_bytes)]
        what = What(
            tile=out.fabric,
            parameters=parameters,
            reads=reads if k == 0 else [*reads, sums.place(used)],
            writes=[sums.place(used)],
            macs=sizes.m * sizes.n * sizes.k,
        )
        if (sizes, k > 0) not in self._cycles:
            plan = self.plan
            self._cycles[sizes, k > 0] = array_cycles(machine, plan.dataflow, sizes, plan.is_buffered, k > 0)
        cycles = self._cycles[sizes, k > 0]
        number = x.program.add(Op.FOLD, machine.first(EngineKind.ARRAY) + out.fabric, x.launch, cycles, waits, what)
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
        e = result.element_bytes
        size = rows.size * columns.size * e
        l3, l2 = (level.results.take() for level in self.levels)
        store = Copy(
            l3.memory, l3.address, result.memory, result.offset + element * e,
            1, 0, 0, rows.size, columns.size * e, result.stride * e, columns.size * e,
        )  # fmt: skip
        x.drop(done, size, l2, l3, [store], out.fabric)
