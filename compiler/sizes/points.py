"""The sizes for which a model is compiled, so that polynomials in its sizes follow from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod

from tfmbs.runtime.abi.fitting import Point

CHECKS = 2
"""Points at least that are predicted, beyond those that tell the coefficients."""

DEGREES = (2, 3)
"""Degrees of polynomials that are tried, one after the other: a degree more takes more samples."""


@dataclass(frozen=True)
class Box:
    """Sizes from `low` to `high` each."""

    low: Point
    high: Point

    @property
    def points(self) -> int:
        """How many there are."""
        return prod(high - low + 1 for low, high in zip(self.low, self.high, strict=True))

    def cut(self, axis: int, at: int) -> tuple[Box, Box]:
        """The sizes up to `at` on an axis, and those above it."""

        def put(point: Point, size: int) -> Point:
            return (*point[:axis], size, *point[axis + 1 :])

        return Box(self.low, put(self.high, at)), Box(put(self.low, at + 1), self.high)


def samples(box: Box, degree: int) -> tuple[list[Point], bool]:
    """Points of a box, first its upper bounds and then its lower ones; and whether these are all its points.

    Those of a lattice of `degree` tell the coefficients of a polynomial of that degree; `CHECKS` more check it.
    """
    axes = [_nodes(low, high, degree + 1) for low, high in zip(box.low, box.high, strict=True)]
    orders = product(*(range(len(nodes)) for nodes in axes))
    lattice = [
        tuple(nodes[i] for nodes, i in zip(axes, order, strict=True)) for order in orders if sum(order) <= degree
    ]
    found = dict.fromkeys([box.high, box.low, *lattice])
    wanted = min(box.points, len(dict.fromkeys(lattice)) + CHECKS)
    for point in _others(box):
        if len(found) >= wanted:
            break
        found.setdefault(point)
    return list(found), len(found) == box.points


def _nodes(low: int, high: int, count: int) -> list[int]:
    """Up to `count` different sizes: the ends, then the middle, then between."""
    span = high - low
    sizes = [high, low, low + span // 2, low + span // 4, low + 3 * span // 4, low + 1, high - 1]
    return list(dict.fromkeys(size for size in sizes if low <= size <= high))[:count]


def _others(box: Box) -> Iterator[Point]:
    """Further points: first some in the midst, then one after the other."""
    for share in (3, 5, 7, 11):
        yield tuple(
            low + (high - low) * (axis + 1) % (high - low + 1) // share if high > low else low
            for axis, (low, high) in enumerate(zip(box.low, box.high, strict=True))
        )
    yield from product(*(range(low, high + 1) for low, high in zip(box.low, box.high, strict=True)))
