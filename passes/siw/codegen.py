"""From loop nests and epilogues to unscheduled programs: which strategy runs a nest."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from tfmbs.passes.siw.assembly import Assembler
from tfmbs.passes.siw.body import Body
from tfmbs.passes.siw.columns import emit_columns, fits_columns
from tfmbs.passes.siw.emitter import Emitter
from tfmbs.passes.siw.folding import emit_folds
from tfmbs.passes.siw.machine import ZERO, Bank, Code, CodegenError, Reg, Touch
from tfmbs.passes.siw.nest import Access, Carried, Index, Nest
from tfmbs.passes.siw.ordered import emit_ordered, needs_order
from tfmbs.passes.siw.reductions import folds_of, is_ordered
from tfmbs.passes.siw.sequential import emit_sequential
from tfmbs.passes.siw.simplify import simplify, with_outputs, without_idle, without_unused
from tfmbs.passes.siw.size import most
from tfmbs.passes.siw.unrolled import is_short, unrolled, with_all_of
from tfmbs.passes.siw.variance import lane_cost, shared_dimension
from tfmbs.runtime.abi import siw


def vector_code(nest: Nest) -> Code:
    """The program of a VECTOR launch that runs the whole nest. Raises CodegenError for what has no code."""
    asm = Assembler()
    emit_nest(asm, nest, whole=True)
    return Code(asm.finish(), nest.windows)


def emit_nest(asm: Assembler, nest: Nest, *, whole: bool = False) -> None:
    """Appends the code of a nest to a program; `whole` where it is all of it. Raises CodegenError.

    Pointers and hoisted operands are set up where the nest begins; VL is what the nest leaves.
    """
    nest = without_idle(without_unused(nest))
    if nest.outputs or nest.scatters:
        _emit(asm, nest, whole)


def _emit(asm: Assembler, nest: Nest, whole: bool) -> None:
    if needs_order(nest):
        emit_ordered(asm, nest, whole)
    elif any(nest.reduction) and is_short(nest):
        _map(asm, unrolled(nest), whole)
    elif not any(nest.reduction):
        _map(asm, nest, whole)
    else:
        _reduce(asm, nest, whole)


def _reduce(asm: Assembler, nest: Nest, whole: bool) -> None:
    """Each output by the code that its kind of reduction asks for, beside others of the kind."""
    folds = {fold.output: fold for fold in folds_of(nest)}
    across = _is_cheap_across(nest)
    folded = [output for output, fold in folds.items() if across or is_ordered(fold)]
    rest = [output for output in range(len(nest.outputs)) if output not in folded]
    if folded and not across:  # a nest for each: they need many registers
        parts = [with_outputs(nest, [output]) for output in folded]
    else:
        parts = [with_outputs(nest, folded)] if folded else []
    whole = whole and len(parts) + bool(rest) == 1
    for part in parts:
        columns = not across and fits_columns(simplify(part))
        (emit_columns if columns else emit_folds)(asm, part, whole)
    if rest:
        emit_sequential(asm, with_outputs(nest, rest), whole)


def _is_cheap_across(nest: Nest) -> bool:
    """Whether lanes along the innermost reduction cost less than lanes along a parallel dimension."""
    nest = simplify(nest)
    parallel = [lane_cost(nest, d) for d, reduced in enumerate(nest.reduction) if not reduced]
    last = max(d for d, reduced in enumerate(nest.reduction) if reduced)
    steps = prod(most(extent) for extent, reduced in zip(nest.extents, nest.reduction, strict=True) if reduced)
    return not parallel or lane_cost(nest, last) + _FOLD_COST / steps <= min(parallel)


_FOLD_COST = 64
"""What folding the partials of a reduction costs, as compared to one element."""


def _map(asm: Assembler, nest: Nest, whole: bool) -> None:
    """No reduction: load, compute, store."""
    body = tuple(nest.outputs[v.output] if isinstance(v, Carried) else v for v in nest.body)
    nest = simplify(replace(nest, body=body))
    short = shared_dimension(nest)
    if short is not None:
        nest = simplify(with_all_of(nest, short))
    emitter = Emitter(asm, nest, whole=whole)
    dim = emitter.lanes_along = emitter.vector_dim()
    order = [*(d for d in emitter.parallel if d != dim), *([] if dim is None else [dim])]
    emitter.iterate(order, order)

    def chunk(lanes: int) -> None:
        asm.set_vl(lanes)
        emitter.store(emitter.body().run(emitter.nest.yields))

    emitter.chunks(chunk)


_ELEMENT, _ELEMENT_STEP, _CHANNEL, _CHANNEL_STEP = (
    Reg(Bank.SCALAR, -number, fixed=number)
    for number in (siw.EPILOGUE_ELEMENT, siw.EPILOGUE_ONE, siw.EPILOGUE_CHANNEL, siw.EPILOGUE_CHANNEL_STEP)
)
_PLACES = {(0, 0): (ZERO, ZERO), (1, 0): (_ELEMENT, _ELEMENT_STEP), (0, 1): (_CHANNEL, _CHANNEL_STEP)}
_ACCUMULATOR, _WIDE_RESULT = Reg(Bank.VECTOR, -5, fixed=0), Reg(Bank.PAIR, -6, fixed=0)


class _EpilogueSource:
    """Operands of an epilogue: by element, by channel, or one for all."""

    def __init__(self, asm: Assembler) -> None:
        self._asm = asm

    def load(self, register: Reg, access: Access) -> None:
        base, index = _PLACES[access.strides[0], access.strides[1]]
        operands: dict[str, Reg | int] = {"reg": register, "win": access.window, "base": base, "index": index}
        touch = Touch(access.window, terms=None)
        self._asm.emit("S", "LD", type=int(access.dtype), imm=access.offset, touch=touch, **operands)

    def gather(self, register: Reg, access: Access, displacements: Reg, *, wide: bool) -> None:
        raise CodegenError("an indexed load in an epilogue")

    def row(self, register: Reg, access: Access, displacement: Reg) -> None:
        raise CodegenError("an indexed load in an epilogue")

    def index(self, register: Reg, index: Index) -> None:
        raise CodegenError("an index in an epilogue")


def epilogue_code(nest: Nest, accumulator: int) -> Code:
    """The program of an epilogue: one chunk of the kernel's results.

    The nest has two dimensions, element and channel of the lanes, no outputs and one yield. The value at `accumulator`
    of its body is what the kernel leaves in v0, where it expects the result; in v0 and v1 if it has 64 bits.
    """
    asm = Assembler()
    source = _EpilogueSource(asm)
    is_wide = nest.yields[0] != accumulator and nest.is_wide(nest.yields[0])
    target = _WIDE_RESULT if is_wide else _ACCUMULATOR
    (result,) = Body(asm, nest, source, {accumulator: _ACCUMULATOR}).run(nest.yields, {nest.yields[0]: target})
    asm.move(target, result)
    return Code(asm.finish(), nest.windows)
