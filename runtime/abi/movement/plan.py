"""What a launch of products does, and how: its tiles, their order, and slots of memories."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tfmbs.runtime.abi.movement.cuts import part_bytes
from tfmbs.runtime.abi.movement.group_operands import Groups
from tfmbs.runtime.abi.movement.memory import aligned
from tfmbs.runtime.abi.movement.nests import Loops, Round
from tfmbs.runtime.abi.movement.operands import Matrix, Span, Tile, Windows
from tfmbs.runtime.abi.records import Dataflow
from tfmbs.runtime.abi.target import ACCUMULATOR_BYTES


@dataclass(frozen=True)
class Work:
    """`products` independent products of lhs (m×k) and rhs (n×k), and what becomes of each element of the result.

    `window_bytes(tile)` are what the epilogue of a tile reads at most.
    """

    products: int
    m: int
    n: int
    k: int
    lhs: Matrix | Windows
    rhs: Matrix
    has_epilogue: bool
    out_bytes: int
    windows: Sequence[tuple[int, int, int]] = ()
    """Of each window of the epilogue: bytes per element of the result, per channel, and in any case."""
    kept: Callable[[int, Span], int] | None = None
    """Where zeros are skipped: how many k of a product and some of its columns are not."""

    @property
    def has_integer_groups(self) -> bool:
        """Sums of groups of k are integers, which are scaled where they leave the array."""
        return isinstance(self.rhs, Groups) and self.rhs.is_integer

    @property
    def result_bytes(self) -> int:
        """Of an element of the result on its way out."""
        return self.out_bytes if self.has_epilogue else ACCUMULATOR_BYTES

    def part_bytes(self, tile: Tile, engines: int) -> int:
        """Of the largest part of a tile's results, see `cuts`."""
        rows, columns = (tile.n, tile.m) if isinstance(self.lhs, Windows) else (tile.m, tile.n)
        return part_bytes(rows, columns, self.result_bytes, engines)

    def window_bytes(self, tile: Tile) -> int:
        """What the epilogue of a tile reads, each window by itself aligned."""
        return sum(aligned(e * tile.m * tile.n + c * tile.n + any_) for e, c, any_ in self.windows)

    def window_traffic(self, tile: Tile) -> int:
        """What the epilogues of all tiles read."""
        rows, columns = -(-self.m // tile.m), -(-self.n // tile.n)
        read = (e * self.m * self.n + c * self.n * rows + any_ * rows * columns for e, c, any_ in self.windows)
        return self.products * sum(read)


class Buffers(NamedTuple):
    """Slots of a tile's L1."""

    lhs: int
    rhs: int
    sums: int
    windows: int
    results: int


class Levels(NamedTuple):
    """Slots of L2 or L3: `parked` for sums of a block, `passing` for those that park in L3, on each way."""

    lhs: int
    rhs: int
    windows: int
    results: int
    parked: int = 0
    passing: int = 0


def guard_of(slots: int, of_step: int, engines: int) -> int:
    """How many steps a chunk stays after its use, where operands are buffered: for as many transfers at once as there
    are engines, as far as there are slots."""
    return max(1, min(engines, slots // of_step - 1))


@dataclass(frozen=True)
class Plan:
    """How a product is done. `fabric` are the tiles of the fabric."""

    tile: Tile
    fabric: tuple[int, ...]
    l1: Buffers
    l2: Levels
    l3: Levels
    dataflow: Dataflow
    is_buffered: bool
    loops: Loops
    is_free: bool
    """The schedule leaves the order of output tiles to the rule."""

    @property
    def overlaps(self) -> bool:
        """Whether folds of output tiles follow each other in the feed. Where an array takes sums in again, these would
        meet the results of the tile before in one register of each PE."""
        return not (self.loops.parks and self.dataflow is Dataflow.OUTPUT_STATIONARY)

    def rounds(self, work: Work) -> Iterator[Round]:
        """Output tiles with their steps of k, in their order."""
        if self.grows(work):
            return self.loops.rounds(work.products, self.fabric, list(self._as_they_come(work)))
        return self.loops.rounds(work.products, self.fabric)

    def grows(self, work: Work) -> bool:
        """Whether output tiles follow each other as their operands come, see `growth`: where L2 holds both whole, and
        the schedule says nothing else."""
        if not self.is_free or self.loops.is_blocked or work.products > 1 or not self.is_buffered:
            return False
        if isinstance(work.lhs, Windows) or isinstance(work.rhs, Groups):
            return False
        every = work.lhs.all_chunks(self.tile), work.rhs.all_chunks(self.tile)
        return min(self.loops[:2]) > 1 and self.l2.lhs >= every[0] and self.l2.rhs >= every[1]

    def _as_they_come(self, work: Work) -> Iterator[tuple[int, int]]:
        """Blocks of rows and columns of output tiles, by `growth`."""
        for is_row, count, before in self.growth(work):
            yield from ((before[0], i) if is_row else (i, before[1]) for i in range(count))

    def growth(self, work: Work) -> Iterator[tuple[bool, int, tuple[int, int]]]:
        """Blocks in the order in which they come: whether it is one of rows, how many output tiles can be done with it,
        and how many blocks of rows and of columns are there before.

        Always that one comes next which gives the array most to do for its bytes: then it soon has enough.
        """
        (rows, columns), there = self.loops[:2], [1, 0]
        sizes = work.lhs.chunk_bytes(self.tile), work.rhs.chunk_bytes(self.tile)
        while there != [rows, columns]:
            is_row = there[1] == columns or (there[0] < rows and there[1] * sizes[1] > there[0] * sizes[0])
            yield is_row, there[is_row], (there[0], there[1])
            there[not is_row] += 1
