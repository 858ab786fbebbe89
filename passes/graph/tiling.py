"""How a launch is cut into tiles for a target: a search over plans of the movement rule, ranked by its closed model.

A tile is `m` rows and `n` columns of the output and `k` of the reduction. The choice changes time, never values.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import product

from tfmbs.dialect.attributes import Schedule
from tfmbs.passes.graph.candidates import PARTS, candidates, sizes
from tfmbs.passes.graph.loops import said, with_loops
from tfmbs.passes.graph.problem import Choice, Lanes, Problem, epilogue_cycles
from tfmbs.passes.graph.ranking import LEAN_GAIN, almost, fast, lean
from tfmbs.runtime.abi.array_timing import ArrayShape, Sizes, product_cycles
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.movement.attention_plan import (
    AttentionPlan,
    AttentionWork,
    planned_attention,
    predict_attention,
)
from tfmbs.runtime.abi.movement.machine import Machine
from tfmbs.runtime.abi.movement.operands import Tile
from tfmbs.runtime.abi.movement.plan import Plan, Work
from tfmbs.runtime.abi.movement.predicted import Prediction
from tfmbs.runtime.abi.movement.prediction import predict
from tfmbs.runtime.abi.movement.recurrence_plan import RecurrencePlan, RecurrenceWork
from tfmbs.runtime.abi.movement.recurrence_prediction import predict_recurrence
from tfmbs.runtime.abi.movement.recurrence_search import planned_recurrence
from tfmbs.runtime.abi.movement.row_plan import RowPlan, planned_rows, predict_rows
from tfmbs.runtime.abi.movement.tiles import planned
from tfmbs.runtime.abi.records import Dataflow
from tfmbs.runtime.abi.target import OPERAND_BUFFERS, Target


def cycles(problem: Problem, dataflow: Dataflow, rows: int, columns: int) -> int:
    """Cycles of one rows × columns systolic array without overlap, by the rule of `runtime.abi.array_timing`."""
    sizes = Sizes(problem.m, problem.n, problem.k)
    return problem.batch * product_cycles(dataflow, sizes, ArrayShape(rows, columns))


def array_dataflows(target: Target) -> tuple[Dataflow, ...]:
    """The dataflows of the target's array, in its order."""
    return tuple(Dataflow[name.upper()] for name in target.array.dataflows)


@lru_cache(maxsize=4096)
def choose(problem: Problem, target: Target, dataflows: tuple[Dataflow, ...]) -> Choice:
    """The plan that the model predicts to be fastest, or a little slower and much leaner in external traffic; among
    those almost as fast, the one with the fewest steps.

    Where no plan fits the memories of the target, one fold of the array, without a prediction.
    """
    machine, work = Machine.of(target), problem.work
    planner: Callable[..., Plan] = planned_rows if problem.is_absmax else planned
    found: dict[Tile, tuple[Plan, Prediction]] = {}
    fastest = 0
    tried = sorted(candidates(problem, work, machine, dataflows))
    for bound, wanted, flow in tried:
        if found and bound > fastest + fastest // LEAN_GAIN:
            break
        try:
            plan = planner(work, wanted, flow, OPERAND_BUFFERS, range(target.tiles), machine, "tiling")
        except TfmbsError:  # not even its smallest part fits
            continue
        if plan.tile not in found:
            prediction = _predicted(work, plan, machine, epilogue_cycles(problem, target))
            found[plan.tile] = plan, prediction
            fastest = min(fastest or prediction.total_ps, prediction.total_ps)
    if not found:
        tile, flow = _fold(problem, target), dataflows[0]
        used = min(target.tiles, problem.batch * -(-problem.m // tile.m) * -(-problem.n // tile.n))
        return Choice(Schedule(flow, tile, OPERAND_BUFFERS, (1 << used) - 1), None)
    plan, prediction = min(fast(lean(list(found.values()))), key=lambda one: _rank(problem, *one))
    if problem.has_loops:
        near = [(tile, flow) for bound, tile, flow in tried if bound <= fastest + fastest // LEAN_GAIN]
        plan, prediction = with_loops(problem, work, machine, near, (plan, prediction))
    mask = (1 << len(plan.fabric)) - 1
    loops = said(plan, work) if problem.has_loops else ()
    return Choice(Schedule(plan.dataflow, plan.tile, OPERAND_BUFFERS, mask, *loops), prediction)


def has_plan(problem: Problem, target: Target) -> bool:
    """Whether the target can be given tiles of a launch. The search that tells it is the one for its schedule."""
    return choose(problem, target, array_dataflows(target)).prediction is not None


def _predicted(work: Work, plan: Plan, machine: Machine, epilogue: Lanes | None) -> Prediction:
    if isinstance(plan, RowPlan):
        return predict_rows(work, plan, machine, epilogue)
    return predict(work, plan, machine, epilogue)


def _rank(problem: Problem, plan: Plan, prediction: Prediction) -> tuple[int, ...]:
    """Steps of the array first: each costs movements."""
    tile = plan.tile
    steps = problem.batch * -(-problem.m // tile.m) * -(-problem.n // tile.n) * -(-problem.k // tile.k)
    return steps, prediction.bounds.external, prediction.total_ps, *tile


def _fold(problem: Problem, target: Target) -> Tile:
    """What an output-stationary array holds at once, with one step of the reduction, no larger than the problem."""
    return Tile(min(target.array.rows, problem.m), min(target.array.columns, problem.n), 1)


@lru_cache(maxsize=4096)
def attention_choice(work: AttentionWork, target: Target, dataflows: tuple[Dataflow, ...]) -> Choice:
    """Rows of a block of queries and columns of a panel of keys that the model predicts to be fastest.

    Among those almost as fast, the one with the fewest steps of the array.
    """
    machine, unit = Machine.of(target), max(target.array.rows, target.array.columns)
    found: dict[tuple[int, int, Dataflow], tuple[AttentionPlan, Prediction]] = {}
    row_sizes = {-(-target.array.rows // 2), *sizes(work.rows, target.array.rows)}
    for rows, panel, flow in product(sorted(row_sizes), sorted(sizes(work.columns, unit)), dataflows):
        try:
            plan = planned_attention(work, (rows, panel), flow, OPERAND_BUFFERS, range(target.tiles), machine, "tiling")
        except TfmbsError:  # not even its smallest part fits
            continue
        key = plan.rows, plan.panel, flow
        if key not in found:
            found[key] = plan, predict_attention(work, plan, machine)
    if not found:
        tile = Tile(1, 1, 1)
        return Choice(Schedule(dataflows[0], tile, OPERAND_BUFFERS, 1), None)
    fastest = min(prediction.total_ps for _, prediction in found.values())
    near = [one for one in found.values() if one[1].total_ps <= almost(fastest)]

    def steps(one: tuple[AttentionPlan, Prediction]) -> tuple[int, ...]:
        plan, prediction = one
        return (
            -(-work.rows // plan.rows) * -(-work.columns // plan.panel),
            prediction.total_ps,
            plan.rows,
            plan.dataflow,
        )

    plan, prediction = min(near, key=steps)
    mask = (1 << len(plan.fabric)) - 1
    return Choice(Schedule(plan.dataflow, Tile(plan.rows, plan.panel, work.width), OPERAND_BUFFERS, mask), prediction)


@lru_cache(maxsize=4096)
def recurrence_choice(work: RecurrenceWork, target: Target, dataflows: tuple[Dataflow, ...]) -> Choice:
    """Sequences of a job and dataflow that the model predicts to be fastest, with the rule's plan for them."""
    machine, tiles = Machine.of(target), tuple(range(target.tiles))
    row_sizes = {-(-work.batch // parts) for parts in PARTS if parts <= work.batch}
    best: tuple[RecurrencePlan, Prediction] | None = None
    for rows, flow in product(sorted(row_sizes, reverse=True), dataflows):
        wanted = Tile(rows, work.hidden, work.hidden)
        try:
            plan = planned_recurrence(work, wanted, flow, OPERAND_BUFFERS, tiles, machine, "tiling")
        except TfmbsError:  # not even its smallest part fits
            continue
        prediction = predict_recurrence(work, plan, machine)
        if best is None or prediction.total_ps < best[1].total_ps:
            best = plan, prediction
    if best is None:
        return Choice(Schedule(dataflows[0], Tile(1, 1, 1), OPERAND_BUFFERS, 1), None)
    plan, prediction = best
    tile = Tile(plan.rows, plan.block, plan.depth)
    return Choice(Schedule(plan.dataflow, tile, OPERAND_BUFFERS, (1 << len(plan.fabric)) - 1), prediction)


def pool_schedule(problem: Problem, target: Target) -> Schedule:
    """Pooling does not run in the array: as many windows at once as the array has rows, all their taps."""
    tile = _fold(problem, target)._replace(k=problem.k)
    used = min(target.tiles, problem.batch * -(-problem.m // tile.m) * -(-problem.n // tile.n))
    return Schedule(Dataflow.OUTPUT_STATIONARY, tile, OPERAND_BUFFERS, (1 << used) - 1)
