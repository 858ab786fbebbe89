"""What a run did: counters per launch, all starting at zero, and the cost figures derived from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from math import prod
from typing import Any

from tfmbs.runtime.abi.image import Image, Row
from tfmbs.runtime.abi.kinds import KIND_RULES
from tfmbs.runtime.abi.records import NONE, Dataflow, Direction, Kind, ZeroSkip
from tfmbs.runtime.semantics import Meaning, meanings

COUNTERS: dict[str, str] = {
    "total_ops": "multiply-accumulates and pooling taps (none on padding), and lane operations of vector code",
    "active_ops": "total_ops without the multiply-accumulates whose constant weight is zero (counted, not estimated)",
    "zero_skips": "multiply-accumulates with a zero weight in a launch whose zero-skip mode is not NONE",
    "mem_reads": "elements read: each operand element once per launch, and every element that vector code loads",
    "mem_writes": "elements written: each result element once per launch, and every element that vector code stores",
    "broadcasts": "left operand elements sent to all columns of an output tile, once per tile of columns",
    "residency_misses": "weight tiles brought in: once each, and again per row of output tiles where outputs stay",
}
"""Counters of a launch and what they count."""

FIGURES: dict[str, str] = {
    "fabric_cost": "active_ops + 5 mem_reads + 8 mem_writes + 2 broadcasts + 6 residency_misses, times 0.7 when fused",
    "semantic_efficiency": "active_ops / total_ops",
    "economic_efficiency": "active_ops / fabric_cost",
    "zero_skip_rate": "zero_skips / fabric_cost",
}
"""Cost figures and their formulas; a ratio over nothing is 0."""

READ_COST, WRITE_COST, BROADCAST_COST, MISS_COST, FUSED_FACTOR = 5, 8, 2, 6, 0.7


@dataclass(frozen=True)
class LaunchCounters:
    """What a device measured of one descriptor: multiply-accumulates or pooling taps, those with a weight that is no
    constant zero, instruction words, lane operations, elements loaded and stored by vector code, and nanoseconds.

    `start_ns` and `start_cycle` count from the start of the run; cycles are those of a simulated core clock, else 0,
    `predicted_cycles` those of the closed model that the compiler ranks schedules by (0: it has none for the kind).
    """

    operations: int
    active: int
    words: int
    lane_ops: int
    loads: int
    stores: int
    start_ns: int
    wall_ns: int
    start_cycle: int = 0
    cycles: int = 0
    predicted_cycles: int = 0


@dataclass(frozen=True)
class LaunchStats:
    """One launch: its names, its counters (see `COUNTERS`), and the emulator's own wall time or that of a simulated
    device, with its cycles.

    `phase` to `intensity` are what the compiler knew of the ops of the network that it does (`semantics.Meaning`).
    """

    name: str
    kind: str
    layer: str
    fused: bool
    zero_skip_mode: str
    sparsity: float
    phase: str
    pattern: str
    flops: int
    bytes: int
    intensity: float
    total_ops: int
    active_ops: int
    zero_skips: int
    mem_reads: int
    mem_writes: int
    broadcasts: int
    residency_misses: int
    start_ns: int
    wall_ns: int
    start_cycle: int = 0
    cycles: int = 0
    predicted_cycles: int = 0

    @property
    def fabric_cost(self) -> float:
        """See `FIGURES`."""
        cost = (
            self.active_ops
            + READ_COST * self.mem_reads
            + WRITE_COST * self.mem_writes
            + BROADCAST_COST * self.broadcasts
            + MISS_COST * self.residency_misses
        )
        return FUSED_FACTOR * cost if self.fused else float(cost)


@dataclass(frozen=True)
class Stats:
    """All launches of one run of an entry point on a device; `timing` is what a simulated one took, see `Timing`."""

    device: str
    entry: str
    launches: tuple[LaunchStats, ...]
    timing: dict[str, Any] | None = None

    @property
    def totals(self) -> dict[str, int]:
        """Every counter, summed over the launches."""
        return {name: sum(getattr(launch, name) for launch in self.launches) for name in COUNTERS}

    @property
    def figures(self) -> dict[str, float]:
        """The cost figures of the whole run."""
        return _figures(self.totals, sum(launch.fabric_cost for launch in self.launches))

    @property
    def wall_ns(self) -> int:
        """The device's own time over all launches, nanoseconds; no claim about the fabric."""
        return sum(launch.wall_ns for launch in self.launches)

    def to_json(self) -> dict[str, Any]:
        """Everything, with the definition of each counter and figure beside it."""
        return {
            "device": self.device,
            "entry": self.entry,
            "definitions": {**COUNTERS, **FIGURES},
            "totals": {**self.totals, **self.figures, "wall_ns": self.wall_ns},
            **({"timing": self.timing} if self.timing else {}),
            "launches": [_row(launch) for launch in self.launches],
        }

    def to_trace(self) -> dict[str, Any]:
        """Wall time of the launches as a Chrome trace (chrome://tracing, Perfetto); timestamps in microseconds."""
        process = f"{self.device}: wall time of this machine"
        events: list[dict[str, Any]] = [{"ph": "M", "pid": 0, "name": "process_name", "args": {"name": process}}]
        events += [
            {
                "ph": "X",
                "pid": 0,
                "tid": 0,
                "name": launch.name,
                "cat": launch.kind,
                "ts": launch.start_ns / 1000,
                "dur": launch.wall_ns / 1000,
                "args": {name: getattr(launch, name) for name in COUNTERS},
            }
            for launch in self.launches
        ]
        return {"displayTimeUnit": "ns", "traceEvents": events}


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _figures(counters: dict[str, int], cost: float) -> dict[str, float]:
    return {
        "fabric_cost": cost,
        "semantic_efficiency": _ratio(counters["active_ops"], counters["total_ops"]),
        "economic_efficiency": _ratio(counters["active_ops"], cost),
        "zero_skip_rate": _ratio(counters["zero_skips"], cost),
    }


def _row(launch: LaunchStats) -> dict[str, Any]:
    counters = {name: getattr(launch, name) for name in COUNTERS}
    return {**asdict(launch), **_figures(counters, launch.fabric_cost)}


# --- from descriptors -------------------------------------------------------------------------------------------------


def _tiles(size: int, tile: int) -> int:
    return -(-size // tile)


def _matrix(image: Image, descriptor: Row) -> tuple[int, int, int, int] | None:
    """Products, rows, columns and depth of the multiplication that a descriptor is; None where it is none."""
    kind = Kind(descriptor["kind"])
    if kind in (Kind.GEMM, Kind.GEMV):
        g = image.gemm_geometries[descriptor["geometry"]]
        return g["batch"], g["m"], g["n"], g["k"]
    if kind is Kind.GROUP_GEMM:
        g = image.group_geometries[descriptor["geometry"]]
        return 1, g["m"], g["n"], g["k"]
    if kind in (Kind.CONV2D, Kind.CONV3D):
        is_image = kind is Kind.CONV2D
        g = (image.window_geometries if is_image else image.volume_geometries)[descriptor["geometry"]]
        axes = ("height", "width") if is_image else ("depth", "height", "width")
        depth = g["in_channels"] // g["groups"] * prod(g[f"kernel_{axis}"] for axis in axes)
        rows = prod(g[f"out_{axis}"] for axis in axes)
        return g["batch"] * g["groups"], rows, g["out_channels"] // g["groups"], depth
    if kind is Kind.ATTENTION:
        # Both products have the same operands' sizes but for the widths, which are added up.
        g = image.attention_geometries[descriptor["geometry"]]
        return g["batch"] * g["groups"] * g["shared"], g["rows"], g["columns"], g["width"] + g["value_width"]
    if kind is Kind.LSTM:
        # As for attention: rows are steps, whose gates have one reduction over an input and one over a state.
        g = image.lstm_geometries[descriptor["geometry"]]
        ways = 2 if g["direction"] == Direction.BOTH else 1
        return ways, g["steps"] * g["batch"], 4 * g["hidden"], g["width"] + g["hidden"]
    return None


def _movement(image: Image, descriptor: Row) -> tuple[int, int]:
    """Broadcasts and residency misses of a launch, from its schedule; without one, the launch is one tile."""
    matrix = _matrix(image, descriptor)
    if matrix is None:
        return 0, 0
    products, rows, columns, depth = matrix
    index = descriptor["schedule"]
    schedule = None if index == NONE else image.schedules[index]
    tile_m, tile_n, tile_k = (
        (rows, columns, depth) if schedule is None else (schedule["tile_m"], schedule["tile_n"], schedule["tile_k"])
    )
    column_tiles = _tiles(columns, tile_n)
    passes = _tiles(rows, tile_m) if schedule and schedule["dataflow"] == Dataflow.OUTPUT_STATIONARY else 1
    return products * rows * depth * column_tiles, products * column_tiles * _tiles(depth, tile_k) * passes


def _elements(image: Image, index: int) -> int:
    tensor = image.tensors[index]
    return 0 if index == NONE else prod(tensor["dims"][: tensor["rank"]])


def _launch(image: Image, descriptor: Row, counters: LaunchCounters, meaning: Meaning) -> LaunchStats:
    kind = Kind(descriptor["kind"])
    telemetry = None if descriptor["telemetry"] == NONE else image.telemetry[descriptor["telemetry"]]
    schedule = None if descriptor["schedule"] == NONE else image.schedules[descriptor["schedule"]]
    mode = ZeroSkip(schedule["zero_skip"]) if schedule else ZeroSkip.NONE
    broadcasts, misses = _movement(image, descriptor)
    operands = [descriptor[name] for name in ("lhs", "rhs") if descriptor[name] != NONE]
    if KIND_RULES[kind].further:
        first = descriptor["args_first"]
        operands += image.args[first : first + descriptor["args_count"]]
    results = [descriptor["out"]] if descriptor["out"] != NONE else []
    return LaunchStats(
        name=image.strings[descriptor["name"]],
        kind=kind.name,
        layer=image.strings[telemetry["layer"]] if telemetry else "",
        fused=kind is not Kind.VECTOR and descriptor["program"] != NONE,
        zero_skip_mode=mode.name,
        sparsity=telemetry["sparsity"] if telemetry else 0.0,
        phase=meaning.phase,
        pattern=meaning.pattern,
        flops=meaning.flops,
        bytes=meaning.bytes,
        intensity=meaning.intensity,
        total_ops=counters.operations + counters.lane_ops,
        active_ops=counters.active + counters.lane_ops,
        zero_skips=0 if mode is ZeroSkip.NONE else counters.operations - counters.active,
        mem_reads=sum(_elements(image, index) for index in operands) + counters.loads,
        mem_writes=sum(_elements(image, index) for index in results) + counters.stores,
        broadcasts=broadcasts,
        residency_misses=misses,
        start_ns=counters.start_ns,
        wall_ns=counters.wall_ns,
        start_cycle=counters.start_cycle,
        cycles=counters.cycles,
        predicted_cycles=counters.predicted_cycles,
    )


def launch_stats(
    image: Image, device: str, entry: int, counters: Sequence[LaunchCounters], timing: dict[str, Any] | None = None
) -> Stats:
    """Stats of one run of entry number `entry`; `counters` has one item per descriptor of it."""
    record = image.entries[entry]
    first, count = record["first_descriptor"], record["descriptor_count"]
    descriptors = image.descriptors[first : first + count]
    rows = zip(descriptors, counters, meanings(image, entry), strict=True)
    launches = tuple(_launch(image, descriptor, counted, meaning) for descriptor, counted, meaning in rows)
    return Stats(device, image.strings[record["name"]], launches, timing)


if {f.name for f in fields(LaunchStats)} < set(COUNTERS):
    raise ValueError("stats: a counter of the table has no field")
