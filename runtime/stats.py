"""What a run did: counters per launch, all starting at zero, and the cost figures derived from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from math import prod
from typing import Any

from tfmbs.runtime.abi.energy import energy_profile
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image, Row
from tfmbs.runtime.abi.kinds import KIND_RULES
from tfmbs.runtime.abi.records import NONE, Dataflow, Kind, ZeroSkip
from tfmbs.runtime.abi.target import Energy
from tfmbs.runtime.figures import COUNTERS, FIGURES, FIGURES_OF_TIME, LAUNCH
from tfmbs.runtime.measured.run import Measured
from tfmbs.runtime.measured.shown import machine_of, of_launch, whole_run
from tfmbs.runtime.products import product_of
from tfmbs.runtime.semantics import Meaning, meanings

READ_COST, WRITE_COST, BROADCAST_COST, MISS_COST, FUSED_FACTOR = 5, 8, 2, 6, 0.7


@dataclass(frozen=True)
class LaunchCounters:
    """What a device measured of one descriptor: multiply-accumulates or pooling taps, those with a weight that is no
    constant zero, instruction words, lane operations and those of them on reals, elements loaded and stored by vector
    code, and nanoseconds. `kernels` are the emulator's family of kernels and their instruction set.

    `start_ns` and `start_cycle` count from the start of the run; cycles are those of a simulated core clock, else 0,
    `predicted_cycles` and `predicted_external_bytes` those of the closed model (0: it depends on values of operands).
    """

    operations: int
    active: int
    words: int
    lane_ops: int
    real_lane_ops: int
    loads: int
    stores: int
    start_ns: int
    wall_ns: int
    start_cycle: int = 0
    cycles: int = 0
    predicted_cycles: int = 0
    predicted_external_bytes: int = 0
    kernels: str = ""


@dataclass(frozen=True)
class LaunchStats:
    """One launch: its names, its counters (see `COUNTERS`), and the emulator's own kernels and wall time, or that of a
    simulated device, with its cycles.

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
    predicted_external_bytes: int = 0
    kernels: str = ""

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


SCHEMA = 1
"""Of the JSON: docs/tfmbs-run-stats.schema.json."""


@dataclass(frozen=True)
class Stats:
    """All launches of one run of an entry point on a device.

    Of a simulated one, `measured` is what its run shows, and `energy` the profile that figures in joules are made with.
    """

    device: str
    entry: str
    launches: tuple[LaunchStats, ...]
    measured: Measured | None = None
    energy: Energy | None = None

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

    @property
    def timing(self) -> dict[str, Any] | None:
        """Of a simulated run, the figures of `FIGURES_OF_TIME`."""
        return whole_run(self.measured, self.energy) if self.measured and self.energy else None

    def with_energy(self, profile: str) -> Stats:
        """The same run with energy by another of `abi.energy.energy_profiles`.

        Raises TfmbsError `target` for an unknown name, `unsupported` for a device that is not simulated.
        """
        if self.measured is None:
            raise TfmbsError("unsupported", self.device, "energy of a device that does not simulate what moves")
        return replace(self, energy=Energy.from_dict(energy_profile(profile, "energy profile"), profile))

    def to_json(self) -> dict[str, Any]:
        """Everything, with unit and meaning of each figure beside it; see docs/tfmbs-run-stats.schema.json."""
        simulated: dict[str, Any] = {}
        rows = [_row(launch) for launch in self.launches]
        if self.measured and self.energy:
            simulated = {
                "machine": machine_of(self.measured.machine),
                "energy_profile": {"profile": self.energy.profile, "source": self.energy.source},
                "timing": self.timing,
            }
            for row, one in zip(rows, self.measured.launches, strict=True):
                row["timing"] = of_launch(one, self.measured.machine, self.energy)
        tables = (COUNTERS, FIGURES, LAUNCH, FIGURES_OF_TIME if simulated else {})
        return {
            "schema": SCHEMA,
            "device": self.device,
            "entry": self.entry,
            "definitions": {name: figure._asdict() for table in tables for name, figure in table.items()},
            "totals": {**self.totals, **self.figures, "wall_ns": self.wall_ns},
            **simulated,
            "launches": rows,
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
                "args": {"kernels": launch.kernels, **{name: getattr(launch, name) for name in COUNTERS}},
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


def _movement(image: Image, descriptor: Row) -> tuple[int, int]:
    """Broadcasts and residency misses of a launch, from its schedule; without one, the launch is one tile."""
    matrix = product_of(image, descriptor)
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


def zero_skip_of(image: Image, descriptor: Row) -> ZeroSkip:
    """The zero-skip mode of a launch."""
    index = descriptor["schedule"]
    return ZeroSkip.NONE if index == NONE else ZeroSkip(image.schedules[index]["zero_skip"])


def _launch(image: Image, descriptor: Row, counters: LaunchCounters, meaning: Meaning) -> LaunchStats:
    kind = Kind(descriptor["kind"])
    telemetry = None if descriptor["telemetry"] == NONE else image.telemetry[descriptor["telemetry"]]
    mode = zero_skip_of(image, descriptor)
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
        predicted_external_bytes=counters.predicted_external_bytes,
        kernels=counters.kernels,
    )


def launch_stats(
    image: Image,
    device: str,
    entry: int,
    counters: Sequence[LaunchCounters],
    measured: Measured | None = None,
    energy: Energy | None = None,
) -> Stats:
    """Stats of one run of entry number `entry`; `counters` has one item per descriptor of it."""
    record = image.entries[entry]
    first, count = record["first_descriptor"], record["descriptor_count"]
    descriptors = image.descriptors[first : first + count]
    rows = zip(descriptors, counters, meanings(image, entry), strict=True)
    launches = tuple(_launch(image, descriptor, counted, meaning) for descriptor, counted, meaning in rows)
    return Stats(device, image.strings[record["name"]], launches, measured, energy)


if {f.name for f in fields(LaunchStats)} < set(COUNTERS):
    raise ValueError("stats: a counter of the table has no field")
