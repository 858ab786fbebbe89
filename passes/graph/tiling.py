"""How a launch is cut into tiles for a target: a search over plans of the movement rule, ranked by its closed model.

A tile is `m` rows and `n` columns of the output and `k` of the reduction. The choice changes time, never values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from tfmbs.dialect.attributes import Schedule
from tfmbs.passes.graph.nests import blocks, could_park, nests, parking
from tfmbs.runtime.abi.array_timing import ArrayShape, Sizes, product_cycles
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.movement.attention_plan import (
    AttentionPlan,
    AttentionWork,
    planned_attention,
    predict_attention,
)
from tfmbs.runtime.abi.movement.group_operands import Groups, Magnitudes
from tfmbs.runtime.abi.movement.machine import Machine
from tfmbs.runtime.abi.movement.operands import Matrix, Tile, Windows
from tfmbs.runtime.abi.movement.predicted import Prediction
from tfmbs.runtime.abi.movement.prediction import predict
from tfmbs.runtime.abi.movement.recurrence_plan import RecurrencePlan, RecurrenceWork
from tfmbs.runtime.abi.movement.recurrence_prediction import predict_recurrence
from tfmbs.runtime.abi.movement.recurrence_search import planned_recurrence
from tfmbs.runtime.abi.movement.row_plan import RowPlan, planned_rows, predict_rows
from tfmbs.runtime.abi.movement.tiles import Plan, Work, planned
from tfmbs.runtime.abi.records import Dataflow, LoopOrder
from tfmbs.runtime.abi.target import OPERAND_BUFFERS, Target
from tfmbs.runtime.abi.types import DTYPES, DType, Packing

PARTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
"""Into how many parts of the same size an axis may be cut; the search also tries folds of the array times 2^i."""
DOUBLINGS = 6
LANES = "lanes"
LEAST_GAIN = 200
"""A plan with fewer steps wins unless it is slower by more than one part in so many."""
LEAN_GAIN, LEAN_SHARE = 40, 0.8
"""Plans with at most this share of the external traffic of the fastest one win, the leanest and what comes near to it
first, unless they are slower by more than one part in so many: external bytes cost most energy."""
NEAR = 1.05
BLOCK_GAIN = 100
"""Of plans with blocks, whose epilogues are not spread over the launch: not slower by more than one part in so many."""
LATENT = 2
"""Epilogues take up to so many times their operations: with latencies, and several words for a special function."""


@dataclass(frozen=True)
class Epilogue:
    """What becomes of each result: operations of a lane on it, the bytes it has then, and what windows are read.

    `windows` are bytes per result, per channel and in any case, for each operand.
    """

    operations: int
    out_bytes: int
    windows: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class Problem:
    """`batch` products of m×k and k×n; a convolution is one per image and group, with m output positions.

    `geometry` are the fields of a volume geometry of a convolution, in the order of its table; `shares_right`: all
    products have the same right operand. `group`: elements of k with a scale of their own in the weights, of a product
    in groups, whose left rows become integers by their largest magnitude if `is_absmax`. `has_loops`: it is a launch of
    its own, whose schedule says an order of tiles and blocks.
    """

    batch: int
    m: int
    n: int
    k: int
    lhs: DType
    rhs: DType
    packing: Packing = Packing.DENSE
    shares_right: bool = False
    geometry: tuple[tuple[str, int], ...] = ()
    epilogue: Epilogue | None = None
    group: int = 0
    is_absmax: bool = False
    has_loops: bool = True

    @property
    def work(self) -> Work:
        """The problem as the movement rule has it, with its operands at the start of a memory."""
        m, n, k, g = self.m, self.n, self.k, dict(self.geometry)
        kept = g["groups"] if g else 1 if self.shares_right else self.batch
        right = Matrix(0, 0, self.rhs, self.packing, kept, n, k, n * k if kept > 1 else 0, k, 1, False)
        left: Matrix | Windows = (
            Windows(0, 0, DTYPES[self.lhs].bits // 8, g, right.unit)
            if g
            else Matrix(0, 0, self.lhs, Packing.DENSE, self.batch, m, k, m * k, k, 1, True)
        )
        if self.group:
            is_integer = self.is_absmax or self.lhs is not DType.F32
            right = Groups(0, 0, self.rhs, self.packing, 1, n, k, 0, k, 1, False, self.group, 0, is_integer)
        if self.is_absmax:
            left = Magnitudes(0, 0, self.lhs, Packing.DENSE, 1, m, k, 0, k, 1, True)
        after = self.epilogue
        out_bytes, windows = (after.out_bytes, after.windows) if after else (4, ())
        return Work(self.batch, m, n, k, left, right, after is not None, out_bytes, windows)


class Choice(NamedTuple):
    """A schedule, and what it is predicted to take."""

    schedule: Schedule
    prediction: Prediction | None


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
    candidates = sorted(_candidates(problem, work, machine, dataflows))
    for bound, wanted, flow in candidates:
        if found and bound > fastest + fastest // LEAN_GAIN:
            break
        try:
            plan = planner(work, wanted, flow, OPERAND_BUFFERS, range(target.tiles), machine, "tiling")
        except TfmbsError:  # not even its smallest part fits
            continue
        if plan.tile not in found:
            prediction = _predicted(work, plan, machine, _epilogue_cycles(problem, target))
            found[plan.tile] = plan, prediction
            fastest = min(fastest or prediction.total_ps, prediction.total_ps)
    if not found:
        tile, flow = _fold(problem, target), dataflows[0]
        used = min(target.tiles, problem.batch * -(-problem.m // tile.m) * -(-problem.n // tile.n))
        return Choice(Schedule(flow, tile, OPERAND_BUFFERS, (1 << used) - 1), None)
    plan, prediction = min(_fast(_lean(list(found.values()))), key=lambda one: _rank(problem, *one))
    if problem.has_loops:
        near = [(tile, flow) for bound, tile, flow in candidates if bound <= fastest + fastest // LEAN_GAIN]
        plan, prediction = _with_blocks(problem, work, machine, near, (plan, prediction))
    mask = (1 << len(plan.fabric)) - 1
    loops = _said(plan) if problem.has_loops else ()
    return Choice(Schedule(plan.dataflow, plan.tile, OPERAND_BUFFERS, mask, *loops), prediction)


def _said(plan: Plan) -> tuple[LoopOrder, tuple[int, int, int]]:
    """The loops of a plan, as schedules say it."""
    loops, tile = plan.loops, plan.tile
    order = LoopOrder.ROWS if loops.m_fastest else LoopOrder.COLUMNS
    if not loops.is_blocked:
        return order, (0, 0, 0)
    return order, (loops.block_rows * tile.m, loops.block_columns * tile.n, loops.block_steps * tile.k)


def _with_blocks(
    problem: Problem,
    work: Work,
    machine: Machine,
    tiles: list[tuple[Tile, Dataflow]],
    best: tuple[Plan, Prediction],
) -> tuple[Plan, Prediction]:
    """The best plan, or one with blocks that beats it: the fastest of about the leanest of them.

    All epilogues come with the last block of k: what these take must not be underestimated.
    """
    target, found = machine.target, list[tuple[Plan, Prediction]]()
    if not could_park(work):
        return best
    after = _Lanes(LATENT * problem.epilogue.operations, target.vector.lanes) if problem.epilogue else None
    for block in blocks(work, target, best[1].traffic.l3):
        for wanted, flow, nest in nests(block, parking(work, target, tiles)):
            plan = planned(work, wanted, flow, OPERAND_BUFFERS, range(target.tiles), machine, "tiling", nest)
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
        return one.total_ps <= best.total_ps + best.total_ps // BLOCK_GAIN
    return one.bounds.external <= best.bounds.external and _almost(one.total_ps) <= best.total_ps


def _predicted(work: Work, plan: Plan, machine: Machine, epilogue: _Lanes | None) -> Prediction:
    if isinstance(plan, RowPlan):
        return predict_rows(work, plan, machine, epilogue)
    return predict(work, plan, machine, epilogue)


def _lean(found: list[tuple[Plan, Prediction]]) -> list[tuple[Plan, Prediction]]:
    """The plans with about the least external traffic, where that is much less than that of the fastest."""
    fastest = min((prediction for _, prediction in found), key=lambda one: one.total_ps)
    fast = [one for one in found if one[1].total_ps <= fastest.total_ps + fastest.total_ps // LEAN_GAIN]
    least = min(prediction.bounds.external for _, prediction in fast)
    if least > LEAN_SHARE * fastest.bounds.external:
        return found
    return [one for one in fast if one[1].bounds.external <= NEAR * least]


def _fast(found: list[tuple[Plan, Prediction]]) -> list[tuple[Plan, Prediction]]:
    fastest = min(prediction.total_ps for _, prediction in found)
    return [one for one in found if one[1].total_ps <= _almost(fastest)]


def _almost(total: int) -> int:
    return total + total // LEAST_GAIN


def _rank(problem: Problem, plan: Plan, prediction: Prediction) -> tuple[int, ...]:
    """Steps of the array first: each costs movements."""
    tile = plan.tile
    steps = problem.batch * -(-problem.m // tile.m) * -(-problem.n // tile.n) * -(-problem.k // tile.k)
    return steps, prediction.bounds.external, prediction.total_ps, *tile


def _candidates(
    problem: Problem, work: Work, machine: Machine, dataflows: Iterable[Dataflow]
) -> Iterable[tuple[int, Tile, Dataflow]]:
    """(picoseconds that it takes at least, tile, dataflow): of each tile that L1 holds, the fastest dataflow."""
    target = machine.target
    rows, columns = target.array.rows, target.array.columns
    g = dict(problem.geometry)
    lines = {g["out_width"] * 2**i for i in range(DOUBLINGS)} if g else set()
    m_sizes = _sizes(problem.m, rows) | {size for size in lines if size <= problem.m}
    n_sizes, k_sizes = _sizes(problem.n, columns), _sizes(problem.k, max(rows, columns))
    if isinstance(work.lhs, Windows):
        k_sizes = {work.lhs.fitted_k(k) for k in k_sizes}
    elif isinstance(work.rhs, Groups):
        unit = work.rhs.unit
        k_sizes = {min(problem.k, -(-k // unit) * unit) for k in k_sizes} if unit else {problem.k}
        if problem.is_absmax:  # L2 holds few long rows
            m_sizes |= {min(problem.m, 1 << i) for i in range(rows.bit_length())}
    for m, n, k in product(sorted(m_sizes), sorted(n_sizes), sorted(k_sizes)):
        tile = Tile(m, n, k)
        sums = 4 * m * n
        if sums + OPERAND_BUFFERS * (work.lhs.bytes_in_l1(tile) + work.rhs.bytes_in_l1(tile)) > target.l1.size:
            continue
        outputs = problem.batch * -(-problem.m // m) * -(-problem.n // n)
        used = min(target.tiles, outputs)
        rounds = -(-outputs // used)
        bound, _, flow = min(
            (_least_cycles(problem, tile, flow, target) * machine.core_ps * rounds // outputs, number, flow)
            for number, flow in enumerate(dataflows)
        )
        yield bound, tile, flow


def _least_cycles(problem: Problem, tile: Tile, flow: Dataflow, target: Target) -> int:
    """Cycles of the array: folds that overlap, and the wave, load or drain of each step."""
    rows, columns = target.array.rows, target.array.columns
    m, n, k = problem.m, problem.n, problem.k
    if target.kind == LANES:
        return problem.batch * m * _folds(n, tile.n, columns) * k
    if flow is Dataflow.OUTPUT_STATIONARY:
        work = _folds(m, tile.m, rows) * _folds(n, tile.n, columns) * _streams(k, tile.k, rows)
    elif flow is Dataflow.WEIGHT_STATIONARY:
        work = _folds(k, tile.k, rows) * _folds(n, tile.n, columns) * _streams(m, tile.m, rows)
    else:
        work = _folds(k, tile.k, rows) * _folds(m, tile.m, columns) * _streams(n, tile.n, rows)
    outputs, parts = -(-m // tile.m) * -(-n // tile.n), -(-k // tile.k)
    # Each step loads or drains once; sums of an output-stationary array come in again after the first.
    again = outputs * (parts - 1) if flow is Dataflow.OUTPUT_STATIONARY else 0
    return problem.batch * (work + outputs * parts * (2 * rows + columns - 2) + again * rows)


def _folds(size: int, by: int, unit: int) -> int:
    """Folds along an axis that is cut into parts."""
    full, rest = divmod(size, by)
    return full * -(-by // unit) + -(-rest // unit)


def _streams(size: int, by: int, rows: int) -> int:
    """Cycles of the streams along an axis that is cut into parts: none is shorter than a load or a drain."""
    full, rest = divmod(size, by)
    return full * max(by, rows) + (max(rest, rows) if rest else 0)


def _sizes(size: int, unit: int) -> set[int]:
    """Sizes of parts of an axis that the search tries, whole folds of the array as far as it goes."""
    found = {min(size, unit << i) for i in range(DOUBLINGS + 1)}
    for parts in PARTS:
        part = -(-size // parts)
        found.add(min(size, -(-part // unit) * unit))
    return found


def _epilogue_cycles(problem: Problem, target: Target) -> _Lanes | None:
    return _Lanes(problem.epilogue.operations, target.vector.lanes) if problem.epilogue else None


@dataclass(frozen=True)
class _Lanes:
    """An estimate of the cycles of results before there is a program: one slot per operation and lanes."""

    operations: int
    lanes: int

    def __call__(self, rows: int, columns: int) -> int:
        return rows * -(-columns // self.lanes) * (self.operations + 1)


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
    row_sizes = {-(-target.array.rows // 2), *_sizes(work.rows, target.array.rows)}
    for rows, panel, flow in product(sorted(row_sizes), sorted(_sizes(work.columns, unit)), dataflows):
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
    fast = [one for one in found.values() if one[1].total_ps <= _almost(fastest)]

    def steps(one: tuple[AttentionPlan, Prediction]) -> tuple[int, ...]:
        plan, prediction = one
        return (
            -(-work.rows // plan.rows) * -(-work.columns // plan.panel),
            prediction.total_ps,
            plan.rows,
            plan.dataflow,
        )

    plan, prediction = min(fast, key=steps)
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
