"""How long a product takes by a closed model of the movement rule: what the tiling search ranks plans by.

Each engine's work is added up over the launch; engines overlap, so the launch takes what the busiest of them
does, plus the way of its first operands to the array and that of its last results out. Misses of a memory with too few
slots are those of the best replacement on a cyclic sequence. All in whole picoseconds and bytes; the simulator, which
executes each movement, is what confirms it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from tfmbs.runtime.abi.array_timing import Sizes
from tfmbs.runtime.abi.movement.brought import l1_misses, level_misses, parked_bytes
from tfmbs.runtime.abi.movement.cuts import FIRST, LEAST, operand_parts, part_count
from tfmbs.runtime.abi.movement.group_operands import Groups
from tfmbs.runtime.abi.movement.machine import EngineInfo, EngineKind, Machine, array_cycles, array_lag
from tfmbs.runtime.abi.movement.memory import Slot
from tfmbs.runtime.abi.movement.misses import parts
from tfmbs.runtime.abi.movement.operands import Matrix, Span, Tile, Windows
from tfmbs.runtime.abi.movement.parking import Load, Panel, parking_ps
from tfmbs.runtime.abi.movement.plan import Plan, Work
from tfmbs.runtime.abi.movement.predicted import Bounds, Prediction, Traffic
from tfmbs.runtime.abi.records import Dataflow
from tfmbs.runtime.abi.target import ACCUMULATOR_BYTES

EpilogueCycles = Callable[[int, int], int]
"""Cycles of the vector engine for so many rows and columns of results."""

_NOWHERE = Slot(0, 0, 0)


class _Operand(NamedTuple):
    """Misses of an operand in L3, L2 and L1; bytes that enter L3, those of a chunk and of a tile in L1, and cycles of a
    chunk's DMA."""

    misses: tuple[int, int, int]
    brought: int
    chunk: int
    tile: int
    beats: int
    chunks_of_tile: int


def predict(work: Work, plan: Plan, machine: Machine, epilogue: EpilogueCycles | None = None) -> Prediction:
    """The prediction for a launch; `epilogue` where its results go through one."""
    tile = plan.tile
    rows, columns, steps = -(-work.m // tile.m), -(-work.n // tile.n), -(-work.k // tile.k)
    outputs, fabric = work.products * rows * columns, len(plan.fabric)
    rounds = plan.loops.round_count(work.products, fabric)
    lhs = _operand(work, plan, machine, is_lhs=True)
    rhs = _operand(work, plan, machine, is_lhs=False)
    compute = compute_ps(work, tile, plan.dataflow, machine, is_buffered=plan.is_buffered)
    lag = _lag_ps(work, plan, machine)
    result = tile.m * tile.n * work.result_bytes
    results = work.products * work.m * work.n * work.result_bytes
    is_window = isinstance(work.lhs, Windows)
    vector_rows, vector_columns = (tile.n, tile.m) if is_window else (tile.m, tile.n)
    vector = epilogue(vector_rows, vector_columns) * machine.core_ps if epilogue else 0
    windows = work.window_traffic(tile)
    parked = [2 * size for size in parked_bytes(work, plan)]  # out and in again
    into = [
        lhs.misses[i] * (lhs.chunk if i < 2 else lhs.tile) + rhs.misses[i] * (rhs.chunk if i < 2 else rhs.tile)
        for i in range(3)
    ]
    movers = [_engines(machine, kind) for kind in (EngineKind.DMA, EngineKind.BLOCK_MOVER, EngineKind.STREAMER)]
    dma, mover, streamer = (one[0] for one in movers)
    run = tile.m * work.out_bytes if is_window else tile.n * work.out_bytes
    beats = lhs.misses[0] * lhs.beats + rhs.misses[0] * rhs.beats
    beats += results // max(1, run) * -(-run // dma.width) + windows // dma.width
    streamers = min(len(movers[2]), fabric * max(1, len(movers[2]) // machine.target.tiles))
    bounds = Bounds(
        array=(compute - outputs * (lag + _parking_lag_ps(work, plan, machine))) * rounds // outputs + lag,
        vector=vector * rounds,
        external=machine.external_ps(into[0] + results + windows),
        dma=beats * dma.period_ps // len(movers[0]),
        block_mover=_moved(into[1] + results + windows + parked[0], mover, len(movers[1])),
        streamer=_moved(into[2] + results + windows + parked[1], streamer, streamers),
    )
    out = _moved(result, streamer, 1)
    array = bounds.array
    if plan.loops.parks:
        array = _parking_ps(work, plan, machine, bounds, (lhs, rhs), windows)
    if not plan.is_buffered:  # a step's operands come when the one before is done
        array += rounds * steps * _moved(lhs.tile + rhs.tile, streamer, 1)
    slots = plan.l1.sums  # sums of a tile wait for those of an earlier one to have gone
    array = max(array, (bounds.array - lag + rounds * (lag + (vector or out))) // slots)
    if epilogue and plan.l1.results == 1:
        array = max(array, rounds * (vector + out))
    engines = len(movers[0])
    loads = [_loaded(machine, [(one.chunks_of_tile, one)]) for one in (lhs, rhs)]
    lifts = [_moved(one.chunk // operand_parts(one.chunk, engines, is_early=True), mover, 1) for one in (lhs, rhs)]
    feeds = [_moved(one.tile, streamer, 1) for one in (lhs, rhs)]
    before = max(loads[0] + lifts[0] + feeds[0], loads[0] + loads[1] + lifts[1]) + feeds[1]
    last = result // part_count(result, engines, LEAST)
    after = vector + out + _moved(last, mover, 1) + max(machine.external_ps(result), _moved(last, dma, 1))
    starved = 0
    if not plan.loops.parks:
        starved = _starved(work, plan, machine, (lhs, rhs), array - lag, results)
        starved += _crowded(work, plan, machine, (lhs, rhs), array, results)
    total = max(array + before + starved, *bounds) + after
    traffic = Traffic(lhs.brought + rhs.brought + windows, into[1] + windows, into[2] + windows, results)
    return Prediction(bounds, traffic, before + after, total, machine.core_ps)


def _parking_ps(
    work: Work, plan: Plan, machine: Machine, bounds: Bounds, operands: tuple[_Operand, _Operand], windows: int
) -> int:
    """Picoseconds of a launch whose sums park, from its first step on."""
    tile, loops = plan.tile, plan.loops
    dmas, movers, streamers = (
        _engines(machine, kind) for kind in (EngineKind.DMA, EngineKind.BLOCK_MOVER, EngineKind.STREAMER)
    )
    rounds = loops.round_count(work.products, len(plan.fabric))
    leaving = work.products * work.m * work.n * work.result_bytes + windows
    feeding = min(len(streamers), len(plan.fabric) * max(1, len(streamers) // machine.target.tiles))
    late = (
        bounds.vector,
        machine.external_ps(leaving),
        0,
        _moved(leaving, movers[0], len(movers)),
        _moved(leaving, streamers[0], feeding),
    )
    part = work.part_bytes(tile, len(dmas))
    out = _moved(part, movers[0], 1) + max(machine.external_ps(part), _moved(part, dmas[0], 1))
    parts = rounds * -(-tile.m * tile.n * work.result_bytes // part)
    load = Load(
        bounds.array,
        bounds[1:],
        late,
        parts * out // plan.l3.results,
        2 * _moved(tile.m * tile.n * ACCUMULATOR_BYTES, streamers[0], 1),
        work.k - (loops.steps - 1) // loops.block_steps * loops.block_steps * tile.k,
        work.k,
    )
    fast, slots = (operands[0], plan.l3.lhs) if loops.m_fastest else (operands[1], plan.l3.rhs)
    side_by_side = operand_parts(fast.chunk, len(dmas), is_early=False)
    through = fast.beats * dmas[0].period_ps // side_by_side + _moved(fast.chunk // side_by_side, movers[0], 1)
    panel = Panel(fast.chunks_of_tile, through, slots)
    return parking_ps(loops, rounds, work.products, load, panel, has_one_slot=plan.l1.sums == 1)


def _loaded(machine: Machine, chunks: Sequence[tuple[int, _Operand]], results: int = 0) -> int:
    """Picoseconds until so many chunks of operands are in L3, while bytes of results leave."""
    dma = _engines(machine, EngineKind.DMA)
    moved = sum(count * one.chunk for count, one in chunks) + results
    beats = sum(count * one.beats for count, one in chunks) + results // dma[0].width
    return max(machine.external_ps(moved), beats * dma[0].period_ps // len(dma))


def _starved(
    work: Work, plan: Plan, machine: Machine, operands: tuple[_Operand, _Operand], array: int, results: int
) -> int:
    """Picoseconds that the array waits for operands which come for the first time, but for those of the first tile."""
    rows, columns = plan.loops.rows, plan.loops.columns
    steps, outputs = -(-work.k // plan.tile.k), work.products * rows * columns
    lhs, rhs = operands
    if plan.grows(work):
        done = array // outputs  # from when the first tile starts
        coming, gone, tiles = [(steps - 1, lhs), (steps - 1, rhs)], 0, 1
        for is_row, count, _ in islice(plan.growth(work), 1, None):
            coming.append((steps, lhs if is_row else rhs))
            arrived = _loaded(machine, coming, results * gone // outputs)
            done, gone, tiles = max(done, arrived) + array * count // outputs, tiles, tiles + count
        return done - array
    is_lhs = columns == 1 or (
        plan.loops.m_fastest and rows > 1
    )  # with one block of an operand, all of the other is a turn
    fast, slow = operands if is_lhs else operands[::-1]
    source = work.lhs if is_lhs else work.rhs
    turns = columns if is_lhs else rows
    chunks = source.all_chunks(plan.tile) // (source.products if isinstance(source, Matrix) else work.products)
    coming = [(chunks - fast.chunks_of_tile, fast), ((steps - 1) * slow.chunks_of_tile, slow)]
    whole = outputs * steps * work.products * turns
    before = outputs * steps - work.products * turns  # of each turn, all steps but the last one: before that all comes
    return max(0, _loaded(machine, coming, results * before // whole) - array * before // whole)


def _crowded(
    work: Work, plan: Plan, machine: Machine, operands: tuple[_Operand, _Operand], array: int, results: int
) -> int:
    """Picoseconds that the array waits for results to leave while operands come ahead of their use.

    DMA engines take an operand and a result in turns, however much of each is needed. Where operands get more than
    their share by that, the array makes results at the pace of the others, until memories are full or all is there. The
    first operands come in small parts, which crowd nothing.
    """
    engines = machine.target.dma.count
    moved = [one.misses[0] * one.chunk for one in operands]
    into, most = max(0, sum(moved) - FIRST), operands[moved[1] > moved[0]]
    inward, outward = (
        most.chunk // operand_parts(most.chunk, engines, is_early=False),
        work.part_bytes(plan.tile, engines),
    )
    needed = into * outward // results  # of operands, for a part of results
    lost = machine.external_ps(inward + outward) - array * outward // results
    if inward <= needed or lost <= 0:
        return 0
    held = sum((plan.l3[i] + plan.l2[i]) * one.chunk for i, one in enumerate(operands))
    return lost * min(into // inward, held // (inward - needed))


@dataclass(frozen=True)
class Stream:
    """Jobs one after the other: cycles of the array and of the vector engine of a tile, bytes into L3, L2 and L1, bytes
    of results, those of a job at the start and at the end, and cycles `before` the first engine is always busy.

    `in_turns`: array and vector engine take turns. `slots_ps`: what jobs take at least for want of slots.
    """

    array: int
    vector: int
    into: tuple[int, int, int]
    results: int
    first_bytes: int
    last_bytes: int
    fabric: int = 1
    before: int = 0
    in_turns: bool = False
    slots_ps: int = 0


def predict_streams(stream: Stream, machine: Machine) -> Prediction:
    """The prediction for jobs whose transfers are spread over all engines of a kind."""
    dmas, movers, streamers = (
        _engines(machine, kind) for kind in (EngineKind.DMA, EngineKind.BLOCK_MOVER, EngineKind.STREAMER)
    )
    into, results = stream.into, stream.results
    feeding = min(len(streamers), stream.fabric)
    bounds = Bounds(
        array=stream.array * machine.core_ps,
        vector=stream.vector * machine.core_ps,
        external=machine.external_ps(into[0] + results),
        dma=_moved(into[0] + results, dmas[0], len(dmas)),
        block_mover=_moved(into[1] + results, movers[0], len(movers)),
        streamer=_moved(into[2] + results, streamers[0], feeding),
    )
    busiest = max(*bounds, bounds.array + bounds.vector if stream.in_turns else 0, stream.slots_ps)
    latency = stream.before * machine.core_ps
    latency += sum((*way_ps(stream.first_bytes, machine), *way_ps(stream.last_bytes, machine)))
    traffic = Traffic(into[0], into[1], into[2], results)
    return Prediction(bounds, traffic, latency, busiest + latency, machine.core_ps)


def way_ps(size: int, machine: Machine) -> tuple[int, int, int]:
    """Picoseconds that bytes take between external memory and L3, L3 and L2, L2 and L1, by one engine of each kind."""
    dma, mover, streamer = (
        _moved(size, _engines(machine, kind)[0], 1)
        for kind in (EngineKind.DMA, EngineKind.BLOCK_MOVER, EngineKind.STREAMER)
    )
    return max(machine.external_ps(size), dma), mover, streamer


def _operand(work: Work, plan: Plan, machine: Machine, *, is_lhs: bool) -> _Operand:
    source: Matrix | Windows = work.lhs if is_lhs else work.rhs
    tile = plan.tile
    l3, l2 = level_misses(work, plan, machine, is_lhs=is_lhs)
    l1 = l1_misses(work, plan, is_lhs=is_lhs)
    of_tile = source.chunks_of_step(tile)
    l2 = min(l2, l1 * of_tile)
    l3 = min(l3, l2)
    width = _engines(machine, EngineKind.DMA)[0].width
    beats = sum(copy.cost(width)[1] for copy in source.loads((0, 0, 0), tile, _NOWHERE))
    chunk, tile_bytes = source.moved_bytes(tile), source.bytes_in_l1(tile)
    return _Operand((l3, l2, l1), _brought(source, tile, l3 * chunk), chunk, tile_bytes, beats, of_tile)


def _brought(source: Matrix | Windows, tile: Tile, size: int) -> int:
    """Bytes of chunks that would have `size` if all were whole: ragged ones are as many of them as of all."""
    if isinstance(source, Windows):
        axes = [(source.channels, source.step_channels(tile)), (source.g["in_height"], source.rows_per_block(tile))]
    else:
        count, depth = min(tile.m if source.is_lhs else tile.n, source.count), min(tile.k, source.k)
        size = _of_vectors(source, count, Span(source.k - depth, depth), size)
        axes = [(source.k, depth)]
    for whole, part in axes:
        size = size * whole // (-(-whole // part) * part)
    return size


def _of_vectors(source: Matrix, count: int, k: Span, size: int) -> int:
    """The part of `size`, which is of whole blocks of `count` vectors, that the operand's vectors have."""
    full, rest = divmod(source.count, count)
    own = full * source.bytes_of(count, k) + (source.bytes_of(rest, k) if rest else 0)
    return size * own // ((full + (rest > 0)) * source.bytes_of(count, k))


def _lag_ps(work: Work, plan: Plan, machine: Machine) -> int:
    """Picoseconds in which the last step of a tile leaves the feed to the first one of the next. Other steps go on with
    sums, and wait until the one before has ended."""
    if isinstance(work.rhs, Groups) or not plan.overlaps:
        return 0
    tile = plan.tile
    last = Sizes(min(tile.m, work.m), min(tile.n, work.n), (work.k - 1) % tile.k + 1)
    return array_lag(machine, plan.dataflow, last, plan.is_buffered) * machine.core_ps


def _parking_lag_ps(work: Work, plan: Plan, machine: Machine) -> int:
    """The same for all but the last block of k of a tile."""
    loops, tile = plan.loops, plan.tile
    if not loops.parks or not plan.overlaps:
        return 0
    step = Sizes(min(tile.m, work.m), min(tile.n, work.n), tile.k)
    times = -(-loops.steps // loops.block_steps) - 1
    return times * array_lag(machine, plan.dataflow, step, plan.is_buffered) * machine.core_ps


def compute_ps(work: Work, tile: Tile, dataflow: Dataflow, machine: Machine, *, is_buffered: bool) -> int:
    """Picoseconds of all folds of a launch, of all tiles of the fabric together."""
    total = 0
    if isinstance(work.rhs, Groups) and work.has_integer_groups and work.rhs.group < work.k:
        return _compute_of_groups(work, tile, dataflow, machine, work.rhs.group, is_buffered=is_buffered)
    for m, m_count in parts(work.m, tile.m):
        for n, n_count in parts(work.n, tile.n):
            for k, k_count in parts(work.k, tile.k):
                first, again = (
                    array_cycles(machine, dataflow, Sizes(m, n, k), is_buffered, is_continued)
                    for is_continued in (False, True)
                )
                is_first = k == min(tile.k, work.k)  # the remainder of the reduction goes on with sums
                total += m_count * n_count * (k_count * again + (first - again if is_first else 0))
    return work.products * total * machine.core_ps


def _compute_of_groups(
    work: Work, tile: Tile, dataflow: Dataflow, machine: Machine, group: int, *, is_buffered: bool
) -> int:
    """The same of folds over one group each."""
    folds = (
        m_count * n_count * array_cycles(machine, dataflow, Sizes(m, n, group), is_buffered, False)
        for m, m_count in parts(work.m, tile.m)
        for n, n_count in parts(work.n, tile.n)
    )
    return work.products * sum(folds) * (work.k // group) * machine.core_ps


def _engines(machine: Machine, kind: EngineKind) -> tuple[EngineInfo, ...]:
    return tuple(engine for engine in machine.engines if engine.kind is kind)


def _moved(size: int, engine: EngineInfo, count: int) -> int:
    """Picoseconds that so many engines of a kind take to move bytes."""
    return -(-size // (engine.width * count)) * engine.period_ps
