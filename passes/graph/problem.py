"""What the search for schedules knows of a launch of products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from tfmbs.dialect.attributes import Schedule
from tfmbs.runtime.abi.movement.group_operands import Groups, Magnitudes
from tfmbs.runtime.abi.movement.operands import Matrix, Windows
from tfmbs.runtime.abi.movement.plan import Work
from tfmbs.runtime.abi.movement.predicted import Prediction
from tfmbs.runtime.abi.siw import VLMAX
from tfmbs.runtime.abi.siw_timing import Timing
from tfmbs.runtime.abi.target import Target
from tfmbs.runtime.abi.types import DTYPES, DType, Packing


@dataclass(frozen=True)
class Epilogue:
    """What becomes of each result: operations of a lane on it, the bytes it has then, and what windows are read.

    `windows` are bytes per result, per channel and in any case, for each operand.
    """

    operations: int
    out_bytes: int
    windows: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Problem:
    """`batch` products of m×k and k×n; a convolution is one per image and group, with m output positions.

    `geometry` are the fields of a volume geometry of a convolution, in the order of its table; `shares_right`: all
    products have the same right operand. `group`: elements of k with a scale of their own in the weights, of a product
    in groups, whose left rows become integers by their largest magnitude if `is_absmax`. `has_loops`: it is a launch of
    its own, whose schedule says an order of tiles and blocks.
    """

    batch: int
    m: int
    n: int
    k: int
    lhs: DType
    rhs: DType
    packing: Packing = Packing.DENSE
    shares_right: bool = False
    geometry: tuple[tuple[str, int], ...] = ()
    epilogue: Epilogue | None = None
    group: int = 0
    is_absmax: bool = False
    has_loops: bool = True

    @property
    def work(self) -> Work:
        """The problem as the movement rule has it, with its operands at the start of a memory."""
        m, n, k, g = self.m, self.n, self.k, dict(self.geometry)
        kept = g["groups"] if g else 1 if self.shares_right else self.batch
        right = Matrix(0, 0, self.rhs, self.packing, kept, n, k, n * k if kept > 1 else 0, k, 1, False)
        left: Matrix | Windows = (
            Windows(0, 0, DTYPES[self.lhs].bits // 8, g, right.unit)
            if g
            else Matrix(0, 0, self.lhs, Packing.DENSE, self.batch, m, k, m * k, k, 1, True)
        )
        if self.group:
            is_integer = self.is_absmax or self.lhs is not DType.F32
            right = Groups(0, 0, self.rhs, self.packing, 1, n, k, 0, k, 1, False, self.group, 0, is_integer)
        if self.is_absmax:
            left = Magnitudes(0, 0, self.lhs, Packing.DENSE, 1, m, k, 0, k, 1, True)
        after = self.epilogue
        out_bytes, windows = (after.out_bytes, after.windows) if after else (4, ())
        return Work(self.batch, m, n, k, left, right, after is not None, out_bytes, windows)


class Choice(NamedTuple):
    """A schedule, and what it is predicted to take."""

    schedule: Schedule
    prediction: Prediction | None


def epilogue_cycles(problem: Problem, target: Target, factor: int = 1) -> Lanes | None:
    """An estimate of the epilogue, with so many times its operations; None where there is none."""
    after = problem.epilogue
    if after is None:
        return None
    timing = Timing.of(target.vector)
    return Lanes(
        factor * after.operations, timing.lanes, timing.latency["alu"] + timing.latency["memory"] * bool(after.windows)
    )


@dataclass(frozen=True)
class Lanes:
    """An estimate of the cycles of results before there is a program: one slot per operation and lanes, and for each
    chunk the latency of each unit."""

    operations: int
    lanes: int
    latency: int

    def __call__(self, rows: int, columns: int) -> int:
        chunks = -(-rows // max(1, VLMAX // columns)) * -(-columns // VLMAX)
        return rows * -(-columns // self.lanes) * (self.operations + 1) + chunks * self.latency
