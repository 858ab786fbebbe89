"""Sums with lanes along a parallel dimension: 16 partials in as many registers, each step added to the next one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tfmbs.passes.siw.assembly import Assembler
from tfmbs.passes.siw.body import splat
from tfmbs.passes.siw.emitter import Emitter
from tfmbs.passes.siw.machine import Reg
from tfmbs.passes.siw.nest import Nest
from tfmbs.passes.siw.reductions import Fold, folds_of
from tfmbs.passes.siw.simplify import simplify
from tfmbs.passes.siw.size import Size
from tfmbs.passes.siw.unrolled import repeated
from tfmbs.runtime.abi import siw


def fits_columns(nest: Nest) -> bool:
    """Whether the partials of a simplified nest are few enough for the registers, and its steps in one dimension."""
    blocks = nest.extents[nest.reduction.index(True)]
    return (
        not isinstance(blocks, Size)
        and sum(nest.reduction) == 1
        and len(nest.outputs) == 1
        and not folds_of(nest)[0].is_wide
    )


def emit_columns(asm: Assembler, nest: Nest, whole: bool) -> None:
    """Appends the code of a nest that `fits_columns` and whose output is one of `folds_of` it."""
    nest = simplify(nest)
    (fold,) = folds_of(nest)
    last = nest.reduction.index(True)
    blocks, rest = divmod(nest.extents[last], siw.REDUCTION_LANES)
    body, sources = repeated(nest, fold.source, siw.REDUCTION_LANES)
    emitter = Emitter(asm, replace(body, yields=tuple(sources)), whole=False)
    emitter.lanes_along = emitter.vector_dim()

    def steps(partials: Sequence[Reg], count: int) -> None:
        registers = emitter.body().run(sources[:count])
        with asm.at(nest.outputs[0].source):
            for partial, register in zip(partials, registers, strict=False):
                asm.compute("ADD", fold.dtype, partial, (partial, register))

    def chunk(lanes: int) -> None:
        asm.set_vl(lanes)
        partials = [asm.vector(wide=False) for _ in range(siw.REDUCTION_LANES)]
        for partial in partials:
            splat(asm, partial, fold.identity)
        emitter.addresses.blocks(last, blocks, lanes, lambda: steps(partials, siw.REDUCTION_LANES))
        if rest:
            emitter.addresses.behind(last, blocks, lambda: steps(partials, rest))
        emitter.store([_total(asm, emitter, fold, partials)])

    emitter.chunks(chunk)


def _total(asm: Assembler, emitter: Emitter, fold: Fold, partials: Sequence[Reg]) -> Reg:
    """The initial value plus the partials, folded."""
    with asm.at(emitter.nest.outputs[0].source):
        return _folded(asm, emitter, fold, partials)


def _folded(asm: Assembler, emitter: Emitter, fold: Fold, partials: Sequence[Reg]) -> Reg:
    sums = list(partials)
    while len(sums) > 1:
        half = len(sums) // 2
        for target, other in zip(sums[:half], sums[half:], strict=True):
            asm.compute("ADD", fold.dtype, target, (target, other))
        sums = sums[:half]
    initial = asm.vector(wide=False)
    emitter.addresses.memory("LD", initial, emitter.nest.outputs[0], emitter.lanes_along)
    asm.compute("ADD", fold.dtype, initial, (initial, sums[0]))
    return initial
