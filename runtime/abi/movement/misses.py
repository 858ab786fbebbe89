"""How often chunks of an operand are brought to a memory, by a closed model of `residency`.

Blocks of a fast operand follow each other, one of a slow operand stays until all of the fast one have been there.
Misses of a memory with too few slots are those of the best replacement on a cyclic sequence.
"""

from __future__ import annotations

from typing import NamedTuple

from tfmbs.runtime.abi.movement.operands import Matrix, Tile, Windows


class Shape(NamedTuple):
    """`products` with `own` blocks of the operand and `other` ones of the other, `steps` of the reduction, on `fabric`
    tiles; the operand's blocks follow each other (`is_fast`) or stay; `block_own` and so on are those of an outer block
    of the output."""

    products: int
    own: int
    other: int
    steps: int
    fabric: int
    is_fast: bool
    block_own: int
    block_other: int
    block_steps: int

    @property
    def is_blocked(self) -> bool:
        """Whether there is more than one outer block."""
        return (self.block_own, self.block_other, self.block_steps) != (self.own, self.other, self.steps)


def misses(source: Matrix | Windows, tile: Tile, shape: Shape, *, slots: int, guard: int) -> int:
    """Of a launch, in a memory that all tiles share, with so many slots for the operand."""
    is_shared = isinstance(source, Matrix) and not source.product_stride
    kept = source.products if isinstance(source, Matrix) and source.product_stride else shape.products
    chunks = source.all_chunks(tile) // (1 if is_shared else kept)
    of_tile = source.chunks_of_step(tile)
    panel = shape.steps * of_tile
    if isinstance(source, Windows):  # neighbouring rows of windows share blocks
        return shape.products * _windows(shape, panel, chunks, of_tile, slots)
    if shape.is_blocked:
        return shape.products * in_blocks(shape, slots, guard, own_by=1, other_by=1 if shape.is_fast else shape.fabric)
    turns = -(-shape.other // (1 if shape.is_fast else shape.fabric))
    copies = shape.products if is_shared else 1  # of a product's sequence, one after the other
    if shape.is_fast:
        one = cyclic(chunks, slots, turns * copies, guard)
    else:
        one = max(1, chunks // panel) * cyclic(panel, slots, turns, guard)
    return (1 if is_shared else shape.products) * one


def in_blocks(shape: Shape, slots: int, guard: int, *, own_by: int, other_by: int) -> int:
    """Misses of a matrix in one product, outer block by outer block: of the operand's blocks one in `own_by` is asked
    for, of the turns of the others one in `other_by`."""
    total = 0
    for own, owns in parts(shape.own, shape.block_own):
        for other, others in parts(shape.other, shape.block_other):
            for steps, count in parts(shape.steps, shape.block_steps):
                mine, turns = -(-own // own_by), -(-other // other_by)
                panel = mine * steps if shape.is_fast else steps
                one = cyclic(panel, slots, turns, guard)
                total += owns * others * count * (one if shape.is_fast else mine * one)
    return total


def parts(size: int, by: int) -> list[tuple[int, int]]:
    """Sizes of the parts of an axis, and how many there are of each."""
    full, rest = divmod(size, by)
    return [part for part in ((by, full), (rest, 1)) if part[0] and part[1]]


def _windows(shape: Shape, panel: int, chunks: int, of_tile: int, slots: int) -> int:
    if slots >= chunks or (not shape.is_fast and slots >= panel + of_tile):
        return chunks
    if shape.is_fast:
        return cyclic(chunks, slots, shape.other, 1)
    return max(chunks, shape.own * cyclic(panel, slots, shape.other, 1))


def cyclic(chunks: int, slots: int, turns: int, guard: int) -> int:
    """Misses where `chunks` are used one after the other, `turns` times, by the best replacement."""
    if chunks <= slots:
        return chunks
    return chunks + (turns - 1) * min(chunks, chunks - slots + 1 + guard)
