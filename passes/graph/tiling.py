"""How a launch is cut into tiles for a target: cycles, what fits into L1, and the choice between dataflows.

A tile is `ti` rows and `tj` columns of the output and `tk` of the reduction. The choice changes time, never values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tfmbs.dialect.attributes import Schedule
from tfmbs.runtime.abi.array_timing import ArrayShape, Sizes, product_cycles
from tfmbs.runtime.abi.records import Dataflow
from tfmbs.runtime.abi.target import ACCUMULATOR_BYTES, OPERAND_BUFFERS, Target


class Tile(NamedTuple):
    """Sizes of a tile, in elements."""

    ti: int
    tj: int
    tk: int


@dataclass(frozen=True)
class Problem:
    """`batch` products of m×k and k×n; a convolution is one per image and group, with m output positions.

    `lhs_bytes` are those of one left element; `rhs_row_bytes(k)` those of k right elements of one output channel, as
    packed.
    """

    batch: int
    m: int
    n: int
    k: int
    lhs_bytes: int
    rhs_row_bytes: Callable[[int], int]

    def bytes_in_l1(self, tile: Tile) -> int:
        """Two buffers of each operand tile, and the accumulators of the output tile."""
        operands = tile.ti * tile.tk * self.lhs_bytes + tile.tj * self.rhs_row_bytes(tile.tk)
        return OPERAND_BUFFERS * operands + tile.ti * tile.tj * ACCUMULATOR_BYTES

    def output_tiles(self, tile: Tile) -> int:
        """Output tiles of the whole problem, which fabric tiles share."""
        return self.batch * _folds(self.m, tile.ti) * _folds(self.n, tile.tj)


def cycles(problem: Problem, dataflow: Dataflow, rows: int, columns: int) -> int:
    """Cycles of one rows × columns systolic array, by the rule of `runtime.abi.array_timing`."""
    sizes = Sizes(problem.m, problem.n, problem.k)
    return problem.batch * product_cycles(dataflow, sizes, ArrayShape(rows, columns))


def array_dataflows(target: Target) -> tuple[Dataflow, ...]:
    """The dataflows of the target's array, in its order."""
    return tuple(Dataflow[name.upper()] for name in target.array.dataflows)


def choose_schedule(problem: Problem, target: Target, dataflows: Sequence[Dataflow]) -> Schedule:
    """The dataflow with the fewest cycles (the first among equals) whose fold fits L1, and the tile `grow` gives."""
    rows, columns = target.array.rows, target.array.columns
    fitting = [flow for flow in dataflows if problem.bytes_in_l1(_fold(problem, flow, target)) <= target.l1.size]
    # An output stationary fold always fits: a target with less L1 is refused when it is read.
    dataflow = min(fitting or [Dataflow.OUTPUT_STATIONARY], key=lambda flow: cycles(problem, flow, rows, columns))
    tile = grow(problem, dataflow, target)
    used = min(target.tiles, problem.output_tiles(tile))
    return Schedule(dataflow, tile, OPERAND_BUFFERS, (1 << used) - 1)


def grow(problem: Problem, dataflow: Dataflow, target: Target) -> Tile:
    """The tile of one array fold, its sizes doubled as long as L1 holds it, the streamed size first.

    Rows and columns grow only while there is an output tile for each fabric tile; sizes end at the problem's.
    """
    tile = _fold(problem, dataflow, target)
    limits = Tile(problem.m, problem.n, problem.k)
    wanted = min(target.tiles, problem.output_tiles(tile))
    for axis in _GROWTH[dataflow]:
        while tile[axis] < limits[axis]:
            larger = Tile(*(min(2 * size, limits[axis]) if i == axis else size for i, size in enumerate(tile)))
            if problem.bytes_in_l1(larger) > target.l1.size or problem.output_tiles(larger) < wanted:
                break
            tile = larger
    return tile


_GROWTH = {
    Dataflow.OUTPUT_STATIONARY: (2, 0, 1),
    Dataflow.WEIGHT_STATIONARY: (0, 1, 2),
    Dataflow.INPUT_STATIONARY: (1, 0, 2),
}


def _fold(problem: Problem, dataflow: Dataflow, target: Target) -> Tile:
    """What the array holds at once, with one step of the streamed dimension, no larger than the problem."""
    rows, columns = target.array.rows, target.array.columns
    ti, tj, tk = {
        Dataflow.OUTPUT_STATIONARY: (rows, columns, 1),
        Dataflow.WEIGHT_STATIONARY: (1, columns, rows),
        Dataflow.INPUT_STATIONARY: (columns, 1, rows),
    }[dataflow]
    return Tile(min(ti, problem.m), min(tj, problem.n), min(tk, problem.k))


def _folds(size: int, by: int) -> int:
    return -(-size // by)
