"""Which loops around its tiles a product could have: blocks of the output whose sums park between blocks of k.

By arithmetic, with blocks of `bm` rows and `bn` columns the operands of a product come k·(m·⌈n / bn⌉ + n·⌈m / bm⌉)
elements at a time, whatever k is, if the sums of a block and what it needs of an operand for a few k are on chip.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice, product
from typing import NamedTuple

from tfmbs.runtime.abi.movement.nests import Nest
from tfmbs.runtime.abi.movement.operands import Matrix, Tile
from tfmbs.runtime.abi.movement.plan import Work
from tfmbs.runtime.abi.records import Dataflow, LoopOrder
from tfmbs.runtime.abi.target import ACCUMULATOR_BYTES, OPERAND_BUFFERS, Target

PARTS = range(1, 17)
"""Into how many blocks rows and columns may be cut."""
DEPTHS = (64, 128, 192, 256, 384)
"""About how many k a block has: the fewer, the more of its epilogues the vector engine has to do at once."""
SHAPES, TILES = 2, 8
"""How many blocks the search tries for a depth, those with the least traffic, and for each how many tiles."""
SHARE = 0.85
"""Of L2 and L3 together: the sums of a block, and the panel of k of an operand, are at most this part of them."""
LEAST_TILES, LEAST_STEPS, LEAST_SUMS = 6, 2, 3
"""Of a block, tiles for each one of the fabric: then sums leave L1, and others come, while more are worked on."""
WASTE = 1.13
"""Tiles of a block have at most so many times its rows and columns."""


class Block(NamedTuple):
    """Rows, columns and depth of a block."""

    m: int
    n: int
    k: int


def could_park(work: Work) -> bool:
    """Whether the rule has blocks for a product: of two matrices, with a scale for all of k."""
    return type(work.lhs) is Matrix and type(work.rhs) is Matrix


def blocks(work: Work, target: Target, most: int) -> Iterator[Block]:
    """For each depth, the blocks with the least external bytes of operands, at most `most`."""
    room, whole = SHARE * (target.l2.size + target.l3.size), Tile(work.m, work.n, work.k)
    rows, columns = work.lhs.chunk_bytes(whole), work.rhs.chunk_bytes(whole)
    shapes = []
    for down, across in product(PARTS, PARTS):
        brought = work.products * (rows * across + columns * down)
        if brought <= most:
            m, n = -(-work.m // down), -(-work.n // across)
            panel = min(rows // down, columns // across)  # of all of k
            shapes.append((brought, m, n, m * n * ACCUMULATOR_BYTES, panel))
    shapes.sort()
    for depth in DEPTHS:
        fitting = (Block(m, n, depth) for _, m, n, sums, panel in shapes if sums + panel * depth // work.k <= room)
        if LEAST_STEPS * depth <= work.k:
            yield from islice(fitting, SHAPES)


def parking(work: Work, target: Target, tiles: Iterable[tuple[Tile, Dataflow]]) -> list[tuple[Tile, Dataflow]]:
    """The tiles with which L1 has room for sums on their way."""
    return [
        (tile, flow)
        for tile, flow in tiles
        if LEAST_SUMS * ACCUMULATOR_BYTES * tile.m * tile.n
        + OPERAND_BUFFERS * (work.lhs.bytes_in_l1(tile) + work.rhs.bytes_in_l1(tile))
        + work.window_bytes(tile)
        + (work.out_bytes * tile.m * tile.n if work.has_epilogue else 0)
        <= target.l1.size
    ]


def nests(
    block: Block, target: Target, tiles: Iterable[tuple[Tile, Dataflow]]
) -> Iterator[tuple[Tile, Dataflow, Nest]]:
    """Tiles that fill a block well, the first ones, each with a nest."""
    fitting = (
        (tile, flow, Nest(LoopOrder.ANY, _covered(block.m, tile.m), _covered(block.n, tile.n), block.k))
        for tile, flow in tiles
        if block.k % tile.k == 0
        and block.k // tile.k >= LEAST_STEPS
        and _covered(block.m, tile.m) * _covered(block.n, tile.n) <= WASTE * block.m * block.n
        and -(-block.m // tile.m) * -(-block.n // tile.n) >= LEAST_TILES * target.tiles
    )
    return islice(fitting, TILES)


def _covered(size: int, by: int) -> int:
    return -(-size // by) * by
