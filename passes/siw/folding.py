"""Reductions by 16 partials: lanes along the innermost reduction, the initial value combined last."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from tfmbs.passes.siw.assembly import Assembler
from tfmbs.passes.siw.body import splat
from tfmbs.passes.siw.emitter import Emitter
from tfmbs.passes.siw.machine import Reg
from tfmbs.passes.siw.nest import Nest
from tfmbs.passes.siw.reductions import Fold, folds_of, is_ordered, with_aligned_reduction
from tfmbs.passes.siw.simplify import simplify
from tfmbs.passes.siw.strips import Strips
from tfmbs.runtime.abi import siw


def emit_folds(asm: Assembler, nest: Nest, whole: bool) -> None:
    """Appends the code of a nest all of whose outputs are `folds_of` it."""
    nest = simplify(nest)
    if any(is_ordered(fold) for fold in folds_of(nest)):
        nest = with_aligned_reduction(nest)
    folds = folds_of(nest)
    emitter = Emitter(asm, nest, whole=whole)
    *outer, last = emitter.reduction
    strips = Strips.of(nest.extents[last], siw.REDUCTION_LANES)
    emitter.iterate([*emitter.parallel, *emitter.reduction], emitter.parallel)

    one_strip = [last] if strips.count == 1 and not strips.tail else []
    emitter.lanes_along = last
    emitter.pin(one_strip, strips.lanes)

    def accumulate(partials: Sequence[Reg], lanes: int) -> None:
        asm.set_vl(lanes)
        registers = emitter.body().run([fold.source for fold in folds])
        for fold, partial, register in zip(folds, partials, registers, strict=True):
            with asm.at(nest.outputs[fold.output].source):
                asm.compute("RED", fold.dtype, partial, (register,), fold.kind)

    def result(fold: Fold, partial: Reg) -> Reg:
        output = nest.outputs[fold.output]
        total, initial = asm.vector(wide=fold.is_wide), asm.vector(wide=fold.is_wide)
        with asm.at(output.source):
            asm.compute("FOLD", fold.dtype, total, (partial,), fold.kind)
            emitter.addresses.memory("LD", initial, output, None)
            asm.compute(fold.op, fold.dtype, total, (initial, total))
        return total

    def reduce() -> None:
        asm.set_vl(siw.REDUCTION_LANES)
        partials = [asm.vector(wide=fold.is_wide) for fold in folds]
        for fold, partial in zip(folds, partials, strict=True):
            splat(asm, partial, fold.identity)
        emitter.lanes_along = last
        strip = functools.partial(emitter.addresses.strip, last, strips, lambda lanes: accumulate(partials, lanes))
        with emitter.pinning([*emitter.parallel, *one_strip], strips.lanes):
            emitter.addresses.walk(outer, strips.vl, strip, inside=int(strips.count > 1))
        emitter.lanes_along = None
        asm.set_vl(1)
        emitter.store([result(fold, partial) for fold, partial in zip(folds, partials, strict=True)])

    emitter.addresses.walk(emitter.parallel, None, reduce, inside=min(len(outer), 1) + (strips.count > 1))
