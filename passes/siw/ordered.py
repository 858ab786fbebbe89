"""Nests whose iterations must run one after the other, or whose stores must come in order."""

from __future__ import annotations

from dataclasses import replace

from tfmbs.passes.siw.assembly import Assembler
from tfmbs.passes.siw.emitter import Emitter
from tfmbs.passes.siw.nest import Access, Carried, Nest, linear_of
from tfmbs.passes.siw.simplify import simplify_in_order


def needs_order(nest: Nest) -> bool:
    """Whether a nest shows in which order its iterations run, beyond the order of its reductions."""
    return bool(nest.scatters) or _overlaps_itself(nest)


def emit_ordered(asm: Assembler, nest: Nest, whole: bool) -> None:
    """Appends the code of a nest that runs in written order, and whose accumulators are in memory."""
    apart = not any(nest.reduction) and not _overlaps_itself(nest) and _stores_apart(nest)
    body = tuple(nest.outputs[v.output] if isinstance(v, Carried) else v for v in nest.body)
    emitter = Emitter(asm, simplify_in_order(replace(nest, body=body)), whole=False)
    nest = emitter.nest
    dims = list(range(len(nest.extents)))
    if apart and dims:
        emitter.lanes_along = dims[-1]

    def chunk(lanes: int) -> None:
        asm.set_vl(lanes)
        registers = dict(zip(nest.roots, emitter.body().run(nest.roots), strict=True))
        emitter.scatter(registers)
        emitter.store([registers[position] for position in nest.yields])

    emitter.chunks(chunk)


def _stores_apart(nest: Nest) -> bool:
    """Whether lanes may run side by side: what is stored at computed places is touched in no other way."""
    windows = [access.window for access in nest.accesses]
    return all(windows.count(scatter.access.window) == 1 for scatter in nest.scatters)


def _overlaps_itself(nest: Nest) -> bool:
    """Whether an iteration may touch what another one stores as an output, other than by the same accumulator."""
    for output in nest.outputs:
        others = [a for a in nest.accesses if a.window == output.window and a != output]
        if others or sum(o == output for o in nest.outputs) > 1 or not _is_injective(nest, output):
            return True
    return any(_reads_changed(nest, load) for load in _loads(nest))


def _loads(nest: Nest) -> list[Access]:
    parts = (linear_of(value) for value in nest.body)
    return [part for part in parts if isinstance(part, Access)]


def _reads_changed(nest: Nest, load: Access) -> bool:
    """Whether a reduction reads its accumulator as an input as well."""
    return any(nest.reduction) and any(load.window == output.window for output in nest.outputs)


def _is_injective(nest: Nest, output: Access) -> bool:
    """Whether each parallel iteration is sure to have an element of its own."""
    reach = 0
    walked = sorted(
        (abs(stride), extent)
        for stride, extent, reduced in zip(output.strides, nest.extents, nest.reduction, strict=True)
        if extent > 1 and not reduced
    )
    for stride, extent in walked:
        if stride <= reach:
            return False
        reach += stride * (extent - 1)
    return not any(s for s, e, r in zip(output.strides, nest.extents, nest.reduction, strict=True) if r and e > 1)
