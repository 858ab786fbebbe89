"""Which loops of structured code may run in lanes: what their ops are, what they hand on, how they touch memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tfmbs.dialect.kernel_program import ACCESSES, VIEWS
from tfmbs.dialect.mlir import ir
from tfmbs.passes.fabric.program_straight import Touched, only_computes
from tfmbs.passes.fabric.scalars import dtype_of
from tfmbs.passes.kernel.aliases import terminator_of
from tfmbs.passes.kernel.runs import is_constant
from tfmbs.passes.siw.control import Linear
from tfmbs.passes.siw.machine import Reg
from tfmbs.passes.siw.reductions import Fold
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
_LINEAR = frozenset({"arith.addi", "arith.subi", "arith.muli", "arith.constant"})
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
    if any(_is_computed(operand, ops) for inner in ops if inner.name in VIEWS for operand in inner.operands):
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


def _is_computed(value: Any, ops: Sequence[Any]) -> bool:
    """Whether an index is not linear in the loop's own: a view at such a place has another one in each lane."""
    op = value.owner
    if op not in ops or not isinstance(value.type, ir.IndexType):
        return False
    if op.name == "arith.muli" and not any(is_constant(operand) for operand in op.operands):
        return True
    return op.name not in _LINEAR or any(_is_computed(operand, ops) for operand in op.operands)


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


def is_apart(touched: Sequence[Touched], count: int | None) -> bool:
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
