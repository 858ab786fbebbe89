"""Reductions in written order: lanes along a parallel dimension, accumulators in registers."""

from __future__ import annotations

from collections.abc import Sequence

from tfmbs.passes.siw.assembly import Assembler
from tfmbs.passes.siw.emitter import Emitter
from tfmbs.passes.siw.machine import Bank, Reg
from tfmbs.passes.siw.nest import Carried, Nest
from tfmbs.passes.siw.simplify import simplify
from tfmbs.passes.siw.size import most
from tfmbs.runtime.abi import siw


def emit_sequential(asm: Assembler, nest: Nest, whole: bool) -> None:
    """Appends the code of a nest whose reductions run as they are written, whatever they compute."""
    emitter = Emitter(asm, simplify(nest), whole=whole)
    nest = emitter.nest
    dim = emitter.lanes_along = emitter.vector_dim()
    carried = {position: v.output for position, v in enumerate(nest.body) if isinstance(v, Carried)}
    others, lanes_last = [d for d in emitter.parallel if d != dim], [] if dim is None else [dim]
    one_strip = dim is None or most(nest.extents[dim]) <= siw.VLMAX
    emitter.iterate([*others, *emitter.reduction, *lanes_last] if one_strip else [], [*others, *lanes_last])

    def step(accumulators: Sequence[Reg], lanes: int) -> None:
        asm.set_vl(lanes)
        code = emitter.body({position: accumulators[output] for position, output in carried.items()})
        registers = code.run(nest.yields, dict(zip(nest.yields, accumulators, strict=True)))
        moved = [(a, _kept(asm, r, accumulators)) for a, r in zip(accumulators, registers, strict=True) if a != r]
        for accumulator, register in moved:
            asm.move(accumulator, register)

    def chunk(lanes: int) -> None:
        asm.set_vl(lanes)
        accumulators = [asm.vector(wide=output.dtype in siw.WIDE) for output in nest.outputs]
        for output, accumulator in zip(nest.outputs, accumulators, strict=True):
            with asm.at(output.source):
                emitter.addresses.memory("LD", accumulator, output, dim)
        with emitter.pinning(emitter.parallel, lanes):
            walked = list(emitter.parallel)

            def entered(dims: Sequence[int]) -> None:
                walked.extend(dims)
                emitter.pin(walked, lanes)

            emitter.addresses.walk(emitter.reduction, lanes, lambda: step(accumulators, lanes), entered=entered)
        emitter.store(accumulators)

    emitter.chunks(chunk)


def _kept(asm: Assembler, register: Reg, accumulators: Sequence[Reg]) -> Reg:
    """A register with the same value that moves into the accumulators do not change."""
    if register not in accumulators:
        return register
    copy = asm.vector(wide=register.bank is Bank.PAIR)
    asm.move(copy, register)
    return copy
