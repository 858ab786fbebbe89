"""Which tiles a launch is cut into on a machine, and in which order they are done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.movement.group_operands import Groups
from tfmbs.runtime.abi.movement.machine import Machine
from tfmbs.runtime.abi.movement.memory import aligned
from tfmbs.runtime.abi.movement.misses import Shape, in_blocks, misses, parts
from tfmbs.runtime.abi.movement.nests import FREE, Loops, Nest, is_parked_in_l3
from tfmbs.runtime.abi.movement.operands import Matrix, Span, Tile, Windows, span
from tfmbs.runtime.abi.records import Dataflow, LoopOrder
from tfmbs.runtime.abi.target import ACCUMULATOR_BYTES

RESULT_SHARE = 4  # of L2 and L3: at most one part in so many is for results on their way out, or for epilogues
LEAVING, LEAVING_SHARE = 6, 8  # results that leave at once, one an engine and two more, in at most one part in so many
STREAMED = 8  # chunks of an operand that leaves the memory to the other one: as many as may be under way at once, twice
STREAM_SHARE = 8  # of what is left for operands: at most one part in so many is for these
PASSING = 2  # slots of L2, for each tile of the fabric, for sums on their way from L3, and as many for those on it
PARKED_SHARES = ((1, 2), (3, 4))  # of L3, at most, for parked sums; L2 has the others


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


def planned(
    work: Work,
    wanted: Tile,
    dataflow: Dataflow,
    buffers: int,
    fabric: Sequence[int],
    machine: Machine,
    where: str,
    nest: Nest = FREE,
) -> Plan:
    """The plan for the tile and the loops that a schedule asks for: until everything fits, blocks are halved, then
    sizes of the tile, the largest first.

    Raises TfmbsError `unsupported`, located at `where`, where not even the smallest tile fits.
    """
    tile = first_tile(work, wanted)
    while True:
        used = tuple(fabric[: work.products * -(-work.m // tile.m) * -(-work.n // tile.n)])
        plans = [
            Plan(tile, used, l1, l2, l3, dataflow, buffers > 1, loops._replace(m_fastest=m_fastest))
            for loops, l1, l2, l3 in _fitting(work, tile, buffers, len(used), machine, _loops(work, tile, nest))
            for m_fastest in ((True, False) if nest.order is LoopOrder.ANY else (nest.order is LoopOrder.ROWS,))
        ]
        if plans:
            return min(plans, key=lambda plan: _brought_bytes(work, plan, machine))
        smaller = halved(tile, work)
        if smaller == tile:
            raise TfmbsError("unsupported", where, "its smallest tile does not fit the memories of the target")
        tile = smaller


def _loops(work: Work, tile: Tile, nest: Nest) -> Loops:
    """Loops with blocks of whole tiles and steps, as large as asked for at most, at least one."""
    rows, columns, steps = (-(-size // by) for size, by in zip((work.m, work.n, work.k), tile, strict=True))
    m, n, k = (max(1, size // by) for size, by in zip(nest[1:], tile, strict=True))
    return Loops(
        rows,
        columns,
        steps,
        min(rows, m) if nest.m else rows,
        min(columns, n) if nest.n else columns,
        min(steps, k) if nest.k else steps,
        nest.order is not LoopOrder.COLUMNS,
    )


def _fitting(
    work: Work, tile: Tile, buffers: int, fabric: int, machine: Machine, loops: Loops
) -> Iterator[tuple[Loops, Buffers, Levels, Levels]]:
    """The largest block of these loops at most whose sums have places to park, and slots of each memory."""
    l1 = l1_buffers(work, tile, buffers, machine.target.l1.size, parks=loops.parks)
    found = False
    while l1 and not found:
        for parked in _parkings(tile, fabric, machine, loops):
            for l2, l3 in _shares(work, tile, buffers, fabric, machine, *parked):
                found = True
                yield loops, l1, l2, l3
        smaller = loops.halved()
        found |= not loops.parks or smaller == loops
        loops = smaller


def _parkings(tile: Tile, fabric: int, machine: Machine, loops: Loops) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Slots of L2 and of L3 for parked sums, and for those that pass: L3 has what fits its share, L2 the others."""
    if not loops.parks:
        return [((0, 0), (0, 0))]
    found = []
    for part, whole in PARKED_SHARES:
        l3 = min(loops.block_tiles, machine.target.l3.size * part // whole // _sums_bytes(tile))
        found.append(((loops.block_tiles - l3, PASSING * fabric if l3 else 0), (l3, 0)))
    return found if found[0] != found[1] else found[:1]


def _sums_bytes(tile: Tile) -> int:
    return aligned(tile.m * tile.n * ACCUMULATOR_BYTES)


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


def l1_buffers(work: Work, tile: Tile, buffers: int, size: int, *, parks: bool = False) -> Buffers | None:
    """Slots of L1: `buffers` of operands and one of all else, a second for sums, results and windows, a third for sums
    that park, then more of operands, the smaller one first, until the whole reduction of a tile is there."""
    lhs, rhs = aligned(work.lhs.bytes_in_l1(tile)), aligned(work.rhs.bytes_in_l1(tile))
    sums = _sums_bytes(tile)
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
    if parks and counts[0] > 1 and sums <= left:
        counts[0] += 1
        left -= sums
    operands = [buffers, buffers]
    if buffers > 1:
        wanted = -(-work.k // tile.k) + buffers
        for one, number in sorted(((lhs, 0), (rhs, 1))):
            more = max(0, min(wanted - buffers, left // one))
            operands[number] += more
            left -= more * one
    return Buffers(operands[0], operands[1], counts[0], counts[2], counts[1])


def _shares(
    work: Work,
    tile: Tile,
    buffers: int,
    fabric: int,
    machine: Machine,
    parked2: tuple[int, int],
    parked3: tuple[int, int],
) -> list[tuple[Levels, Levels]]:
    """Slots of L2 and L3: by halves, and with either operand first. None where the least does not fit."""
    target, found = machine.target, list[tuple[Levels, Levels]]()
    for first in (None, 0, 1):
        l2, l3 = (
            _levels(work, tile, buffers, fabric, size, first, parked)
            for size, parked in ((target.l2.size, parked2), (target.l3.size, parked3))
        )
        if l2 and l3 and (l2, l3) not in found:
            found.append((l2, l3))
    return found


def outward(work: Work, tile: Tile, fabric: int, size: int) -> tuple[int, int, int]:
    """Slots of L2 or L3 for results and for windows of the epilogue, and what bytes these leave to operands."""
    result = aligned(tile.m * tile.n * (work.out_bytes if work.has_epilogue else ACCUMULATOR_BYTES))
    window = work.window_bytes(tile)
    results = max(1, min(2 * fabric, size // RESULT_SHARE // result), min(LEAVING, size // LEAVING_SHARE // result))
    windows = max(1, min(2 * fabric, size // RESULT_SHARE // window)) if window else 0
    return results, windows, size - results * result - windows * window


def _levels(
    work: Work, tile: Tile, buffers: int, fabric: int, size: int, first: int | None, parked: tuple[int, int]
) -> Levels | None:
    """Slots of L2 or L3: `parked` and passing sums, then results and windows, which take at most their share of the
    rest. An operand takes what it is or half of what they leave, or, where it is `first`, all that the other one
    leaves, which has as many chunks as are under way at once."""
    results, windows, left = outward(work, tile, fabric, size - (parked[0] + 2 * parked[1]) * _sums_bytes(tile))
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
        return Levels(lhs, min(every[1], (left - lhs * chunks[0]) // chunks[1]), windows, results, *parked)
    other = 1 - first
    slots = [0, 0]
    slots[first] = max(least[first], min(every[first], (left - streamed[other] * chunks[other]) // chunks[first]))
    slots[other] = min(every[other], (left - slots[first] * chunks[first]) // chunks[other])
    return Levels(slots[0], slots[1], windows, results, *parked)


def level_misses(work: Work, plan: Plan, machine: Machine, *, is_lhs: bool) -> tuple[int, int]:
    """Chunks of an operand that enter L3 and L2. What L2 holds, L3 need not: together they hold as much as both."""
    source, tile, operand = (work.lhs if is_lhs else work.rhs), plan.tile, int(not is_lhs)
    shape = _shape(work, plan, is_lhs=is_lhs)
    of_step = source.chunks_of_step(tile) * shape.fabric
    slots3, slots2 = plan.l3[operand], plan.l2[operand]
    guard3, guard2 = (
        guard_of(slots, of_step, engines) if plan.is_buffered else 0
        for slots, engines in ((slots3, machine.target.dma.count), (slots2, machine.target.block_mover.count))
    )
    l2 = misses(source, tile, shape, slots=slots2, guard=guard2)
    together = max(slots2, slots3, slots2 + slots3 - (guard3 + 1) * of_step)
    l3 = misses(source, tile, shape, slots=together, guard=guard2)
    return min(l2, l3), l2


def _shape(work: Work, plan: Plan, *, is_lhs: bool) -> Shape:
    loops = plan.loops
    own, other = (loops.rows, loops.columns) if is_lhs else (loops.columns, loops.rows)
    block = (loops.block_rows, loops.block_columns) if is_lhs else (loops.block_columns, loops.block_rows)
    is_fast = loops.m_fastest == is_lhs
    return Shape(work.products, own, other, loops.steps, len(plan.fabric), is_fast, *block, loops.block_steps)


def _brought_bytes(work: Work, plan: Plan, machine: Machine) -> tuple[int, int]:
    """Bytes of operands that enter L3, and those that enter L2."""
    found = [level_misses(work, plan, machine, is_lhs=is_lhs) for is_lhs in (True, False)]
    chunks = work.lhs.chunk_bytes(plan.tile), work.rhs.chunk_bytes(plan.tile)
    return found[0][0] * chunks[0] + found[1][0] * chunks[1], found[0][1] * chunks[0] + found[1][1] * chunks[1]


def l1_misses(work: Work, plan: Plan, *, is_lhs: bool) -> int:
    """How often the L1 of any tile takes in a block of an operand and a step."""
    shape, slots = _shape(work, plan, is_lhs=is_lhs), plan.l1[not is_lhs]
    fabric, guard = shape.fabric, slots // 2 if plan.is_buffered else 0
    own_by, other_by = (fabric, 1) if shape.is_fast else (1, fabric)
    per_tile = in_blocks(shape, slots, guard, own_by=own_by, other_by=other_by)
    return work.products * per_tile * min(fabric, shape.block_own if shape.is_fast else shape.block_other)


def parked_bytes(work: Work, plan: Plan) -> tuple[int, int]:
    """Bytes of sums that go from L2 to L3, and from L1 to L2, between blocks of k; each of them comes back."""
    loops, tile = plan.loops, plan.tile
    if not loops.parks:
        return 0, 0
    times = work.products * (-(-loops.steps // loops.block_steps) - 1) * ACCUMULATOR_BYTES
    block = loops.block_rows * tile.m, loops.block_columns * tile.n
    in_l3 = sum(
        rows * columns * _elements_in_l3(plan, m, n)
        for m, rows in parts(work.m, block[0])
        for n, columns in parts(work.n, block[1])
    )
    return times * in_l3, times * work.m * work.n


def _elements_in_l3(plan: Plan, m: int, n: int) -> int:
    """Elements of a block of m rows and n columns whose sums park in L3."""
    tile, found = plan.tile, 0
    rows, columns = -(-m // tile.m), -(-n // tile.n)
    for number in range(rows * columns):
        if is_parked_in_l3(number, plan.l2.parked, plan.l3.parked):
            slow, fast = divmod(number, rows if plan.loops.m_fastest else columns)
            row, column = (fast, slow) if plan.loops.m_fastest else (slow, fast)
            found += span(row, tile.m, m).size * span(column, tile.n, n).size
    return found
