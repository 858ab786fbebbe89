"""The loops around the tiles of a product: which tiles follow each other, and blocks whose sums park on chip."""

from __future__ import annotations

from tfmbs.passes.graph.nests import blocks, could_park, nests, parking
from tfmbs.passes.graph.problem import Problem, epilogue_cycles
from tfmbs.passes.graph.ranking import LEAN_GAIN, LEAN_SHARE, NEAR, Found, almost, fast
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.movement.machine import Machine
from tfmbs.runtime.abi.movement.nests import Nest
from tfmbs.runtime.abi.movement.operands import Tile
from tfmbs.runtime.abi.movement.plan import Plan, Work
from tfmbs.runtime.abi.movement.predicted import Prediction
from tfmbs.runtime.abi.movement.prediction import predict
from tfmbs.runtime.abi.movement.tiles import planned
from tfmbs.runtime.abi.records import Dataflow, LoopOrder
from tfmbs.runtime.abi.target import OPERAND_BUFFERS

LATENT = 2
"""Epilogues of a block come at once, and take up to so many times their operations: some have several words."""

Loops = tuple[LoopOrder, tuple[int, int, int]]
"""As schedules say them: which tiles follow each other, and rows, columns and depth of a block, 0 for all."""


def said(plan: Plan, work: Work) -> Loops:
    """The loops of a plan."""
    loops, tile = plan.loops, plan.tile
    if plan.grows(work):
        return LoopOrder.ANY, (0, 0, 0)
    order = LoopOrder.ROWS if loops.m_fastest else LoopOrder.COLUMNS
    if not loops.is_blocked:
        return order, (0, 0, 0)
    return order, (loops.block_rows * tile.m, loops.block_columns * tile.n, loops.block_steps * tile.k)


def with_loops(
    problem: Problem, work: Work, machine: Machine, tiles: list[tuple[Tile, Dataflow]], best: Found
) -> Found:
    """The best plan with its best order of tiles, or one of these tiles with blocks that beats it."""
    return _with_blocks(problem, work, machine, tiles, _in_order(problem, work, machine, best))


def _in_order(problem: Problem, work: Work, machine: Machine, best: Found) -> Found:
    """Of the orders of the best plan's tiles, those about as fast as the fastest, the leanest of them."""
    after, chosen, target = epilogue_cycles(problem, machine.target), best[0], machine.target
    found = [best]
    for order in (LoopOrder.ROWS, LoopOrder.COLUMNS):
        fabric, nest = range(target.tiles), Nest(order)
        plan = planned(work, chosen.tile, chosen.dataflow, OPERAND_BUFFERS, fabric, machine, "tiling", nest)
        found.append((plan, predict(work, plan, machine, after)))
    return min(fast(found), key=lambda one: (one[1].bounds.external, one[1].total_ps))


def _with_blocks(
    problem: Problem,
    work: Work,
    machine: Machine,
    tiles: list[tuple[Tile, Dataflow]],
    best: Found,
) -> Found:
    """The best plan, or one with blocks that beats it: the fastest of about the leanest of them.

    All epilogues come with the last block of k: what these take must not be underestimated.
    """
    target, found = machine.target, list[Found]()
    if not could_park(work):
        return best
    after = epilogue_cycles(problem, target, LATENT)
    for block in blocks(work, target, best[1].traffic.l3):
        for wanted, flow, nest in nests(block, target, parking(work, target, tiles)):
            try:
                plan = planned(work, wanted, flow, OPERAND_BUFFERS, range(target.tiles), machine, "tiling", nest)
            except TfmbsError:  # not even its smallest part fits
                continue
            prediction = predict(work, plan, machine, after)
            if _beats(prediction, best[1]):
                found.append((plan, prediction))
    if not found:
        return best
    least = min(prediction.bounds.external for _, prediction in found)
    lean = [one for one in found if one[1].bounds.external <= NEAR * least]
    return min(lean, key=lambda one: (one[1].total_ps, one[1].bounds.external, *one[0].tile))


def _beats(one: Prediction, best: Prediction) -> bool:
    """Much leaner and almost as fast, or no less lean and faster."""
    if one.bounds.external <= LEAN_SHARE * best.bounds.external:
        return one.total_ps <= best.total_ps + best.total_ps // LEAN_GAIN
    return one.bounds.external <= best.bounds.external and almost(one.total_ps) <= best.total_ps
