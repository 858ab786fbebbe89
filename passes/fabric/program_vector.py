"""Loops whose iterations run side by side in lanes, a vector of them at a time; accumulators by SCAN or RED."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tfmbs.dialect.kernel_program import ACCESSES, VIEWS
from tfmbs.dialect.mlir import ir
from tfmbs.passes.fabric.program_scalars import Scalars
from tfmbs.passes.fabric.program_straight import Lanes, Straight, Touched, only_computes
from tfmbs.passes.fabric.scalars import dtype_of
from tfmbs.passes.kernel.aliases import terminator_of
from tfmbs.passes.siw.body import splat
from tfmbs.passes.siw.control import Atom, Linear
from tfmbs.passes.siw.emitter import Emitter
from tfmbs.passes.siw.machine import Reg
from tfmbs.passes.siw.nest import Held, Nest
from tfmbs.passes.siw.reductions import Fold
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.types import DTYPES, DType

_SCANS: dict[str, tuple[str, bool]] = {
    "arith.addf": ("ADD", False),
    "arith.mulf": ("MUL", False),
    "arith.maximumf": ("MAX", False),
    "arith.minimumf": ("MIN", False),
    "arith.addi": ("ADD", False),
    "arith.muli": ("MUL", False),
    "arith.andi": ("AND", False),
    "arith.ori": ("OR", False),
    "arith.xori": ("XOR", False),
    "arith.maxsi": ("MAX", False),
    "arith.minsi": ("MIN", False),
    "arith.maxui": ("MAX", True),
    "arith.minui": ("MIN", True),
}
"""The vector operation of a loop-carried one, and whether its integers are unsigned."""

_LANES = {1: DType.I32, 8: DType.I32, 16: DType.I32, 32: DType.I32, 64: DType.I64}
_UNSIGNED = {DType.I32: DType.U32, DType.I64: DType.U64}
_EXTREMES = frozenset({"MAX", "MIN"})
_BITWISE = frozenset({"AND", "OR", "XOR"})


@dataclass(frozen=True)
class Scan:
    """`op` combines accumulator number `number` with another operand, in every iteration, as `fold` does.

    Nothing sees the results on the way, and their order makes no difference, where `is_fold` says so.
    """

    op: Any
    number: int
    operand: Any
    fold: Fold
    is_fold: bool

    @property
    def dtype(self) -> DType:
        """The type of its lanes."""
        return self.fold.dtype


@dataclass(frozen=True)
class VectorLoop:
    """A loop that may run in lanes: its ops, its scans, and how far it goes.

    `spread` are the registers that have scalars from around the loop in all lanes, once they are made.
    """

    op: Any
    ops: tuple[Any, ...]
    scans: tuple[Scan, ...]
    start: Linear
    step: int
    count: Linear
    spread: dict[Any, Reg] = field(default_factory=dict)


def vector_loop(op: Any, start: Linear, step: Linear, count: Linear) -> VectorLoop | None:
    """The loop, if its ops may run in lanes; whether its memory allows it is asked of `runs_in_lanes`."""
    block = op.regions[0].blocks[0]
    ops = tuple(inner.operation for inner in block.operations)[:-1]
    if step.terms or not all(inner.name in VIEWS | ACCESSES or only_computes(inner) for inner in ops):
        return None
    if not count.terms and count.offset < 2:
        return None
    scans = []
    carried = list(block.arguments)[1:]
    for number, (value, result) in enumerate(zip(carried, terminator_of(block).operands, strict=True)):
        if isinstance(value.type, ir.MemRefType) or (value == result and not list(_other_uses(value, block))):
            continue
        scan = _scan(number, value, result, ops, runs=not count.terms)
        if scan is None:
            return None
        scans.append(scan)
    scans.sort(key=lambda scan: ops.index(scan.op))
    return VectorLoop(op, ops, tuple(scans), start, step.offset, count)


def _other_uses(value: Any, block: Any) -> list[Any]:
    return [use for use in value.uses if use.owner != terminator_of(block)]


def _scan(number: int, value: Any, result: Any, ops: Sequence[Any], *, runs: bool) -> Scan | None:
    """The scan by which `value` becomes `result`, if that is what happens to it, and all that does.

    `runs` tells that the loop is sure to run: an accumulator that is a NaN keeps its bits where it does not.
    """
    op = result.owner
    if isinstance(op, ir.Block) or op.name not in _SCANS or op not in ops or len(list(value.uses)) != 1:
        return None
    others = [operand for operand in op.operands if operand != value]
    name, unsigned = _SCANS[op.name]
    dtype = _scan_type(value.type, name, unsigned=unsigned)
    if len(others) != 1 or dtype is None:
        return None
    is_float = DTYPES[dtype].is_float
    unordered = not is_float or (name in _EXTREMES and runs)
    return Scan(op, number, others[0], Fold(number, name, dtype, 0), unordered and len(list(result.uses)) == 1)


def _scan_type(type_: Any, kind: str, *, unsigned: bool) -> DType | None:
    """The type of a SCAN's lanes; None where it would round or compare otherwise than the scalars do."""
    dtype = None if isinstance(type_, ir.IndexType) else dtype_of(type_)  # an index is in a scalar register
    if dtype is None:
        return None
    if DTYPES[dtype].is_float:
        return dtype if dtype in (DType.F32, DType.F64) else None
    lanes = _LANES[type_.width]
    if type_.width == 1:
        return lanes if kind in _BITWISE else None
    if DTYPES[dtype].bits < DTYPES[lanes].bits and kind in _EXTREMES:
        return None
    return _UNSIGNED[lanes] if unsigned else lanes


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
        return all(_is_apart([t for t in touched if t.access.window == window], known) for window in stored)

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
                self._chunk(loop, first, siw.VLMAX, accumulators, lambda: self._asm.set_vl(siw.VLMAX))
        elif full:
            self._chunk(loop, Linear(), siw.VLMAX, accumulators, lambda: self._asm.set_vl(siw.VLMAX))
        if tail:
            done = Linear(full * siw.VLMAX)
            self._chunk(loop, done, tail, accumulators, lambda: self._asm.set_vl(tail))

    def _emit_counted(self, loop: VectorLoop, accumulators: Sequence[Reg | None]) -> None:
        chunks = self._scalars.quotient(loop.count.plus(Linear(siw.VLMAX - 1)), Linear(siw.VLMAX))
        most = (0, max(loop.count.range[1], 0))
        with self._control.counted(Linear(), siw.VLMAX, chunks, most) as first, self._scalars.scope():
            left = self._control.register(loop.count.plus(first.times(-1)))

            def set_vl() -> None:
                self._asm.emit("C", "SETVLR", reg=left)
                self._asm.vl = siw.VLMAX  # as far as code for whole vectors is concerned

            self._chunk(loop, first, siw.VLMAX, accumulators, set_vl)
            self._asm.vl = None

    def _chunk(
        self,
        loop: VectorLoop,
        first: Linear,
        lanes: int,
        accumulators: Sequence[Reg | None],
        set_vl: Callable[[], None],
    ) -> None:
        """Iterations `first` and on, one in each lane."""
        straight, scanned = self._collected(loop, loop.start.plus(first.times(loop.step)), lanes)
        yields = tuple(operand for operand, _ in scanned)
        nest = Nest((lanes,), (False,), tuple(straight.body), (), yields, 0, tuple(straight.scatters))
        set_vl()
        emitter = Emitter(self._asm, nest, whole=False)
        emitter.lanes_along = 0
        pinned: dict[int, Reg] = {}
        for scan, (operand, result) in zip(loop.scans, scanned, strict=True):
            (pinned[operand],) = emitter.body(pinned).run([operand])
            accumulator = accumulators[scan.number]
            assert accumulator is not None
            if scan.is_fold:
                self._asm.compute("RED", scan.dtype, accumulator, (pinned[operand],), scan.fold.kind)
                continue
            self._asm.compute("SCAN", scan.dtype, result, (pinned[operand], accumulator), scan.fold.kind)
            last = "LAST64" if scan.fold.is_wide else "LAST"
            self._asm.compute(last, None, accumulator, (result,))
        emitter.scatter(dict(zip(nest.roots, emitter.body(pinned).run(nest.roots), strict=True)))

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


def _is_apart(touched: Sequence[Touched], count: int | None) -> bool:
    """Whether lanes may touch a window, in written order, that is stored to: all loads of a vector come first."""
    if len(touched) == 1:
        return True
    (stride,) = touched[0].access.strides
    places = {(touch.access.base, touch.access.strides) for touch in touched}
    if len(places) > 1 or not stride or any(touch.rest is not None for touch in touched):
        return False
    for index, later in enumerate(touched):
        for earlier in touched[:index]:
            if not (later.is_store or earlier.is_store):
                continue
            distance = later.access.offset - earlier.access.offset
            if distance % stride or (count is not None and abs(distance // stride) >= count):
                continue
            # The later op touches in iteration i what the earlier one touches in iteration i + ahead.
            ahead = distance // stride
            if earlier.is_store and not later.is_store:
                return False  # it would load before that store
            if (later.is_store and not earlier.is_store and ahead > 0) or (earlier.is_store and ahead > 0):
                return False
    return True
