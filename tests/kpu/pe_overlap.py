"""Folds that overlap in a systolic array, PE by PE and clock by clock. It knows no formula: it moves values through
registers, and its controller feeds folds as closely as no value of one is lost to the next.

Beside those of `pe_array`, each PE has a register for a sum on its way out (output stationary), or for the next operand
that stays. Feeds enter through delay lines, one register longer from lane to lane, with marks of the first and the last
place of a fold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
MultiplyAdd = Callable[[Any, Any, Any], Any]
"""(a, b, sum) to a · b + sum, rounded once."""


MOST_GAP = 16


class CollisionError(Exception):
    """A value would be lost, or one is wanted that is not there yet."""


class Place(NamedTuple):
    """A place of the feed: which fold, and its number in it."""

    fold: int
    number: int
    is_last: bool


class Operand(NamedTuple):
    """What passes through a PE: `value` is None where the place lies outside of the matrix."""

    place: Place
    value: Any


def closest(run: Callable[[int], tuple[Array, int]]) -> tuple[Array, int]:
    """The result with the fewest places that are left empty between two folds."""
    found = (_without_collision(run, gap) for gap in range(MOST_GAP))
    return next(result for result in found if result is not None)


def _without_collision(run: Callable[[int], tuple[Array, int]], gap: int) -> tuple[Array, int] | None:
    try:
        return run(gap)
    except CollisionError:
        return None


def _line(lengths: Sequence[int], gap: int) -> Iterator[Place | None]:
    """The places of folds one after the other, with empty ones between, and None for ever behind."""
    for fold, length in enumerate(lengths):
        for number in range(length):
            yield Place(fold, number, number == length - 1)
        if fold < len(lengths) - 1:
            yield from [None] * gap
    while True:
        yield None


class DelayLines:
    """What enters an edge: a register more from lane to lane."""

    def __init__(self, lanes: int, line: Iterator[Place | None]) -> None:
        self._line, self._registers = line, [None] * lanes

    def clock(self) -> list[Place | None]:
        """The place that enters each lane."""
        self._registers = [next(self._line), *self._registers[:-1]]
        return self._registers


class Fold(NamedTuple):
    """A part of a product: a[m,k]·b[k,n] added to the sums of rows `m` and columns `n`, as part `part` of k."""

    a: Array
    b: Array
    m: slice
    n: slice
    part: int


class OutputStationary:
    """PEs with a sum and one on its way out each. `moving`: the fold whose sums leave a column."""

    def __init__(self, folds: Sequence[Fold], sums: Array, shape: tuple[int, int], mac: MultiplyAdd, gap: int) -> None:
        self.folds, self.result, self.mac = folds, sums.copy(), mac
        self.rows, self.columns = shape
        lengths = [fold.a.shape[1] for fold in folds]
        self.left, self.top = (DelayLines(lanes, _line(lengths, gap)) for lanes in shape)
        self.right, self.down, self.held, self.leaving = (_registers(shape) for _ in range(4))
        self.moving: list[int | None] = [None] * self.columns
        self.left_over = len(folds) * self.rows * self.columns

    def clock(self) -> None:
        """Sums move down, operands move on, and PEs that have both multiply."""
        for j in range(self.columns):
            if self.moving[j] is not None:
                self._shift(j)
        folds, top = self.folds, self.top.clock()
        for i, place in enumerate(self.left.clock()):
            self.right[i] = [_operand(place, folds, i, is_left=True), *self.right[i][:-1]]
        self.down = [[_operand(place, folds, j, is_left=False) for j, place in enumerate(top)], *self.down[:-1]]
        for i in range(self.rows):
            for j in range(self.columns):
                a, b = self.right[i][j], self.down[i][j]
                assert (a and a.place) == (b and b.place), "operands of a product did not meet"
                if a is not None:
                    self._multiply(i, j, a, b)

    def _multiply(self, i: int, j: int, a: Operand, b: Operand) -> None:
        present = a.value is not None and b.value is not None
        if a.place.number == 0:
            self.held[i][j] = self.result.dtype.type(0) if present else None
        if present:
            self.held[i][j] = self.mac(a.value, b.value, self.held[i][j])
        if not a.place.is_last:
            return
        if self.leaving[i][j] is not None:
            raise CollisionError
        self.leaving[i][j] = (a.place.fold, i, self.held[i][j])
        if i == self.rows - 1:
            if self.moving[j] is not None:
                raise CollisionError
            self.moving[j] = a.place.fold

    def _shift(self, j: int) -> None:
        """The sums of a fold move down a column by a row."""
        for i in reversed(range(self.rows)):
            one = self.leaving[i][j]
            if one is None or one[0] != self.moving[j]:
                continue
            self.leaving[i][j] = None
            if i < self.rows - 1:
                if self.leaving[i + 1][j] is not None:
                    raise CollisionError
                self.leaving[i + 1][j] = one
                continue
            self.left_over -= 1
            number, row, value = one
            if value is not None:
                fold = self.folds[number]
                self.result[fold.m.start + row, fold.n.start + j] = value
        if self.moving[j] not in [one[0] for line in self.leaving if (one := line[j]) is not None]:
            self.moving[j] = None


def output_stationary(
    folds: Sequence[Fold], sums: Array, shape: tuple[int, int], mac: MultiplyAdd, gap: int
) -> tuple[Array, int]:
    """Sums of folds of different results, and the clock in which the last one has left."""
    array, clock = OutputStationary(folds, sums, shape, mac, gap), 0
    while array.left_over:
        array.clock()
        clock += 1
    return array.result, clock


def _registers(shape: tuple[int, int]) -> list[list[Any]]:
    return [[None] * shape[1] for _ in range(shape[0])]


def _operand(place: Place | None, folds: Sequence[Fold], lane: int, *, is_left: bool) -> Operand | None:
    if place is None:
        return None
    matrix = folds[place.fold].a if is_left else folds[place.fold].b.T
    return Operand(place, matrix[lane, place.number] if lane < len(matrix) else None)


class Weight(NamedTuple):
    """An operand that stays, on its way to its row."""

    fold: int
    row: int
    value: Any


class WeightStationary:
    """PEs with an operand that stays, and one that comes for the next fold."""

    def __init__(self, folds: Sequence[Fold], sums: Array, shape: tuple[int, int], mac: MultiplyAdd, gap: int) -> None:
        self.folds, self.result, self.mac = folds, sums.copy(), mac
        self.rows, self.columns = shape
        lengths = [fold.a.shape[0] for fold in folds]
        self.left, self.top = (DelayLines(lanes, chain([None] * self.rows, _line(lengths, gap))) for lanes in shape)
        self.loads = DelayLines(self.columns, _loads(lengths, gap, self.rows))
        self.right, self.down, self.coming, self.held = (_registers(shape) for _ in range(4))
        self.done = np.zeros(sums.shape, int)
        self.left_over = sum(lengths) * self.columns

    def clock(self) -> bool:
        """Operands and sums move on, and PEs that have both multiply; whether one has."""
        top = self.top.clock()
        for i, place in enumerate(self.left.clock()):
            self.right[i] = [_row(place, self.folds, i), *self.right[i][:-1]]
        starts = [_start(place, self.folds, j, self.result, self.done) for j, place in enumerate(top)]
        self.down, works = [starts, *self.down[:-1]], False
        for i in range(self.rows):
            for j in range(self.columns):
                a, total = self.right[i][j], self.down[i][j]
                assert (a and a.place) == (total and total.place), "an operand and its sum did not meet"
                if a is not None:
                    works = True
                    self._multiply(i, j, a, total)
        for j, total in enumerate(self.down[-1]):
            if total is not None:
                self._take(j, total)
        for j, load in enumerate(self.loads.clock()):
            self._load(j, load)
        return works

    def _multiply(self, i: int, j: int, a: Operand, total: Operand) -> None:
        if a.place.number == 0:
            self.held[i][j], self.coming[i][j] = self.coming[i][j], None
        weight = self.held[i][j]
        if weight is None or (weight.fold, weight.row) != (a.place.fold, i):
            raise CollisionError
        if a.value is not None and weight.value is not None:
            self.down[i][j] = total._replace(value=self.mac(a.value, weight.value, total.value))

    def _take(self, j: int, total: Operand) -> None:
        """A sum leaves the array."""
        self.left_over -= 1
        fold = self.folds[total.place.fold]
        if j < fold.b.shape[1]:
            at = fold.m.start + total.place.number, fold.n.start + j
            self.result[at], self.done[at] = total.value, fold.part + 1

    def _load(self, j: int, load: Place | None) -> None:
        """Operands that come move on until each is in its row, and one enters."""
        for i in reversed(range(self.rows - 1)):
            weight = self.coming[i][j]
            if weight is not None and weight.row > i:
                if self.coming[i + 1][j] is not None:
                    raise CollisionError
                self.coming[i][j], self.coming[i + 1][j] = None, weight
        if load is None:
            return
        if self.coming[0][j] is not None:
            raise CollisionError
        row, b = self.rows - 1 - load.number, self.folds[load.fold].b
        self.coming[0][j] = Weight(load.fold, row, b[row, j] if row < len(b) and j < b.shape[1] else None)


def weight_stationary(
    folds: Sequence[Fold], sums: Array, shape: tuple[int, int], mac: MultiplyAdd, gap: int
) -> tuple[Array, int]:
    """`sums` with all folds added, k part after k part, and the clock of the last accumulate."""
    array, clock, last = WeightStationary(folds, sums, shape, mac, gap), 0, 0
    while array.left_over:
        clock += 1
        if array.clock():
            last = clock
    return array.result, last


def _loads(lengths: Sequence[int], gap: int, rows: int) -> Iterator[Place | None]:
    """Operands that stay: those of the first fold, and then each fold's while the one before streams."""
    for fold in range(len(lengths)):
        yield from [Place(fold, number, False) for number in range(rows)]
        if fold:
            yield from [None] * (lengths[fold - 1] + gap - rows)
    while True:
        yield None


def _row(place: Place | None, folds: Sequence[Fold], lane: int) -> Operand | None:
    if place is None:
        return None
    a = folds[place.fold].a
    return Operand(place, a[place.number, lane] if lane < a.shape[1] else None)


def _start(place: Place | None, folds: Sequence[Fold], lane: int, sums: Array, done: Array) -> Operand | None:
    """The sum that enters a column: what earlier parts of k have left."""
    if place is None:
        return None
    fold = folds[place.fold]
    if lane >= fold.b.shape[1]:
        return Operand(place, None)
    at = fold.m.start + place.number, fold.n.start + lane
    if done[at] != fold.part:
        raise CollisionError
    return Operand(place, sums[at])
