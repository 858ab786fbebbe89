"""How often chunks of an operand are brought to a memory, by a closed model of `residency`.

Blocks of a fast operand follow each other, one of a slow operand stays until all of the fast one have been there.
Misses of a memory with too few slots are those of the best replacement on a cyclic sequence.
"""

from __future__ import annotations

from typing import NamedTuple

from tfmbs.runtime.abi.movement.operands import Matrix, Tile, Windows


class Shape(NamedTuple):
    """`products` with `own` blocks of the operand and `other` ones of the other, `steps` of the reduction, on `fabric`
    tiles."""

    products: int
    own: int
    other: int
    steps: int
    fabric: int


def misses(source: Matrix | Windows, tile: Tile, shape: Shape, *, is_fast: bool, slots: int, guard: int) -> int:
    """Of a launch, in a memory that all tiles share, with so many slots for the operand."""
    is_shared = isinstance(source, Matrix) and not source.product_stride
    kept = source.products if isinstance(source, Matrix) and source.product_stride else shape.products
    chunks = source.all_chunks(tile) // (1 if is_shared else kept)
    of_tile = source.chunks_of_step(tile)
    panel = shape.steps * of_tile
    if isinstance(source, Windows):  # neighbouring rows of windows share blocks
        return shape.products * _windows(shape, panel, chunks, of_tile, slots, is_fast=is_fast)
    turns = -(-shape.other // (1 if is_fast else shape.fabric))
    copies = shape.products if is_shared else 1  # of a product's sequence, one after the other
    if is_fast:
        one = cyclic(chunks, slots, turns * copies, guard)
    else:
        one = max(1, chunks // panel) * cyclic(panel, slots, turns, guard)
    return (1 if is_shared else shape.products) * one


def _windows(shape: Shape, panel: int, chunks: int, of_tile: int, slots: int, *, is_fast: bool) -> int:
    if slots >= chunks or (not is_fast and slots >= panel + of_tile):
        return chunks
    if is_fast:
        return cyclic(chunks, slots, shape.other, 1)
    return max(chunks, shape.own * cyclic(panel, slots, shape.other, 1))


def cyclic(chunks: int, slots: int, turns: int, guard: int) -> int:
    """Misses where `chunks` are used one after the other, `turns` times, by the best replacement."""
    if chunks <= slots:
        return chunks
    return chunks + (turns - 1) * min(chunks, chunks - slots + 1 + guard)
