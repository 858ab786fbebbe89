"""A systolic array, PE by PE and clock by clock. It knows no formula: it moves values through registers until none is
left to move, and counts the clocks.

Each PE has registers for the operands that pass through it, and one for a sum. `live` says that a register holds a
place of the feed, `present` that the place lies inside of the matrix. Operands enter through delay lines, one register
longer from lane to lane.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
MultiplyAdd = Callable[[Array, Array, Array], Array]
"""(a, b, sum) to a · b + sum, element by element, rounded once."""


class Lanes:
    """Registers side by side: values, and what they are worth."""

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self.value = np.zeros(shape, dtype)
        self.live = np.zeros(shape, bool)
        self.present = np.zeros(shape, bool)

    def shifted(self, entering: Lanes, axis: int) -> Lanes:
        """What the registers hold one clock later, when everything has moved by one place along `axis`."""
        result = Lanes(self.value.shape, self.value.dtype)
        for name in ("value", "live", "present"):
            old, new = getattr(self, name), getattr(result, name)
            np.moveaxis(new, axis, 0)[1:] = np.moveaxis(old, axis, 0)[:-1]
            np.moveaxis(new, axis, 0)[0] = getattr(entering, name)
        return result


class Feed:
    """A matrix of places × lanes that enters an edge of the array, one place a clock, through delay lines."""

    def __init__(self, matrix: Array, lanes: int, *, is_skewed: bool) -> None:
        self._source: list[Lanes] = []
        for row in matrix:
            place = Lanes((lanes,), matrix.dtype)
            place.value[: len(row)], place.present[: len(row)], place.live[:] = row, True, True
            self._source.append(place)
        self._empty = Lanes((lanes,), matrix.dtype)
        self._lines = [[(matrix.dtype.type(0), False, False)] * (lane if is_skewed else 0) for lane in range(lanes)]

    def __bool__(self) -> bool:
        return bool(self._source) or any(live for line in self._lines for _, live, _ in line)

    def clock(self) -> Lanes:
        place = self._source.pop(0) if self._source else self._empty
        out = Lanes(place.value.shape, place.value.dtype)
        for lane, line in enumerate(self._lines):
            line.append((place.value[lane], bool(place.live[lane]), bool(place.present[lane])))
            out.value[lane], out.live[lane], out.present[lane] = line.pop(0)
        return out


def _step(a: Lanes, b: Lanes, sums: Array, mac: MultiplyAdd) -> Array:
    """Sums after a clock: unchanged where an operand is absent."""
    return np.where(a.present & b.present, mac(a.value, b.value, sums), sums)


def _clocks_until_last(ticks: Iterator[bool]) -> int:
    """The number of the last clock in which something was done, counted from 1."""
    return max(number for number, done in enumerate(ticks, 1) if done)


def output_stationary(a: Array, b: Array, shape: tuple[int, int], mac: MultiplyAdd) -> tuple[Array, int, int]:
    """a[m,k]·b[k,n] with m ≤ rows and n ≤ columns: the sums, clocks to the last accumulate, and clocks of the drain."""
    left, top = Feed(a.T, shape[0], is_skewed=True), Feed(b, shape[1], is_skewed=True)
    right, down = Lanes(shape, a.dtype), Lanes(shape, b.dtype)
    sums = np.zeros(shape, a.dtype)

    def ticks() -> Iterator[bool]:
        nonlocal right, down, sums
        while left or top or right.live.any() or down.live.any():
            right, down = right.shifted(left.clock(), 1), down.shifted(top.clock(), 0)
            assert (right.live == down.live).all(), "operands of a product did not meet"
            sums = _step(right, down, sums, mac)
            yield bool(right.live.any())

    clocks = _clocks_until_last(ticks())
    leaving, none = Lanes(shape, a.dtype), Lanes((shape[1],), a.dtype)
    leaving.value, leaving.live = sums, np.ones(shape, bool)
    rows, drained = [], 0
    while leaving.live.any():
        rows.insert(0, leaving.value[-1])
        leaving, drained = leaving.shifted(none, 0), drained + 1
    return np.stack(rows)[: a.shape[0], : b.shape[1]], clocks, drained


def weight_stationary(
    a: Array, w: Array, start: Array, shape: tuple[int, int], mac: MultiplyAdd
) -> tuple[Array, int, int]:
    """start[m,n] + a[m,k]·w[k,n] with k ≤ rows and n ≤ columns: the sums, clocks of the load and the stream."""
    padded = Lanes(shape, w.dtype)
    padded.value[: w.shape[0], : w.shape[1]], padded.present[: w.shape[0], : w.shape[1]] = w, True
    held, loaded = Lanes(shape, w.dtype), 0
    while not held.live.all():
        entering = Lanes((shape[1],), w.dtype)
        place = shape[0] - 1 - loaded
        entering.value, entering.present = padded.value[place], padded.present[place]
        entering.live[:] = True
        held, loaded = held.shifted(entering, 0), loaded + 1

    left, top = Feed(a, shape[0], is_skewed=True), Feed(start, shape[1], is_skewed=True)
    if a.shape[1] > shape[0] or w.shape[1] > shape[1]:
        raise ValueError("the fold is larger than the array")
    right, sums = Lanes(shape, a.dtype), Lanes(shape, a.dtype)
    results: list[list[Any]] = [[] for _ in range(shape[1])]

    def ticks() -> Iterator[bool]:
        nonlocal right, sums
        while left or top or right.live.any():
            right, sums = right.shifted(left.clock(), 1), sums.shifted(top.clock(), 0)
            assert (right.live == sums.live).all(), "an operand and its sum did not meet"
            sums.value = _step(right, held, sums.value, mac)
            for column in np.flatnonzero(sums.live[-1]):
                results[column].append(sums.value[-1, column])
            yield bool(right.live.any())

    clocks = _clocks_until_last(ticks())
    return np.array(results, a.dtype).T[:, : w.shape[1]], loaded, clocks
