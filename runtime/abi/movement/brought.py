"""What a plan brings to each memory: chunks of operands, and sums that park between blocks of k."""

from __future__ import annotations

import numpy as np

from tfmbs.runtime.abi.movement.machine import Machine
from tfmbs.runtime.abi.movement.misses import Shape, in_blocks, misses, parts
from tfmbs.runtime.abi.movement.nests import is_parked_in_l3
from tfmbs.runtime.abi.movement.plan import Plan, Work, guard_of
from tfmbs.runtime.abi.target import ACCUMULATOR_BYTES


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


def brought_bytes(work: Work, plan: Plan, machine: Machine) -> tuple[int, int]:
    """Bytes of operands that enter L3, and those that enter L2."""
    found = [level_misses(work, plan, machine, is_lhs=is_lhs) for is_lhs in (True, False)]
    chunks = work.lhs.moved_bytes(plan.tile), work.rhs.moved_bytes(plan.tile)
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
    heights, widths = (np.array(_lengths(*axis), np.int64) for axis in ((m, plan.tile.m), (n, plan.tile.n)))
    sizes = np.outer(widths, heights) if plan.loops.m_fastest else np.outer(heights, widths)
    in_l3 = (is_parked_in_l3(number, plan.l2.parked, plan.l3.parked) for number in range(sizes.size))
    return int(sizes.ravel()[np.fromiter(in_l3, bool, sizes.size)].sum())


def _lengths(size: int, by: int) -> list[int]:
    """Of the parts of an axis."""
    return [length for length, count in parts(size, by) for _ in range(count)]
