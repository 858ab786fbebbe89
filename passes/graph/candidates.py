"""Tiles and dataflows that the search for schedules tries, with what the array takes for them at least."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

from tfmbs.passes.graph.problem import Problem
from tfmbs.runtime.abi.movement.group_operands import Groups
from tfmbs.runtime.abi.movement.machine import Machine
from tfmbs.runtime.abi.movement.operands import Tile, Windows
from tfmbs.runtime.abi.movement.plan import Work
from tfmbs.runtime.abi.records import Dataflow
from tfmbs.runtime.abi.target import OPERAND_BUFFERS, Target

PARTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
"""Into how many parts of the same size an axis may be cut; the search also tries folds of the array times 2^i."""
DOUBLINGS = 6
LANES = "lanes"


def candidates(
    problem: Problem, work: Work, machine: Machine, dataflows: Iterable[Dataflow]
) -> Iterable[tuple[int, Tile, Dataflow]]:
    """(picoseconds that it takes at least, tile, dataflow): of each tile that L1 holds, the fastest dataflow."""
    target = machine.target
    rows, columns = target.array.rows, target.array.columns
    g = dict(problem.geometry)
    lines = {g["out_width"] * 2**i for i in range(DOUBLINGS)} if g else set()
    m_sizes = sizes(problem.m, rows) | {size for size in lines if size <= problem.m}
    n_sizes = {work.rhs.fitted_count(n) for n in sizes(problem.n, columns)}
    k_sizes = sizes(problem.k, max(rows, columns))
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
    """Cycles of the array at least: folds that overlap, and the wave, load or drain of each step but the last of a
    tile, which overlaps the next tile."""
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
    # Sums of an output-stationary array come in again after the first step.
    again = outputs * (parts - 1)
    sums = rows if flow is Dataflow.OUTPUT_STATIONARY else 0
    return problem.batch * (work + again * (2 * rows + columns - 2 + sums))


def _folds(size: int, by: int, unit: int) -> int:
    """Folds along an axis that is cut into parts."""
    full, rest = divmod(size, by)
    return full * -(-by // unit) + -(-rest // unit)


def _streams(size: int, by: int, rows: int) -> int:
    """Cycles of the streams along an axis that is cut into parts: none is shorter than a load or a drain."""
    full, rest = divmod(size, by)
    return full * max(by, rows) + (max(rest, rows) if rest else 0)


def sizes(size: int, unit: int) -> set[int]:
    """Sizes of parts of an axis that the search tries, whole folds of the array as far as it goes."""
    found = {min(size, unit << i) for i in range(DOUBLINGS + 1)}
    for parts in PARTS:
        part = -(-size // parts)
        found.add(min(size, -(-part // unit) * unit))
    return found
