"""What in a nest changes along which loops: what can be computed before them, and what lanes along one cost."""

from __future__ import annotations

from collections.abc import Collection, Container
from math import ceil

from tfmbs.passes.siw.nest import (
    Access,
    Carried,
    Constant,
    Gather,
    Index,
    Nest,
    Value,
    arguments_of,
    linear_of,
    needed_values,
)
from tfmbs.passes.siw.size import Size, most
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.types import DTYPES

_PINNED = 12
"""Vector registers that may hold operands throughout a nest; the others are for what changes."""


def same_elsewhere(nest: Nest, dims: Container[int], pinned: Container[int]) -> list[int]:
    """Positions of the values that vary along `dims` at most and that others need, as many as registers allow.

    Those `pinned` are in registers already. None where there are no other dimensions.
    """
    elsewhere = [d for d, extent in enumerate(nest.extents) if d not in dims and extent != 1]
    if not elsewhere:
        return []
    needed = needed_values(nest)
    stored = stored_windows(nest)
    changing = varying(nest, elsewhere, stored)
    same = {position for position, _ in needed if position not in changing}
    users = [a for position, value in needed if position not in same for a in arguments_of(value)]
    found, room = [], _PINNED - sum(position in pinned for position, _ in needed)
    for position in dict.fromkeys([*users, *nest.roots]):
        if position in same and position not in pinned:
            room -= 1 + nest.is_wide(position)
            if room >= 0:
                found.append(position)
    return found


def same_lanes(nest: Nest, along: int, known: Container[int]) -> list[int]:
    """Positions of the values that are the same in all lanes and that others need; not those `known`."""
    needed = needed_values(nest)
    changing = varying(nest, [along])
    same = {position for position, _ in needed if position not in changing}
    users = [a for position, value in needed if position not in same for a in arguments_of(value)]
    rows = {value.index for position, value in needed if isinstance(value, Gather) and position not in same}
    return [p for p in dict.fromkeys([*users, *nest.roots]) if p in same and p not in known and p not in rows]


def is_invariant(value: Value, stored: set[int]) -> bool:
    """Whether a value that depends on no other is the same in all iterations; `stored` are windows that change."""
    if isinstance(value, Constant):
        return True
    if isinstance(value, Gather) or not isinstance(value, Access | Index):
        return False
    return value.invariant and not (isinstance(value, Access) and value.window in stored)


def stored_windows(nest: Nest) -> set[int]:
    """The windows that a nest stores to."""
    return {access.window for access in (*nest.outputs, *(scatter.access for scatter in nest.scatters))}


def varying(nest: Nest, dims: Collection[int], stored: Container[int] = ()) -> set[int]:
    """Positions of the values that may differ between iterations of `dims`.

    Accumulators do, and so does what windows in `stored` hold.
    """
    found: set[int] = set()
    for position, value in enumerate(nest.body):
        part = linear_of(value)
        if (
            isinstance(value, Carried)
            or (part is not None and any(part.strides[d] for d in dims))
            or (isinstance(part, Access) and part.window in stored)
            or any(argument in found for argument in arguments_of(value))
        ):
            found.add(position)
    return found


_UNEVEN = 2
"""What an access costs more whose lanes are not side by side, or gathered."""
_BEAT = 8
"""Lanes that take as long as one."""
_WORD = 8
"""Lanes that take as long as what an instruction costs whatever its lanes."""


def lane_cost(nest: Nest, dim: int) -> float:
    """What an element of a nest costs with lanes along a dimension, as compared to other dimensions."""
    extent = most(nest.extents[dim])
    beats = ceil(extent / _BEAT) * _BEAT / extent + _WORD / min(extent, siw.VLMAX)
    changing = varying(nest, [dim])
    gathers = [v for _, v in needed_values(nest) if isinstance(v, Gather) and v.index in changing]
    uneven = sum(abs(most(access.strides[dim])) > 1 for access in nest.accesses) + len(gathers)
    return beats * (len(nest.accesses) + _UNEVEN * uneven)


_SHORT = 4
_MOST_SHARED = 48


def shared_dimension(nest: Nest) -> int | None:
    """A short dimension beside the lanes whose iterations have work in common, so that they are worth writing out."""
    lanes = min(range(len(nest.extents)), key=lambda d: (lane_cost(nest, d), -d), default=None)
    needed = [(position, value) for position, value in needed_values(nest) if not isinstance(value, Constant)]
    for d in reversed(range(len(nest.extents))):
        extent = nest.extents[d]
        if d == lanes or isinstance(extent, Size) or not 1 < extent <= _SHORT or len(needed) * extent > _MOST_SHARED:
            continue
        changing = varying(nest, [d])
        common = [position for position, _ in needed if position not in changing]
        lasting = [d for d, extent in enumerate(nest.extents) if d != lanes and extent != 1]
        if not varying(nest, lasting).isdisjoint(common):
            return d
    return None


_LINE = 64
_CLOSE = 1 << 18


def turned_dimension(nest: Nest, along: int) -> int | None:
    """The dimension that is to be the innermost loop where lanes lie far apart: the one in which they are neighbours.

    None where the lanes of all accesses lie within what memory keeps close, in bytes.
    """
    for access in nest.accesses:
        step = abs(most(access.strides[along])) * DTYPES[access.dtype].bits // 8
        if step >= _LINE and step * min(most(nest.extents[along]), siw.VLMAX) > _CLOSE:
            for d, extent in enumerate(nest.extents):
                if d != along and most(extent) > 1 and access.strides[d] in (1, -1):
                    return d
    return None
