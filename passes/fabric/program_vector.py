"""Loops whose iterations run side by side in lanes, a vector of them at a time; accumulators by SCAN or RED."""

from __future__ import annotations

from collections.abc import Sequence

from tfmbs.dialect.mlir import ir
from tfmbs.passes.fabric.program_lanes import Scan, VectorLoop, is_apart
from tfmbs.passes.fabric.program_scalars import Scalars
from tfmbs.passes.fabric.program_straight import Lanes, Straight
from tfmbs.passes.siw.body import splat
from tfmbs.passes.siw.control import Atom, Linear
from tfmbs.passes.siw.emitter import Emitter
from tfmbs.passes.siw.machine import Reg
from tfmbs.passes.siw.nest import Held, Nest
from tfmbs.passes.siw.reductions import Fold
from tfmbs.passes.siw.size import Counted, most
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.types import DTYPES


class VectorLoops:
    """Emits loops in lanes."""

    def __init__(self, scalars: Scalars) -> None:
        self._scalars = scalars
        self._control = scalars.control
        self._asm = scalars.control.asm

    def runs_in_lanes(self, loop: VectorLoop) -> bool:
        """Whether the order of its iterations does not show in memory, vector by vector."""
        straight, _ = self._collected(loop, loop.start, siw.VLMAX)
        known = None if loop.count.terms else loop.count.offset
        touched = straight.touched
        stored = {touch.access.window for touch in touched if touch.is_store}
        return all(is_apart([t for t in touched if t.access.window == window], known) for window in stored)

    def emit(self, loop: VectorLoop, accumulators: Sequence[Reg | None]) -> None:
        """Emits the loop; `accumulators` are the registers of its scans, by number."""
        partials = {scan.number: self._partial(scan.fold) for scan in loop.scans if scan.is_fold}
        self._emit_vectors(loop, [partials.get(number, register) for number, register in enumerate(accumulators)])
        for scan in loop.scans:
            accumulator = accumulators[scan.number]
            if scan.is_fold and accumulator is not None:
                self._asm.set_vl(1)
                total = self._asm.vector(wide=scan.fold.is_wide)
                self._asm.compute("FOLD", scan.dtype, total, (partials[scan.number],), scan.fold.kind)
                self._asm.compute(scan.fold.op, scan.dtype, accumulator, (accumulator, total))

    def _partial(self, fold: Fold) -> Reg:
        """A register of partial results before the first iteration."""
        partial = self._asm.vector(wide=fold.is_wide)
        self._asm.set_vl(siw.VLMAX)
        splat(self._asm, partial, fold.identity)
        return partial

    def _emit_vectors(self, loop: VectorLoop, accumulators: Sequence[Reg | None]) -> None:
        if loop.count.terms:
            self._emit_counted(loop, accumulators)
            return
        full, tail = divmod(loop.count.offset, siw.VLMAX)
        if full > 1:
            chunks = (0, (full - 1) * siw.VLMAX)
            with self._control.counted(Linear(), siw.VLMAX, Linear(full), chunks) as first, self._scalars.scope():
                self._chunk(loop, first, siw.VLMAX, accumulators)
        elif full:
            self._chunk(loop, Linear(), siw.VLMAX, accumulators)
        if tail:
            done = Linear(full * siw.VLMAX)
            self._chunk(loop, done, tail, accumulators)

    def _emit_counted(self, loop: VectorLoop, accumulators: Sequence[Reg | None]) -> None:
        """A run-time number of iterations: a loop over whole vectors, then what is left in a shorter one."""
        control, lanes = self._control, siw.VLMAX
        most = max(loop.count.range[1], 0)
        full = self._scalars.quotient(loop.count, Linear(lanes))  # of a negative count not above 0
        if most >= lanes:
            with control.counted(Linear(), lanes, full, (0, most - 1)) as first, self._scalars.scope():
                self._chunk(loop, first, lanes, accumulators)
        done = full.times(lanes)
        rest = control.operation("SMAX", loop.count.plus(done.times(-1)), Linear(), (0, lanes - 1))
        left = control.register(rest)
        with control.under(left), self._scalars.scope():
            self._chunk(loop, done, Counted(left, lanes - 1), accumulators)
            self._asm.vl = None

    def _chunk(
        self,
        loop: VectorLoop,
        first: Linear,
        lanes: int,
        accumulators: Sequence[Reg | None],
    ) -> None:
        """Iterations `first` and on, one in each of `lanes`, which may be `Counted`."""
        straight, scanned = self._collected(loop, loop.start.plus(first.times(loop.step)), most(lanes))
        yields = tuple(operand for operand, _ in scanned)
        nest = Nest((most(lanes),), (False,), tuple(straight.body), (), yields, 0, tuple(straight.scatters))
        emitter = Emitter(self._asm, nest, whole=False)
        emitter.lanes_along = 0
        self._asm.set_vl(lanes)
        pinned: dict[int, Reg] = {}
        for scan, (operand, result) in zip(loop.scans, scanned, strict=True):
            (pinned[operand],) = emitter.body(pinned).run([operand])
            accumulator = accumulators[scan.number]
            assert accumulator is not None
            with self._asm.at(self._scalars.sources.of(scan.op)):
                self._combine(scan, accumulator, pinned[operand], result)
        emitter.scatter(dict(zip(nest.roots, emitter.body(pinned).run(nest.roots), strict=True)))

    def _combine(self, scan: Scan, accumulator: Reg, operand: Reg, result: Reg) -> None:
        """Takes a vector of operands into an accumulator."""
        if scan.is_fold:
            self._asm.compute("RED", scan.dtype, accumulator, (operand,), scan.fold.kind)
            return
        self._asm.compute("SCAN", scan.dtype, result, (operand, accumulator), scan.fold.kind)
        self._asm.compute("LAST64" if scan.fold.is_wide else "LAST", None, accumulator, (result,))

    def _collected(self, loop: VectorLoop, start: Linear, lanes: int) -> tuple[Straight, list[tuple[int, Reg]]]:
        """The body in lanes, with the first iteration's index at `start`; of each scan, operand and result."""
        lane = Atom(self._asm.scalar(), self._control.depth, (0, lanes - 1))
        straight = Straight(self._scalars, Lanes(lane, lanes, loop.spread))
        index = loop.op.regions[0].blocks[0].arguments[0]
        scanned: list[tuple[int, Reg]] = []
        self._scalars.bind_number(index, start.plus(Linear(0, ((lane, loop.step),))))
        scans = list(loop.scans)
        for op in loop.ops:
            if scans and op == scans[0].op:
                scan = scans.pop(0)
                wide = scan.dtype in siw.WIDE
                position = straight.value(scan.operand, op)
                result = self._asm.vector(wide=wide)
                is_integer = not DTYPES[scan.dtype].is_float
                scanned.append((straight.wide(position) if wide and is_integer else position, result))
                known = (0, 1) if op.results[0].type == ir.IntegerType.get_signless(1) else None
                straight.bind(op.results[0], straight.add(Held(result), known))
            else:
                straight.collect(op)
        return straight, scanned
