"""How long a product takes by a closed model of the movement rule: what the tiling search ranks plans by.

Each engine's work is added up over the launch; engines overlap, so the launch takes what the busiest of them
does, plus the way of its first operands to the array and that of its last results out. Misses of a memory with too few
slots are those of the best replacement on a cyclic sequence. All in whole picoseconds and bytes; the simulator, which
executes each movement, is what confirms it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from tfmbs.runtime.abi.array_timing import Sizes
from tfmbs.runtime.abi.movement.group_operands import Groups
from tfmbs.runtime.abi.movement.machine import EngineInfo, EngineKind, Machine, array_cycles
from tfmbs.runtime.abi.movement.memory import Slot
from tfmbs.runtime.abi.movement.misses import parts
from tfmbs.runtime.abi.movement.operands import Matrix, Tile, Windows
from tfmbs.runtime.abi.movement.parking import Load, Panel, parking_ps
from tfmbs.runtime.abi.movement.predicted import Bounds, Prediction, Traffic
from tfmbs.runtime.abi.movement.tiles import Plan, Work, l1_misses, level_misses, parked_bytes
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
    rounds = -(-outputs // fabric)
    lhs = _operand(work, plan, machine, is_lhs=True)
    rhs = _operand(work, plan, machine, is_lhs=False)
    compute = compute_ps(work, tile, plan.dataflow, machine, is_buffered=plan.is_buffered)
    result = tile.m * tile.n * (work.out_bytes if work.has_epilogue else ACCUMULATOR_BYTES)
    results = work.products * work.m * work.n * (work.out_bytes if work.has_epilogue else ACCUMULATOR_BYTES)
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
        array=compute * rounds // outputs,
        vector=vector * rounds,
        external=machine.external_ps(into[0] + results + windows),
        dma=beats * dma.period_ps // len(movers[0]),
        block_mover=_moved(into[1] + results + windows + parked[0], mover, len(movers[1])),
        streamer=_moved(into[2] + results + windows + parked[1], streamer, streamers),
    )
    out = _moved(result, streamer, 1)
    busiest = max(bounds)
    if plan.loops.parks:
        late = (
            vector * rounds,
            machine.external_ps(results + windows),
            0,
            _moved(results + windows, mover, len(movers[1])),
            _moved(results + windows, streamer, streamers),
        )
        fast, slots = (lhs, plan.l3.lhs) if plan.loops.m_fastest else (rhs, plan.l3.rhs)
        through = fast.beats * dma.period_ps + _moved(fast.chunk, mover, 1)
        out_ps = _moved(result, mover, 1) + max(machine.external_ps(result), _moved(result, dma, 1))
        load = Load(
            bounds.array,
            bounds[1:],
            late,
            rounds * out_ps // plan.l3.results,
            2 * _moved(tile.m * tile.n * ACCUMULATOR_BYTES, streamer, 1),
            work.k - (steps - 1) // plan.loops.block_steps * plan.loops.block_steps * tile.k,
            work.k,
        )
        panel = Panel(fast.chunks_of_tile, through, slots)
        busiest = parking_ps(plan.loops, rounds, work.products, load, panel, has_one_slot=plan.l1.sums == 1)
    if not plan.is_buffered:  # a step's operands come when the one before is done
        busiest = max(busiest, bounds.array + rounds * steps * _moved(lhs.tile + rhs.tile, streamer, 1))
    if plan.l1.sums == 1:  # the next tile's sums wait for these to have gone
        busiest = max(busiest, bounds.array + rounds * (vector or out))
    if epilogue and plan.l1.results == 1:
        busiest = max(busiest, rounds * (vector + out))
    first = lhs.chunk * lhs.chunks_of_tile + rhs.chunk
    latency = (
        max(machine.external_ps(first), max(lhs.beats, rhs.beats) * dma.period_ps)
        + _moved(max(lhs.chunk, rhs.chunk), mover, 1)
        + _moved(max(lhs.tile, rhs.tile), streamer, 1)
        + vector
        + out
        + _moved(result, mover, 1)
        + max(machine.external_ps(result), _moved(result, dma, 1))
    )
    traffic = Traffic(lhs.brought + rhs.brought + windows, into[1] + windows, into[2] + windows, results)
    return Prediction(bounds, traffic, latency, busiest + latency, machine.core_ps)


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
    beats = source.load((0, 0, 0), tile, _NOWHERE).cost(width)[1]
    chunk, tile_bytes = source.chunk_bytes(tile), source.bytes_in_l1(tile)
    return _Operand((l3, l2, l1), _brought(source, tile, l3 * chunk), chunk, tile_bytes, beats, of_tile)


def _brought(source: Matrix | Windows, tile: Tile, size: int) -> int:
    """Bytes of chunks that would have `size` if all were whole: ragged ones are as many of them as of all."""
    if isinstance(source, Windows):
        axes = (source.channels, source.step_channels(tile)), (source.g["in_height"], source.rows_per_block(tile))
    else:
        vectors = tile.m if source.is_lhs else tile.n
        axes = (source.count, min(vectors, source.count)), (source.k, min(tile.k, source.k))
    for whole, part in axes:
        size = size * whole // (-(-whole // part) * part)
    return size


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
