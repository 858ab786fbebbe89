"""Equal nests with less in them: no unused values, outputs or dimensions, and neighbouring dimensions made one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tfmbs.passes.siw.nest import Carried, Compute, Gather, Nest, Value, needed_values
from tfmbs.passes.siw.size import most


def without_idle(nest: Nest) -> Nest:
    """The nest without the outputs that take the value they have, where nothing else is stored in their window."""
    stored = [access.window for access in (*nest.outputs, *(scatter.access for scatter in nest.scatters))]
    idle = [
        nest.body[p] in (Carried(o), nest.outputs[o]) and stored.count(nest.outputs[o].window) == 1
        for o, p in enumerate(nest.yields)
    ]
    return with_outputs(nest, [o for o in range(len(nest.outputs)) if not idle[o]]) if any(idle) else nest


def without_unused(nest: Nest) -> Nest:
    """The nest without what no store depends on."""
    needed = needed_values(nest)
    moved = {old: new for new, (old, _) in enumerate(needed)}
    body = [_renumbered(value, moved) for _, value in needed]
    scatters = tuple(
        replace(s, index=None if s.index is None else moved[s.index], value=moved[s.value]) for s in nest.scatters
    )
    return replace(nest, body=tuple(body), yields=tuple(moved[p] for p in nest.yields), scatters=scatters)


def _renumbered(value: Value, moved: Mapping[int, int]) -> Value:
    if isinstance(value, Gather):
        return replace(value, index=moved[value.index])
    return replace(value, args=tuple(moved[a] for a in value.args)) if isinstance(value, Compute) else value


def with_outputs(nest: Nest, chosen: Sequence[int]) -> Nest:
    """The nest with some of its outputs, in order; the others keep their values."""
    numbers = {output: number for number, output in enumerate(chosen)}
    body = tuple(_carried_by(value, numbers, nest) if isinstance(value, Carried) else value for value in nest.body)
    outputs = tuple(nest.outputs[output] for output in chosen)
    return without_unused(replace(nest, body=body, outputs=outputs, yields=tuple(nest.yields[o] for o in chosen)))


def _carried_by(value: Carried, numbers: Mapping[int, int], nest: Nest) -> Value:
    """The old value of an output that may be none any more: then nothing changes it."""
    number = numbers.get(value.output)
    return nest.outputs[value.output] if number is None else Carried(number)


def simplify(nest: Nest) -> Nest:
    """An equal nest with fewer dimensions: outer parallel, inner reduction, no extent of 1, contiguous ones collapsed.

    Parallel dimensions are reordered by falling stride of the first output; reductions keep their order, and one stays
    even if all have an extent of 1: a sum of one element is not the element (it is never -0).
    """
    reductions = [d for d, is_reduction in enumerate(nest.reduction) if is_reduction]
    kept = reductions[-1:] if all(nest.extents[d] == 1 for d in reductions) else []
    columns = _columns(nest, kept)
    first_output = len(nest.linear) - len(nest.outputs)
    parallel = sorted(
        (c for c in columns if not c[1]), key=lambda c: (-most(c[2][first_output]), -max(map(most, c[2])))
    )
    return _collapsed(nest, [*parallel, *(c for c in columns if c[1])])


def simplify_in_order(nest: Nest) -> Nest:
    """An equal nest that runs its iterations in the same order, with fewer dimensions, all of them parallel."""
    nest = replace(nest, reduction=(False,) * len(nest.extents))
    return _collapsed(nest, _columns(nest, ()))


Column = tuple[int, bool, tuple[int, ...]]  # extent, whether it is a reduction, stride of each linear part


def _columns(nest: Nest, kept: Sequence[int]) -> list[Column]:
    """The dimensions that have more than one iteration, or are `kept`."""
    return [
        (nest.extents[d], nest.reduction[d], tuple(part.strides[d] for part in nest.linear))
        for d in range(len(nest.extents))
        if nest.extents[d] != 1 or d in kept
    ]


def _collapsed(nest: Nest, columns: Sequence[Column]) -> Nest:
    """The nest with these dimensions, neighbours made one where every part walks through them evenly."""
    merged: list[Column] = []
    for extent, is_reduction, strides in columns:
        if merged:
            outer_extent, outer_reduction, outer = merged[-1]
            if outer_reduction == is_reduction and all(o == s * extent for o, s in zip(outer, strides, strict=True)):
                merged[-1] = (outer_extent * extent, is_reduction, strides)
                continue
        merged.append((extent, is_reduction, strides))
    return nest.with_dims(
        [[column[2][i] for column in merged] for i in range(len(nest.linear))],
        tuple(column[0] for column in merged),
        tuple(column[1] for column in merged),
    )
