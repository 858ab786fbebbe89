"""How the memories of a machine are shared between operands, sums, results and windows of a launch of products."""

from __future__ import annotations

from tfmbs.runtime.abi.movement.machine import Machine
from tfmbs.runtime.abi.movement.memory import aligned
from tfmbs.runtime.abi.movement.nests import Loops
from tfmbs.runtime.abi.movement.operands import Tile
from tfmbs.runtime.abi.movement.plan import Buffers, Levels, Work
from tfmbs.runtime.abi.target import ACCUMULATOR_BYTES

RESULT_SHARE = 4  # of L2 and L3: at most one part in so many is for results on their way out, or for epilogues
LEAVING, LEAVING_BYTES = 10, 32768  # results that leave at once, two an engine and two more, or so many bytes,
LEAVING_SHARE = 8  # in at most one part in so many
SMALL, SMALL_SHARE = 4, 16  # sums, results and windows of tiles of which so many take at most one part in so many of L1
STREAMED = 8  # chunks of an operand that leaves the memory to the other one: as many as may be under way at once, twice
STREAM_SHARE = 8  # of what is left for operands: at most one part in so many is for these
PASSING = 2  # slots of L2, for each tile of the fabric, for sums on their way from L3, and as many for those on it
PARKED_SHARES = ((1, 2), (3, 4))  # of L3, at most, for parked sums; L2 has the others


def l1_buffers(work: Work, tile: Tile, buffers: int, size: int, *, parks: bool = False) -> Buffers | None:
    """Slots of L1: `buffers` of operands and one of all else, a second for sums, results and windows (of small tiles a
    few more, since the array is soon done with them), a third for sums that park, then more of operands, the smaller
    one first, until the whole reduction of a tile is there."""
    lhs, rhs, sums, windows, results = _l1_bytes(work, tile)
    left = size - least_l1(work, tile, buffers)
    if left < 0:
        return None
    counts = []
    for one in (sums, results, windows):
        more = 0
        if buffers > 1 and 0 < one <= left:
            more = max(1, min(SMALL - 1, left // SMALL_SHARE // one))
        counts.append(1 + more)
        left -= more * one
    if parks and counts[0] == 2 and sums <= left:
        counts[0] += 1
        left -= sums
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


def least_l1(work: Work, tile: Tile, buffers: int) -> int:
    """Bytes that a tile needs: `buffers` of operands and one of all else."""
    lhs, rhs, *others = _l1_bytes(work, tile)
    return buffers * (lhs + rhs) + sum(others)


def _l1_bytes(work: Work, tile: Tile) -> tuple[int, int, int, int, int]:
    """Of slots for both operands, sums, windows and results."""
    results = aligned(tile.m * tile.n * work.out_bytes) if work.has_epilogue else 0
    lhs, rhs = aligned(work.lhs.bytes_in_l1(tile)), aligned(work.rhs.bytes_in_l1(tile))
    return lhs, rhs, sums_bytes(tile), work.window_bytes(tile), results


def shares(
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
            _levels(work, tile, buffers, fabric, size, first, parked, target.dma.count)
            for size, parked in ((target.l2.size, parked2), (target.l3.size, parked3))
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
    work: Work,
    tile: Tile,
    buffers: int,
    fabric: int,
    size: int,
    first: int | None,
    parked: tuple[int, int],
    engines: int,
) -> Levels | None:
    """Slots of L2 or L3: `parked` and passing sums, then results and windows, which take at most their share of the
    rest. An operand takes what it is or half of what they leave, or, where it is `first`, all that the other one
    leaves, which has as many chunks as are under way at once."""
    left = size - (parked[0] + 2 * parked[1]) * sums_bytes(tile)
    results, windows, left = outward(work, tile, fabric, left, engines)
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


def parkings(tile: Tile, fabric: int, machine: Machine, loops: Loops) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Slots of L2 and of L3 for parked sums, and for those that pass: L3 has what fits its share, L2 the others."""
    if not loops.parks:
        return [((0, 0), (0, 0))]
    found = []
    for part, whole in PARKED_SHARES:
        l3 = min(loops.block_tiles, machine.target.l3.size * part // whole // sums_bytes(tile))
        found.append(((loops.block_tiles - l3, PASSING * fabric if l3 else 0), (l3, 0)))
    return found if found[0] != found[1] else found[:1]


def sums_bytes(tile: Tile) -> int:
    """Of a slot for the sums of a tile."""
    return aligned(tile.m * tile.n * ACCUMULATOR_BYTES)
