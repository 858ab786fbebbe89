"""Which tiles a launch is cut into on a machine, and in which order they are done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.movement.machine import Machine
from tfmbs.runtime.abi.movement.memory import aligned
from tfmbs.runtime.abi.movement.operands import Matrix, Span, Tile, Windows
from tfmbs.runtime.abi.records import Dataflow
from tfmbs.runtime.abi.target import ACCUMULATOR_BYTES

RESULT_SHARE = 4  # of L2 and L3: at most one part in so many is for results on their way out, or for epilogues


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

    def window_bytes(self, tile: Tile) -> int:
        """What the epilogue of a tile reads, each window by itself aligned."""
        return sum(aligned(e * tile.m * tile.n + c * tile.n + any_) for e, c, any_ in self.windows)


class Buffers(NamedTuple):
    """Slots of a tile's L1."""

    lhs: int
    rhs: int
    sums: int
    windows: int
    results: int


class Levels(NamedTuple):
    """Slots of L2 or L3."""

    lhs: int
    rhs: int
    windows: int
    results: int


def guard_of(slots: int, of_step: int, engines: int) -> int:
    """How many steps a chunk stays after its use, where operands are buffered: for as many transfers at once as there
    are engines, as far as there are slots."""
    return max(1, min(engines, slots // of_step - 1))


@dataclass(frozen=True)
class Plan:
    """How a product is done. `fabric` are the tiles of the fabric; `m_fastest`: blocks of rows follow each other."""

    tile: Tile
    fabric: tuple[int, ...]
    l1: Buffers
    l2: Levels
    l3: Levels
    dataflow: Dataflow
    is_buffered: bool
    m_fastest: bool

    def rounds(self, work: Work) -> Iterator[list[tuple[int, int, int, int]]]:
        """For each round: product, blocks of rows and columns, and fabric tile of its output tiles."""
        rows, columns = -(-work.m // self.tile.m), -(-work.n // self.tile.n)
        current: list[tuple[int, int, int, int]] = []
        for product in range(work.products):
            for slow in range(columns if self.m_fastest else rows):
                for fast in range(rows if self.m_fastest else columns):
                    row, column = (fast, slow) if self.m_fastest else (slow, fast)
                    current.append((product, row, column, self.fabric[len(current)]))
                    if len(current) == len(self.fabric):
                        yield current
                        current = []
        if current:
            yield current


def planned(
    work: Work, wanted: Tile, dataflow: Dataflow, buffers: int, fabric: Sequence[int], machine: Machine, where: str
) -> Plan:
    """The plan for the tile that a schedule asks for, its sizes halved (the largest first) until everything fits.

    Raises TfmbsError `unsupported`, located at `where`, where not even the smallest tile fits.
    """
    tile = _allowed(Tile(min(wanted.m, work.m), min(wanted.n, work.n), min(wanted.k, work.k)), work)
    while True:
        count = work.products * -(-work.m // tile.m) * -(-work.n // tile.n)
        used = tuple(fabric[:count])
        l1 = _buffers(work, tile, buffers, machine.target.l1.size)
        l2 = _levels(work, tile, buffers, len(used), machine.target.l2.size)
        l3 = _levels(work, tile, buffers, len(used), machine.target.l3.size)
        if l1 and l2 and l3:
            order = _m_fastest(work, tile, l3)
            return Plan(tile, used, l1, l2, l3, dataflow, buffers > 1, order)
        smaller = _halved(tile, work)
        if smaller == tile:
            raise TfmbsError("unsupported", where, "its smallest tile does not fit the memories of the target")
        tile = smaller


def _allowed(tile: Tile, work: Work) -> Tile:
    """With a step of the reduction after which both operands may be cut."""
    if isinstance(work.lhs, Windows):
        return tile._replace(k=work.lhs.fitted_k(tile.k))
    unit = work.rhs.unit
    if unit == 0 or tile.k >= work.k:
        return tile._replace(k=work.k)
    return tile._replace(k=max(unit, tile.k // unit * unit))


def _halved(tile: Tile, work: Work) -> Tile:
    for axis in sorted(range(3), key=lambda axis: -tile[axis]):
        smaller = _allowed(Tile(*(max(1, size // 2) if i == axis else size for i, size in enumerate(tile))), work)
        if smaller != tile:
            return smaller
    return tile


def _buffers(work: Work, tile: Tile, buffers: int, size: int) -> Buffers | None:
    """Slots of L1: `buffers` of operands and one of all else, a second for sums, results and windows, then more of
    operands, the smaller one first, until the whole reduction of a tile is there."""
    lhs, rhs = aligned(work.lhs.bytes_in_l1(tile)), aligned(work.rhs.bytes_in_l1(tile))
    sums = aligned(tile.m * tile.n * ACCUMULATOR_BYTES)
    windows = work.window_bytes(tile)
    results = aligned(tile.m * tile.n * work.out_bytes) if work.has_epilogue else 0
    left = size - buffers * (lhs + rhs) - sums - windows - results
    if left < 0:
        return None
    counts = []
    for one in (sums, results, windows):
        second = buffers > 1 and 0 < one <= left
        counts.append(2 if second else 1)
        left -= one if second else 0
    operands = [buffers, buffers]
    if buffers > 1:
        wanted = -(-work.k // tile.k) + buffers
        for one, number in sorted(((lhs, 0), (rhs, 1))):
            more = max(0, min(wanted - buffers, left // one))
            operands[number] += more
            left -= more * one
    return Buffers(operands[0], operands[1], counts[0], counts[2], counts[1])


def _levels(work: Work, tile: Tile, buffers: int, fabric: int, size: int) -> Levels | None:
    """Slots of L2 or L3: results and windows take at most their share, operands what they are or half of the rest."""
    result = aligned(tile.m * tile.n * (work.out_bytes if work.has_epilogue else ACCUMULATOR_BYTES))
    window = work.window_bytes(tile)
    results = max(1, min(2 * fabric, size // RESULT_SHARE // result))
    windows = max(1, min(2 * fabric, size // RESULT_SHARE // window)) if window else 0
    left = size - results * result - windows * window
    guard = 2 if buffers > 1 else 1
    slots = []
    for operand in (work.lhs, work.rhs):
        step = min(operand.all_chunks(tile), guard * fabric * operand.chunks_of_step(tile))
        slots.append((aligned(operand.chunk_bytes(tile)), step, operand.all_chunks(tile)))
    (lhs, lhs_least, lhs_all), (rhs, rhs_least, rhs_all) = slots
    lhs_share = min(lhs_all * lhs, max(left // 2, left - rhs_all * rhs))
    lhs_share = max(min(lhs_share, left - rhs_least * rhs), lhs_least * lhs)
    rhs_share = min(rhs_all * rhs, left - lhs_share)
    if rhs_share < rhs_least * rhs or lhs_share + rhs_share > left:
        return None
    return Levels(lhs_share // lhs, rhs_share // rhs, windows, results)


def _m_fastest(work: Work, tile: Tile, l3: Levels) -> bool:
    """Whether blocks of rows change fastest: whether external traffic is no more than the other way round."""
    rows, columns = -(-work.m // tile.m), -(-work.n // tile.n)
    lhs, rhs = work.lhs.all_chunks(tile), work.rhs.all_chunks(tile)
    lhs_bytes, rhs_bytes = lhs * work.lhs.chunk_bytes(tile), rhs * work.rhs.chunk_bytes(tile)
    lhs_panel, rhs_panel = -(-lhs // max(1, rows)), -(-rhs // max(1, columns))

    def again(all_chunks: int, panel: int, slots: int, times: int, *, is_fast: bool) -> int:
        if all_chunks <= slots or (not is_fast and panel <= slots):
            return 1
        return times

    by_rows = lhs_bytes * again(lhs, lhs_panel, l3.lhs, columns, is_fast=True)
    by_rows += rhs_bytes * again(rhs, rhs_panel, l3.rhs, rows, is_fast=False)
    by_columns = lhs_bytes * again(lhs, lhs_panel, l3.lhs, columns, is_fast=False)
    by_columns += rhs_bytes * again(rhs, rhs_panel, l3.rhs, rows, is_fast=True)
    return by_rows <= by_columns
