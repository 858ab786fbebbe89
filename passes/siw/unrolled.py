"""Short reductions written out: the nest becomes one without reductions, whose body has each step in a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from itertools import product
from math import prod
from typing import Any, TypeVar

from tfmbs.passes.siw.nest import (
    Access,
    Carried,
    Compute,
    Gather,
    Index,
    Nest,
    Value,
    linear_of,
    needed_values,
    reads_of,
)
from tfmbs.passes.siw.reductions import Fold, folds_of, is_ordered
from tfmbs.passes.siw.size import Size, most
from tfmbs.passes.siw.values import Values
from tfmbs.runtime.abi.siw import REDUCTION_LANES

Part = TypeVar("Part", Access, Index)
_MOST_OPERATIONS = 96
_LEAST_LANES = 16


def is_short(nest: Nest) -> bool:
    """Whether the reductions of a nest are worth writing out: few steps, and enough lanes beside them."""
    sizes = list(zip(nest.extents, nest.reduction, strict=True))
    if any(isinstance(extent, Size) for extent, reduced in sizes if reduced):
        return False
    steps = prod(extent for extent, reduced in sizes if reduced)
    lanes = max((most(extent) for extent, reduced in sizes if not reduced), default=1)
    operations = sum(not isinstance(value, Carried) for _, value in needed_values(nest))
    return 0 < steps * operations <= _MOST_OPERATIONS and lanes >= max(_LEAST_LANES, steps)


def unrolled(nest: Nest) -> Nest:
    """An equal nest without reductions: sums of floats by 16 partials, all else in ascending order."""
    return _Unrolled(nest).run()


class _Unrolled:
    def __init__(self, nest: Nest) -> None:
        self._nest = nest
        self._parallel = [d for d, reduced in enumerate(nest.reduction) if not reduced]
        self._reduced = [d for d, reduced in enumerate(nest.reduction) if reduced]
        self._values = Values([nest.extents[d] for d in self._parallel])
        self._sums = {fold.output: fold for fold in folds_of(nest) if is_ordered(fold)}
        self._partials: dict[int, dict[int, int]] = {output: {} for output in self._sums}

    def run(self) -> Nest:
        """The nest without reductions."""
        nest, values = self._nest, self._values
        outputs = tuple(self._shifted(output, ()) for output in nest.outputs)
        accumulators = [values.add(output) for output in outputs]
        sources = [self._sums[o].source if o in self._sums else p for o, p in enumerate(nest.yields)]
        needed = sorted(set().union(*(reads_of(nest.body, position) for position in sources)))
        for step, index in enumerate(product(*(range(nest.extents[d]) for d in self._reduced))):
            moved: dict[int, int] = {}
            for position in needed:
                moved[position] = self._value(nest.body[position], index, moved, accumulators)
            for output, source in enumerate(sources):
                if output in self._sums:
                    self._accumulate(self._sums[output], step % REDUCTION_LANES, moved[source])
                else:
                    accumulators[output] = moved[source]
        for fold in self._sums.values():
            total = self._folded(fold)
            accumulators[fold.output] = values.compute("ADD", fold.dtype, accumulators[fold.output], total)
        return replace(
            nest,
            extents=tuple(values.extents),
            reduction=(False,) * len(self._parallel),
            body=tuple(values.body),
            outputs=tuple(outputs),
            yields=tuple(accumulators),
        )

    def _accumulate(self, fold: Fold, lane: int, source: int) -> None:
        partials, start = self._partials[fold.output], self._values.add(fold.identity)
        partials[lane] = self._values.compute("ADD", fold.dtype, partials.get(lane, start), source)

    def _folded(self, fold: Fold) -> int:
        """The sum of the partials. Those that nothing was added to are +0.0, which changes no partial: none is -0.0."""
        partials, half = self._partials[fold.output], REDUCTION_LANES // 2
        while half:
            for lane in range(half):
                if lane + half in partials:
                    partials[lane] = self._values.compute("ADD", fold.dtype, partials[lane], partials[lane + half])
            half //= 2
        return partials[0]

    def _value(self, value: Value, index: tuple[int, ...], moved: dict[int, int], accumulators: list[int]) -> int:
        if isinstance(value, Carried):
            return accumulators[value.output]
        return _moved(self._values, value, moved, lambda part: self._shifted(part, index))

    def _shifted(self, part: Part, index: tuple[int, ...]) -> Part:
        """A part at one index of the reductions."""
        ahead = sum(i * part.strides[d] for i, d in zip(index, self._reduced, strict=False))
        strides = tuple(part.strides[d] for d in self._parallel)
        return replace(part, offset=part.offset + ahead, strides=strides)


def with_all_of(nest: Nest, dim: int) -> Nest:
    """The nest without a parallel dimension: its body has all iterations of that, with an output for each."""
    values, outputs, yields = Values([extent for d, extent in enumerate(nest.extents) if d != dim]), [], []
    needed = [position for position, _ in needed_values(nest)]
    for index in range(nest.extents[dim]):
        moved: dict[int, int] = {}
        place = partial(_at, dim=dim, index=index)
        for position in needed:
            moved[position] = _moved(values, nest.body[position], moved, place)
        outputs += [_at(output, dim, index) for output in nest.outputs]
        yields += [moved[position] for position in nest.yields]
    return replace(
        nest,
        extents=tuple(values.extents),
        reduction=tuple(reduced for d, reduced in enumerate(nest.reduction) if d != dim),
        body=tuple(values.body),
        outputs=tuple(outputs),
        yields=tuple(yields),
    )


def _at(part: Part, dim: int, index: int) -> Part:
    """A part at one index of a dimension, without that."""
    strides = tuple(stride for d, stride in enumerate(part.strides) if d != dim)
    return replace(part, offset=part.offset + index * part.strides[dim], strides=strides)


def repeated(nest: Nest, source: int, times: int) -> tuple[Nest, list[int]]:
    """The nest with `times` steps of its one reduction in its body, and the positions of what `source` is in each.

    The reduction has as many blocks of so many steps as fit in it, and may be followed by the first steps of another.
    """
    last = nest.reduction.index(True)
    extents = [*nest.extents]
    extents[last] = -(-extents[last] // times)
    values, needed, sources = Values(extents), sorted(reads_of(nest.body, source)), []
    for step in range(times):
        moved: dict[int, int] = {}
        place = partial(_ahead, dim=last, step=step, times=times)
        for position in needed:
            moved[position] = _moved(values, nest.body[position], moved, place)
        sources.append(moved[source])
    return replace(nest, extents=tuple(extents), body=tuple(values.body)), sources


def _ahead(part: Part, dim: int, step: int, times: int) -> Part:
    """A part `step` steps further along a dimension whose every `times` steps are one."""
    strides = tuple(stride * times if d == dim else stride for d, stride in enumerate(part.strides))
    return replace(part, offset=part.offset + step * part.strides[dim], strides=strides)


def _moved(values: Values, value: Value, moved: Mapping[int, int], place: Callable[[Any], Any]) -> int:
    """A value of a body in another one, where its linear part is elsewhere; `moved` are its arguments there."""
    values.source = value.source
    if isinstance(value, Compute):
        return values.compute(value.op, value.dtype, *(moved[a] for a in value.args), aux=value.aux)
    part = linear_of(value)
    if part is None:
        return values.add(value)
    return values.add(Gather(place(part), moved[value.index]) if isinstance(value, Gather) else place(part))
