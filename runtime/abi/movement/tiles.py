"""Which tiles a launch is cut into on a machine, and in which order they are done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.movement.cuts import part_bytes
from tfmbs.runtime.abi.movement.group_operands import Groups
from tfmbs.runtime.abi.movement.machine import Machine
from tfmbs.runtime.abi.movement.memory import aligned
from tfmbs.runtime.abi.movement.misses import Shape, cyclic, misses
from tfmbs.runtime.abi.movement.operands import Matrix, Span, Tile, Windows
from tfmbs.runtime.abi.records import Dataflow
from tfmbs.runtime.abi.target import ACCUMULATOR_BYTES

RESULT_SHARE = 4  # of L2 and L3: at most one part in so many is for results on their way out, or for epilogues
LEAVING, LEAVING_BYTES = 10, 32768  # results that leave at once, two an engine and two more, or so many bytes,
LEAVING_SHARE = 8  # in at most one part in so many
SMALL, SMALL_SHARE = 4, 16  # sums, results and windows of tiles of which so many take at most one part in so many of L1
STREAMED = 8  # chunks of an operand that leaves the memory to the other one: as many as may be under way at once, twice
STREAM_SHARE = 8  # of what is left for operands: at most one part in so many is for these


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
        current: list[tuple[int, int, int, int]] = []
        for product in range(work.products):
            for row, column in self._places(work):
                current.append((product, row, column, self.fabric[len(current)]))
                if len(current) == len(self.fabric):
                    yield current
                    current = []
        if current:
            yield current

    def _places(self, work: Work) -> Iterator[tuple[int, int]]:
        """Blocks of rows and columns of the output tiles of a product, in their order."""
        if self.grows(work):
            for is_row, count, before in self.growth(work):
                yield from ((before[0], i) if is_row else (i, before[1]) for i in range(count))
            return
        rows, columns = self.blocks(work)
        for slow in range(columns if self.m_fastest else rows):
            for fast in range(rows if self.m_fastest else columns):
                yield (fast, slow) if self.m_fastest else (slow, fast)

    def blocks(self, work: Work) -> tuple[int, int]:
        """Blocks of rows and of columns of a product."""
        return -(-work.m // self.tile.m), -(-work.n // self.tile.n)

    def grows(self, work: Work) -> bool:
        """Whether output tiles follow each other as their operands come, see `growth`: where L2 holds both whole."""
        if work.products > 1 or not self.is_buffered or isinstance(work.lhs, Windows) or isinstance(work.rhs, Groups):
            return False
        every = work.lhs.all_chunks(self.tile), work.rhs.all_chunks(self.tile)
        return min(self.blocks(work)) > 1 and self.l2.lhs >= every[0] and self.l2.rhs >= every[1]

    def growth(self, work: Work) -> Iterator[tuple[bool, int, tuple[int, int]]]:
        """Blocks in the order in which they come: whether it is one of rows, how many output tiles can be done with it,
        and how many blocks of rows and of columns are there before.

        Always that one comes next which gives the array most to do for its bytes: then it soon has enough.
        """
        (rows, columns), there = self.blocks(work), [1, 0]
        sizes = work.lhs.chunk_bytes(self.tile), work.rhs.chunk_bytes(self.tile)
        while there != [rows, columns]:
            is_row = there[1] == columns or (there[0] < rows and there[1] * sizes[1] > there[0] * sizes[0])
            yield is_row, there[is_row], (there[0], there[1])
            there[not is_row] += 1


def planned(
    work: Work, wanted: Tile, dataflow: Dataflow, buffers: int, fabric: Sequence[int], machine: Machine, where: str
) -> Plan:
    """The plan for the tile that a schedule asks for, its sizes halved (the largest first) until everything fits.

    Raises TfmbsError `unsupported`, located at `where`, where not even the smallest tile fits.
    """
    tile = first_tile(work, wanted)
    while True:
        count = work.products * -(-work.m // tile.m) * -(-work.n // tile.n)
        used = tuple(fabric[:count])
        l1 = l1_buffers(work, tile, buffers, machine.target.l1.size)
        if l1:
            plans = [
                Plan(tile, used, l1, l2, l3, dataflow, buffers > 1, m_fastest)
                for l2, l3 in _shares(work, tile, buffers, len(used), machine)
                for m_fastest in (True, False)
            ]
            if plans:
                return min(plans, key=lambda plan: _brought_bytes(work, plan, machine))
        smaller = halved(tile, work)
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


def first_tile(work: Work, wanted: Tile) -> Tile:
    """What a schedule asks for, as far as the work has it."""
    return _allowed(Tile(min(wanted.m, work.m), min(wanted.n, work.n), min(wanted.k, work.k)), work)


def halved(tile: Tile, work: Work) -> Tile:
    """The largest axis that can be halved is."""
    for axis in sorted(range(3), key=lambda axis: -tile[axis]):
        smaller = _allowed(Tile(*(max(1, size // 2) if i == axis else size for i, size in enumerate(tile))), work)
        if smaller != tile:
            return smaller
    return tile


def l1_buffers(work: Work, tile: Tile, buffers: int, size: int) -> Buffers | None:
    """Slots of L1: `buffers` of operands and one of all else, a second for sums, results and windows (of small tiles a
    few more, since the array is soon done with them), then more of operands, the smaller one first, until the whole
    reduction of a tile is there."""
    lhs, rhs = aligned(work.lhs.bytes_in_l1(tile)), aligned(work.rhs.bytes_in_l1(tile))
    sums = aligned(tile.m * tile.n * ACCUMULATOR_BYTES)
    windows = work.window_bytes(tile)
    results = aligned(tile.m * tile.n * work.out_bytes) if work.has_epilogue else 0
    left = size - buffers * (lhs + rhs) - sums - windows - results
    if left < 0:
        return None
    counts = []
    for one in (sums, results, windows):
        more = 0
        if buffers > 1 and 0 < one <= left:
            more = max(1, min(SMALL - 1, left // SMALL_SHARE // one))
        counts.append(1 + more)
        left -= more * one
    operands = [buffers, buffers]
    if buffers > 1:
        wanted = -(-work.k // tile.k) + buffers
        for one, number in sorted(((lhs, 0), (rhs, 1))):
            more = max(0, min(wanted - buffers, left // one))
            operands[number] += more
            left -= more * one
        steps = -(-work.k // tile.k)
        for one, number in sorted(((lhs, 0), (rhs, 1))):
            every = steps * -(-(work.n if number else work.m) // (tile.n if number else tile.m))
            if 0 < every - operands[number] <= left // one:
                left -= (every - operands[number]) * one
                operands[number] = every
    return Buffers(operands[0], operands[1], counts[0], counts[2], counts[1])


def _shares(work: Work, tile: Tile, buffers: int, fabric: int, machine: Machine) -> list[tuple[Levels, Levels]]:
    """Slots of L2 and L3: by halves, and with either operand first. None where the least does not fit."""
    target, found = machine.target, list[tuple[Levels, Levels]]()
    for first in (None, 0, 1):
        l2, l3 = (
            _levels(work, tile, buffers, fabric, size, first, target.dma.count)
            for size in (target.l2.size, target.l3.size)
        )
        if l2 and l3 and (l2, l3) not in found:
            found.append((l2, l3))
    return found


def outward(work: Work, tile: Tile, fabric: int, size: int, engines: int) -> tuple[int, int, int]:
    """Slots of L2 or L3 for parts of results, which so many engines move, and for windows of the epilogue, and what
    bytes these leave to operands."""
    result = tile.m * tile.n * work.result_bytes
    part = aligned(work.part_bytes(tile, engines))
    of_tile = -(-result // part)
    window = work.window_bytes(tile)
    leaving = min(max(LEAVING, LEAVING_BYTES // part), size // LEAVING_SHARE // part)
    results = max(1, min(2 * fabric * of_tile, size // RESULT_SHARE // part), leaving)
    windows = max(1, min(2 * fabric, size // RESULT_SHARE // window)) if window else 0
    return results, windows, size - results * part - windows * window


def _levels(
    work: Work, tile: Tile, buffers: int, fabric: int, size: int, first: int | None, engines: int
) -> Levels | None:
    """Slots of L2 or L3: results and windows take at most their share. An operand takes what it is or half of the rest,
    or, where it is `first`, all that the other one leaves, which has as many chunks as are under way at once."""
    results, windows, left = outward(work, tile, fabric, size, engines)
    guard = 2 if buffers > 1 else 1
    chunks, every, least, streamed = [], [], [], []
    for operand in (work.lhs, work.rhs):
        chunks.append(aligned(operand.chunk_bytes(tile)))
        every.append(operand.all_chunks(tile))
        least.append(min(every[-1], guard * fabric * operand.chunks_of_step(tile)))
        streamed.append(max(least[-1], min(every[-1], STREAMED, left // STREAM_SHARE // chunks[-1])))
    if least[0] * chunks[0] + least[1] * chunks[1] > left:
        return None
    if first is None:
        share = min(every[0] * chunks[0], max(left // 2, left - every[1] * chunks[1]))
        lhs = max(min(share, left - least[1] * chunks[1]), least[0] * chunks[0]) // chunks[0]
        return Levels(lhs, min(every[1], (left - lhs * chunks[0]) // chunks[1]), windows, results)
    other = 1 - first
    slots = [0, 0]
    slots[first] = max(least[first], min(every[first], (left - streamed[other] * chunks[other]) // chunks[first]))
    slots[other] = min(every[other], (left - slots[first] * chunks[first]) // chunks[other])
    return Levels(slots[0], slots[1], windows, results)


def level_misses(work: Work, plan: Plan, machine: Machine, *, is_lhs: bool) -> tuple[int, int]:
    """Chunks of an operand that enter L3 and L2. What L2 holds, L3 need not: together they hold as much as both."""
    source, tile, operand = (work.lhs if is_lhs else work.rhs), plan.tile, int(not is_lhs)
    rows, columns, fabric = -(-work.m // tile.m), -(-work.n // tile.n), len(plan.fabric)
    own, other = (rows, columns) if is_lhs else (columns, rows)
    shape = Shape(work.products, own, other, -(-work.k // tile.k), fabric)
    of_step = source.chunks_of_step(tile) * fabric
    slots3, slots2 = plan.l3[operand], plan.l2[operand]
    guard3, guard2 = (
        guard_of(slots, of_step, engines) if plan.is_buffered else 0
        for slots, engines in ((slots3, machine.target.dma.count), (slots2, machine.target.block_mover.count))
    )
    is_fast = plan.m_fastest == is_lhs
    l2 = misses(source, tile, shape, is_fast=is_fast, slots=slots2, guard=guard2)
    together = max(slots2, slots3, slots2 + slots3 - (guard3 + 1) * of_step)
    l3 = misses(source, tile, shape, is_fast=is_fast, slots=together, guard=guard2)
    return min(l2, l3), l2


def _brought_bytes(work: Work, plan: Plan, machine: Machine) -> tuple[int, int]:
    """Bytes of operands that enter L3, and those that enter L2."""
    found = [level_misses(work, plan, machine, is_lhs=is_lhs) for is_lhs in (True, False)]
    chunks = work.lhs.moved_bytes(plan.tile), work.rhs.moved_bytes(plan.tile)
    return found[0][0] * chunks[0] + found[1][0] * chunks[1], found[0][1] * chunks[0] + found[1][1] * chunks[1]


def l1_misses(work: Work, plan: Plan, *, is_lhs: bool) -> int:
    """How often the L1 of any tile takes in a block of an operand and a step."""
    rows, columns, fabric = -(-work.m // plan.tile.m), -(-work.n // plan.tile.n), len(plan.fabric)
    own, other = (rows, columns) if is_lhs else (columns, rows)
    steps, is_fast, slots = -(-work.k // plan.tile.k), plan.m_fastest == is_lhs, plan.l1[not is_lhs]
    guard = slots // 2 if plan.is_buffered else 0
    own1 = -(-own // fabric) if is_fast else own
    turns = other if is_fast else -(-other // fabric)
    per_tile = cyclic(own1 * steps, slots, turns, guard) if is_fast else own1 * cyclic(steps, slots, turns, guard)
    return work.products * per_tile * (min(fabric, own) if is_fast else min(fabric, other))
