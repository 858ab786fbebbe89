"""How products are done whose f32 rows become integers on the way, and how long that takes by a closed model.

Rows become integers once, part by part: in a first pass over the parts of a row its largest magnitude is found, in a
second one they become integers, which stay in L2 until the last block of columns has had them. A *panel* are blocks of
rows that are there together: its products are done block of columns by block of columns, and the next panel is made
meanwhile. One panel of all rows takes in weights once; panels of a block of rows take them in for each of these, and
wait for the vector engine the least.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.movement.group_operands import (
    WORD,
    Magnitudes,
    integer_cycles,
    integers_bytes,
    magnitude_cycles,
)
from tfmbs.runtime.abi.movement.machine import Machine
from tfmbs.runtime.abi.movement.memory import aligned
from tfmbs.runtime.abi.movement.misses import Shape, cyclic, misses
from tfmbs.runtime.abi.movement.nests import Loops
from tfmbs.runtime.abi.movement.operands import Tile
from tfmbs.runtime.abi.movement.plan import Levels, Plan, Work, guard_of
from tfmbs.runtime.abi.movement.predicted import Prediction
from tfmbs.runtime.abi.movement.prediction import (
    EpilogueCycles,
    Stream,
    compute_ps,
    predict_streams,
)
from tfmbs.runtime.abi.movement.slots import l1_buffers, outward
from tfmbs.runtime.abi.movement.tiles import first_tile, halved, smallest_tile
from tfmbs.runtime.abi.records import Dataflow

PART_SHARE = 16  # of L1: a part of rows takes at most one in so many
STAGE_SHARE = 8  # of L2 and L3: f32 rows on their way take at most one part in so many
SLOTS = 2  # of L1 for parts, for integers on their way to L2, and for factors
UNIT = 16  # elements that parts of a row are a multiple of
LEAN_GAIN = 40
"""Of panels that take at most one part in so many longer than the fastest, those with the least external traffic."""


class Making(NamedTuple):
    """Parts are `rows`×`columns` elements of f32; `workers` tiles of the fabric make them integers.

    `l2` and `l3` are slots of parts, `kept` those of L2 for integers, each for a block of rows; `panel` blocks of rows
    are there together.
    """

    rows: int
    columns: int
    workers: int
    l2: int
    l3: int
    kept: int
    panel: int

    @property
    def bytes(self) -> int:
        """Of a part, f32."""
        return self.rows * self.columns * WORD

    @property
    def l1_bytes(self) -> int:
        """Of what a tile's L1 has for it: parts, what they become, and factors."""
        return SLOTS * (aligned(self.bytes) + aligned(self.rows * self.columns) + aligned(self.rows * WORD))


@dataclass(frozen=True)
class RowPlan(Plan):
    """A plan whose rows are made integers; `lhs` of its levels has no slots."""

    making: Making


def planned_rows(
    work: Work, wanted: Tile, dataflow: Dataflow, buffers: int, fabric: Sequence[int], machine: Machine, where: str
) -> RowPlan:
    """The plan for the tile that a schedule asks for, its sizes halved until everything fits.

    Raises TfmbsError `unsupported`, located at `where`, where a memory does not hold what the smallest tile needs.
    """
    tile = first_tile(work, wanted)
    while True:
        used = tuple(fabric[: -(-work.m // tile.m) * -(-work.n // tile.n)])
        plans = list(_plans(work, tile, buffers, used, dataflow, machine))
        while not plans and len(used) > 1:  # fewer tiles at once need fewer blocks of rows
            used = used[: len(used) // 2]
            plans = list(_plans(work, tile, buffers, used, dataflow, machine))
        if plans:
            return _leanest(work, plans, machine)
        if tile.m > 1 and 2 * integers_bytes(tile.m, work.k) > machine.target.l2.size:
            tile = tile._replace(m=tile.m // 2)
            continue
        smaller = halved(tile, work)
        if smaller == tile:
            raise _refusal(work, tile, buffers, machine, where)
        tile = smaller


def _refusal(work: Work, tile: Tile, buffers: int, machine: Machine, where: str) -> TfmbsError:
    """Of the smallest tile: names the memory that does not hold what it needs."""
    target = machine.target
    part = _part(work, tile, target.l1.size // PART_SHARE, 1)
    if l1_buffers(work, tile, buffers, target.l1.size - part.l1_bytes) is None:
        what, most = f"{smallest_tile(work)} does not fit L1 beside parts of rows", target.l1.size
        return TfmbsError("unsupported", where, what, f"an L1 of more than {most} bytes")
    what = "the integers of its smallest block of rows do not fit the memories of the target"
    return TfmbsError("unsupported", where, what, f"rows of less than {target.l2.size}", work.k)


def _leanest(work: Work, plans: Sequence[RowPlan], machine: Machine) -> RowPlan:
    found = [(predict_rows(work, plan, machine), plan) for plan in plans]
    fastest = min(prediction.total_ps for prediction, _ in found)
    fast = [one for one in found if one[0].total_ps <= fastest + fastest // LEAN_GAIN]
    return min(fast, key=lambda one: (one[0].traffic.l3, one[0].total_ps))[1]


def _plans(
    work: Work, tile: Tile, buffers: int, fabric: tuple[int, ...], flow: Dataflow, machine: Machine
) -> Iterator[RowPlan]:
    target = machine.target
    blocks, columns, steps = (-(-size // by) for size, by in zip((work.m, work.n, work.k), tile, strict=True))
    part = _part(work, tile, target.l1.size // PART_SHARE, len(fabric))
    size = aligned(part.bytes)
    stages = [level.size // STAGE_SHARE // size for level in (target.l2, target.l3)]
    workers = max(1, min(len(fabric), stages[0] // SLOTS, stages[1] // SLOTS))
    of_row = -(-work.k // part.columns)
    l2, l3 = max(1, min(stages[0], workers * (of_row + 1))), max(1, min(stages[1], workers * SLOTS))
    l1 = l1_buffers(work, tile, buffers, target.l1.size - part._replace(workers=workers).l1_bytes)
    if l1 is None:
        return
    results2, windows2, left2 = outward(work, tile, len(fabric), target.l2.size, target.dma.count)
    results3, windows3, left3 = outward(work, tile, len(fabric), target.l3.size, target.dma.count)
    chunk, every = aligned(work.rhs.chunk_bytes(tile)), work.rhs.all_chunks(tile)
    least = min(every, (2 if buffers > 1 else 1) * len(fabric))
    one = aligned(work.lhs.chunk_bytes(tile))
    left2, left3 = left2 - l2 * size, left3 - l3 * size
    most = (left2 - least * chunk) // one
    if most < 1 or left3 < least * chunk:
        return
    for kept, panel in _panels(blocks, most, columns, len(fabric)):
        rhs2, rhs3 = (min(every, left // chunk) for left in (left2 - kept * one, left3))
        making = part._replace(workers=workers, l2=l2, l3=l3, kept=kept, panel=panel)
        levels = Levels(0, rhs2, windows2, results2), Levels(0, rhs3, windows3, results3)
        loops = Loops(blocks, columns, steps, min(panel, blocks), columns, steps, True)
        yield RowPlan(tile, fabric, l1, *levels, flow, buffers > 1, loops, False, making)


def _part(work: Work, tile: Tile, size: int, fabric: int) -> Making:
    """As many whole rows as divide those of a tile, and leave some to all tiles of the fabric, or a part of a row."""
    most = max(1, min(size // (work.k * WORD), work.m // fabric))
    rows = max(rows for rows in range(1, tile.m + 1) if tile.m % rows == 0 and rows <= most)
    parts = -(-rows * work.k * WORD // size)
    columns = min(work.k, -(-work.k // parts // UNIT) * UNIT) if parts > 1 else work.k
    return Making(rows, columns, 1, 1, 1, 1, 1)


def _panels(blocks: int, most: int, columns: int, fabric: int) -> Iterator[tuple[int, int]]:
    """Blocks of rows that L2 keeps, and those of a panel: a block takes the slot of one of the panel before the last.

    A round of output tiles meets at most two panels.
    """
    if most >= blocks:
        yield blocks, blocks
    elif most >= 4 and most // 2 * columns >= fabric:
        yield most // 2 * 2, most // 2
    if blocks > 1 and columns >= fabric:
        if most >= 2:
            yield 2, 1
        elif fabric == 1:
            yield 1, 1


def part_uses(work: Work, making: Making) -> tuple[int, int]:
    """Parts of a row, and how many of them come to L1 again in the second pass."""
    parts = -(-work.k // making.columns)
    return parts, max(0, parts - SLOTS)


def predict_rows(work: Work, plan: RowPlan, machine: Machine, epilogue: EpilogueCycles | None = None) -> Prediction:
    """The prediction for a launch; `epilogue` where its results go through one."""
    assert isinstance(work.lhs, Magnitudes)
    tile, making, target = plan.tile, plan.making, machine.target
    rows, columns, steps = -(-work.m // tile.m), -(-work.n // tile.n), -(-work.k // tile.k)
    outputs, fabric, panels = rows * columns, len(plan.fabric), -(-rows // making.panel)
    rounds = -(-outputs // fabric)
    array = compute_ps(work, tile, plan.dataflow, machine, is_buffered=plan.is_buffered) // machine.core_ps
    array = array * rounds // outputs
    parts, again = part_uses(work, making)
    row = parts * (magnitude_cycles(target, making.columns, is_last=False) + integer_cycles(target, making.columns))
    row += magnitude_cycles(target, 0, is_last=True) - magnitude_cycles(target, 0, is_last=False)
    part_rows = -(-work.m // making.rows)
    made = -(-part_rows // making.workers) * making.rows * row
    vector = made + (rounds * epilogue(tile.m, tile.n) if epilogue else 0)
    floats, integers = work.m * work.k * WORD, integers_bytes(work.m, work.k)
    part = making.bytes // making.rows
    again2 = max(0, again - making.l2 // making.workers) * part * work.m
    windows = work.window_traffic(tile)
    results = work.m * work.n * (work.out_bytes if work.has_epilogue else WORD)
    rhs = work.rhs.chunk_bytes(tile)
    l3, l2 = _rhs_misses(work, plan, machine)
    stays = making.panel > 1 and fabric == 1 and plan.l1.rhs >= steps
    fed = (columns * panels if stays else outputs) * steps * work.rhs.bytes_in_l1(tile)
    lhs_stays = making.panel == 1 and plan.l1.lhs >= steps
    fed += (rows * min(fabric, columns) if lhs_stays else outputs) * steps * work.lhs.bytes_in_l1(tile)
    in_turn = min(making.panel, rows)  # of the first panel: each block meets one of columns, and the next is made
    first = -(-tile.m // (making.rows * making.workers)) * making.rows * row
    waits = first + (in_turn - 1) * max(0, made // rows - array // rounds // min(fabric, in_turn))
    if making.kept < min(rows, 2):  # no block is made while the array works on another one
        waits = made
    waits = max(0, array + waits - max(array, vector))
    stream = Stream(
        array=array,
        vector=vector,
        into=(
            floats + again2 + l3 * rhs + windows,
            floats + again2 + l2 * rhs + windows,
            floats + again * part * work.m + fed + integers + windows,
        ),
        results=results,
        first_bytes=making.bytes + rhs,
        last_bytes=tile.m * tile.n * (work.out_bytes if work.has_epilogue else WORD),
        fabric=fabric,
        before=waits + (epilogue(tile.m, tile.n) if epilogue else 0),
    )
    return predict_streams(stream, machine)


def _rhs_misses(work: Work, plan: RowPlan, machine: Machine) -> tuple[int, int]:
    """Chunks of weights that enter L3 and L2: those of a panel, panel after panel."""
    tile, panel = plan.tile, plan.making.panel
    rows, columns, steps = -(-work.m // tile.m), -(-work.n // tile.n), -(-work.k // tile.k)
    panels, every, fabric = -(-rows // panel), work.rhs.all_chunks(tile), len(plan.fabric)
    turns = min(panel, rows)
    shape = Shape(1, columns, turns, steps, fabric, False, columns, turns, steps)
    guard = guard_of(plan.l2.rhs, fabric, machine.target.block_mover.count) if plan.is_buffered else 0

    def of(slots: int) -> int:
        if panel == 1:
            return cyclic(every, slots, panels, guard)
        one = misses(work.rhs, tile, shape, slots=slots, guard=guard)
        return one if every <= slots else one * panels

    l2 = of(plan.l2.rhs)
    together = max(plan.l2.rhs, plan.l3.rhs, plan.l2.rhs + plan.l3.rhs - (guard + 1) * fabric)
    return min(of(together), l2), l2
