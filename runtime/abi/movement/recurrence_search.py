"""Which plan an LSTM is done by: the fastest that the model finds among those that the memories hold."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import product

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.movement.machine import Machine
from tfmbs.runtime.abi.movement.operands import Tile
from tfmbs.runtime.abi.movement.recurrence_plan import (
    GATES,
    WORD,
    Layout,
    RecurrencePlan,
    RecurrenceWork,
)
from tfmbs.runtime.abi.movement.recurrence_prediction import predict_recurrence
from tfmbs.runtime.abi.records import Dataflow

LEAST_SHARE = 8  # of L1: panels of recurrent weights take at least one part in so many, or are whole
LEAST = 16  # elements of a reduction that are tried at least
MOST_ROWS = 1024  # of a product of inputs


@lru_cache(maxsize=256)
def planned_recurrence(
    work: RecurrenceWork,
    wanted: Tile,
    dataflow: Dataflow,
    buffers: int,
    fabric: tuple[int, ...],
    machine: Machine,
    where: str,
) -> RecurrencePlan:
    """The plan that the model predicts to be fastest, for at most `wanted` sequences of a job, elements of a block and
    of a panel's reduction. Where none fits, these are halved, the largest first, until the memories hold them.

    Raises TfmbsError `unsupported`, located at `where`, where not even the smallest one fits.
    """
    best: tuple[int, RecurrencePlan] | None = None
    for plan in _candidates(work, wanted, dataflow, buffers, fabric, machine):
        total = predict_recurrence(work, plan, machine).total_ps
        if best is None or total < best[0]:
            best = total, plan
    if best is not None:
        return best[1]
    return _smallest(work, wanted, dataflow, buffers, fabric, machine, where)


def _candidates(
    work: RecurrenceWork, wanted: Tile, flow: Dataflow, buffers: int, fabric: tuple[int, ...], machine: Machine
) -> Iterator[RecurrencePlan]:
    """Plans that fit."""
    rows = min(wanted.m, work.batch)
    used = fabric[: work.ways * -(-work.batch // rows)]
    least = max(LEAST, machine.array.rows)
    size = machine.target.l1.size
    aheads = [ahead for ahead in _sizes(work.steps, 1) if ahead * rows <= MOST_ROWS] or [1]
    ahead_depths = sorted(_sizes(work.width, least), reverse=True)
    blocks, depths = (
        _sizes(min(wanted.n, work.hidden), machine.array.columns),
        _sizes(min(wanted.k, work.hidden), least),
    )
    for block, depth, gates, slots in product(blocks, depths, (GATES, 1), (2, 1) if buffers > 1 else (1,)):
        weights = WORD * gates * block * depth * slots
        if weights > size or (weights < size // LEAST_SHARE and (depth, gates) != (max(depths), GATES)):
            continue
        for ahead, ahead_gates in product(aheads, (GATES, 1)):
            # Of the operands ahead, the longest reduction that L1 has room for.
            for ahead_depth in ahead_depths:
                plan = RecurrencePlan(
                    rows, block, gates, depth, ahead, ahead_gates, ahead_depth, slots, flow, buffers > 1, used
                )
                row = WORD * slots * (ahead * rows + ahead_gates * block)
                sums = WORD * rows * block * (ahead * ahead_gates + 3 * GATES)
                if weights + row * ahead_depth + sums <= size and Layout(work, plan, machine).fits:
                    yield plan
                    break


def _sizes(whole: int, least: int) -> list[int]:
    """Powers of two from the least on, and the whole."""
    found, size = [whole], least
    while size < whole:
        found.append(size)
        size *= 2
    return found


def _smallest(
    work: RecurrenceWork,
    wanted: Tile,
    flow: Dataflow,
    buffers: int,
    fabric: tuple[int, ...],
    machine: Machine,
    where: str,
) -> RecurrencePlan:
    rows, block, depth, width = (
        min(wanted.m, work.batch), min(wanted.n, work.hidden), min(wanted.k, work.hidden), min(wanted.k, work.width)
    )  # fmt: skip
    while True:
        used = fabric[: work.ways * -(-work.batch // rows)]
        plan = RecurrencePlan(rows, block, 1, depth, 1, 1, width, 1, flow, buffers > 1, used)
        if Layout(work, plan, machine).fits:
            return plan
        largest = max(rows, block, depth, width)
        if largest > 1:
            rows, block, depth, width = _halved((rows, block, depth, width), largest)
        elif len(fabric) > 1:
            fabric = fabric[: len(fabric) // 2]
        else:
            raise TfmbsError("unsupported", where, "its smallest tile does not fit the memories of the target")


def _halved(sizes: tuple[int, int, int, int], largest: int) -> list[int]:
    at = sizes.index(largest)
    return [-(-size // 2) if number == at else size for number, size in enumerate(sizes)]
