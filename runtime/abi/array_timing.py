"""How a product is cut into folds of a systolic array, and how long the array takes for them.

The array has R×C processing elements (PEs). C[M,N] += A[M,K]·B[K,N] is done in folds that follow each other without
overlap; in each, one operand stays in the PEs, and each PE does one multiply-accumulate a cycle:

| dataflow | rows hold | columns hold | stream | cycles of a fold |
|---|---|---|---|---|
| output stationary | M | N | K | K + R + C − 2 to the last accumulate, and R to drain |
| weight stationary | K | N | M | R to load, M + R + C − 2 to stream |
| input stationary | K | M | N | R to load, N + R + C − 2 to stream |

A ragged fold takes as long as a full one with the same stream: operands pass through every PE, and those that lie
outside of the matrix are absent. A PE whose operand is absent passes its sum on unchanged; a product with zeros instead
would turn a sum of −0 into +0. Folds along K follow in ascending order, and the sums of one are the start values
of the next: each element is accumulated in ascending k in every dataflow and for every R and C.

Source of the formulas: the usual skewed feed, one diagonal of PEs a cycle. They are for operands that are always there
when the array wants them, and for folds without double buffering.

Double buffering (`overlapped_cycles`). Each PE has a second register for the operand that stays, or for a sum on its
way out. Then folds follow each other without a gap in the feed where the stream lasts as long as a load or a drain, of
R cycles: with F folds of a stream of L,

| dataflow | cycles of F folds |
|---|---|
| output stationary | (F − 1)·max(L, R) + L + R + C − 2, and R to drain the last |
| weight, input stationary | R to load the first, (F − 1)·max(L, R) + L + R + C − 2 |

An output-stationary fold that continues sums of an earlier one takes these in from above: R cycles before it, which
double buffering hides for all but the first, since sums come in as others leave.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.records import Dataflow


@dataclass(frozen=True)
class Sizes:
    """Elements along the three axes of a product, each at least 1."""

    m: int
    n: int
    k: int

    def __post_init__(self) -> None:
        if min(self.m, self.n, self.k) < 1:
            raise TfmbsError("target", "array", "a product without elements has no cycles", "m, n, k >= 1", str(self))


@dataclass(frozen=True)
class Fold:
    """The part of a product that one pass of the array does: ranges of elements along each axis."""

    m: range
    n: range
    k: range

    @property
    def macs(self) -> int:
        """Multiply-accumulates, of operands that are present."""
        return len(self.m) * len(self.n) * len(self.k)


@dataclass(frozen=True)
class FoldCycles:
    """Cycles of a fold, of the array's clock."""

    load: int
    """Until the operand that stays is in place."""
    stream: int
    """From the first operand that enters to the last accumulate."""
    drain: int
    """Until the last sum has left the array."""

    @property
    def total(self) -> int:
        return self.load + self.stream + self.drain


@dataclass(frozen=True)
class ArrayShape:
    """PEs of an array, at least one."""

    rows: int
    columns: int

    def __post_init__(self) -> None:
        if min(self.rows, self.columns) < 1:
            raise TfmbsError("target", "array", "an array needs a PE", "rows, columns >= 1", str(self))


def folds(dataflow: Dataflow, sizes: Sizes, array: ArrayShape) -> Iterator[Fold]:
    """The folds of a product in the order in which the array does them: along the axis of its rows, within that along
    the axis of its columns. All of K is in one fold of the output-stationary array."""
    every_m, every_n, every_k = range(sizes.m), range(sizes.n), range(sizes.k)
    if dataflow is Dataflow.OUTPUT_STATIONARY:
        for m in _cuts(every_m, array.rows):
            for n in _cuts(every_n, array.columns):
                yield Fold(m, n, every_k)
        return
    for k in _cuts(every_k, array.rows):
        if dataflow is Dataflow.WEIGHT_STATIONARY:
            for n in _cuts(every_n, array.columns):
                yield Fold(every_m, n, k)
        else:
            for m in _cuts(every_m, array.columns):
                yield Fold(m, every_n, k)


def fold_cycles(dataflow: Dataflow, fold: Fold, array: ArrayShape) -> FoldCycles:
    """What the fold takes."""
    wave = array.rows + array.columns - 2
    if dataflow is Dataflow.OUTPUT_STATIONARY:
        return FoldCycles(0, len(fold.k) + wave, array.rows)
    streamed = fold.m if dataflow is Dataflow.WEIGHT_STATIONARY else fold.n
    return FoldCycles(array.rows, len(streamed) + wave, 0)


def product_cycles(dataflow: Dataflow, sizes: Sizes, array: ArrayShape) -> int:
    """What all folds of a product take: their number times what one takes, since all have the same stream."""
    first = next(folds(dataflow, sizes, array))
    return fold_count(dataflow, sizes, array) * fold_cycles(dataflow, first, array).total


def fold_count(dataflow: Dataflow, sizes: Sizes, array: ArrayShape) -> int:
    """How many folds a product has."""
    axes = {
        Dataflow.OUTPUT_STATIONARY: (sizes.m, sizes.n),
        Dataflow.WEIGHT_STATIONARY: (sizes.k, sizes.n),
        Dataflow.INPUT_STATIONARY: (sizes.k, sizes.m),
    }
    down, across = axes[dataflow]
    return -(-down // array.rows) * -(-across // array.columns)


def overlapped_cycles(dataflow: Dataflow, sizes: Sizes, array: ArrayShape) -> int:
    """What all folds of a product take with double-buffered weights and sums."""
    first = next(folds(dataflow, sizes, array))
    one = fold_cycles(dataflow, first, array)
    length = one.stream - (array.rows + array.columns - 2)
    return one.total + (fold_count(dataflow, sizes, array) - 1) * max(length, array.rows)


@cache
def job_cycles(dataflow: Dataflow, sizes: Sizes, array: ArrayShape, *, is_overlapped: bool, is_continued: bool) -> int:
    """What the array takes for a tile; `is_continued`: output-stationary folds go on with sums of an earlier step."""
    if is_overlapped:
        return overlapped_cycles(dataflow, sizes, array) + (array.rows if is_continued else 0)
    again = array.rows * fold_count(dataflow, sizes, array) if is_continued else 0
    return product_cycles(dataflow, sizes, array) + again


@cache
def job_lag(dataflow: Dataflow, sizes: Sizes, array: ArrayShape) -> int:
    """Cycles before the end of a tile whose folds overlap from which on the next tile has the array.

    Between tiles, folds follow each other as within one: a tile has the feed for its folds alone, and what it takes
    besides (a load, the wave, a drain) is while the one before or after has it.
    """
    first = next(folds(dataflow, sizes, array))
    one = fold_cycles(dataflow, first, array)
    length = one.stream - (array.rows + array.columns - 2)
    return one.total - max(length, array.rows)


def _cuts(axis: range, size: int) -> Iterator[range]:
    return (axis[first : first + size] for first in range(0, len(axis), size))
