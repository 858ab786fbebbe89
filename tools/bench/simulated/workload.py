"""A workload of the simulator, and what a run of it took: values and time come from the same execution."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import tfmbs
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.movement.machine import EngineKind, Machine
from tfmbs.runtime.abi.movement.program import Level
from tfmbs.runtime.abi.records import Kind
from tfmbs.runtime.devices.kpu import Kpu
from tfmbs.runtime.stats import LaunchStats
from tfmbs.runtime.timing import LINKS, Timing
from tfmbs.tools.bench.problem import Array
from tfmbs.tools.bench.simulated.bound import MOVERS, RESOURCES, Bound, bound_of, moved_bytes
from tfmbs.tools.bench.simulated.models import Model
from tfmbs.tools.bench.simulated.variation import Value, target_file, varied

DEFAULT_TARGET = "kpu-16x16"


@dataclass(frozen=True)
class Bar:
    """What is asked of a workload: at least `least` of a share, one of `Simulated.shares`."""

    share: str
    least: float


@dataclass(frozen=True)
class Workload:
    """A program to simulate: `build` makes its model, `how` are options of `tfmbs.compile`, `vary` other values of the
    target.

    `change` alters the compiled image, its schedules for one. `note` says what the row shows. `against_ops`: each op of
    the model is simulated as a program of its own, too.
    """

    suite: str
    name: str
    build: Callable[[], Model]
    target: str = DEFAULT_TARGET
    how: Mapping[str, Any] = field(default_factory=dict)
    vary: Mapping[str, Value] = field(default_factory=dict)
    against_ops: bool = False
    change: Callable[[Image], Image] | None = None
    bar: Bar | None = None
    note: str = ""


@dataclass(frozen=True)
class Launch:
    """A launch of a run: cycles of the core clock, those predicted (0: there is no prediction), and its bound."""

    name: str
    kind: str
    cycles: int
    predicted: int
    bound: Bound
    external_bytes: int


@dataclass(frozen=True)
class Ops:
    """All ops of a model, one after the other, by the same compiler: cycles, and bytes from and to external memory,
    those that were moved and those of the operands and results of each op once.
    """

    count: int
    cycles: int
    external_bytes: int
    least_external_bytes: int


@dataclass(frozen=True)
class Simulated:
    """A run. `exact`: its outputs have the bytes of the emulator's. Seconds are of this machine's processors.

    `peaks` are operations and bytes per second of the target: of its arrays, and of the levels by their names.
    """

    suite: str
    name: str
    target: str
    total_ps: int
    core_ps: int
    macs: int
    macs_per_cycle: int
    launches: tuple[Launch, ...]
    bytes: Mapping[str, int]
    busy: Mapping[str, float]
    exact: bool
    compile_seconds: float
    simulate_seconds: float
    peaks: Mapping[str, float]
    bar: Bar | None = None
    note: str = ""
    vary: Mapping[str, Value] = field(default_factory=dict)
    ops: Ops | None = None

    @property
    def cycles(self) -> int:
        """Of the core clock, begun ones too."""
        return -(-self.total_ps // self.core_ps)

    @property
    def bound_ps(self) -> int:
        """The rooflines of the launches, one after the other."""
        return sum(launch.bound.total_ps for launch in self.launches)

    @property
    def floor_ps(self) -> int:
        """What the busiest resource does over all launches, as if all could run at once: no run is faster."""
        return max(sum(launch.bound.resources[name] for launch in self.launches) for name in RESOURCES)

    @property
    def ratio(self) -> float:
        """To the roofline bound."""
        return self.total_ps / self.bound_ps if self.bound_ps else float("inf")

    @property
    def predicted(self) -> int | None:
        """Cycles that the closed model gives for all launches; None where it has none for one of them."""
        each = [launch.predicted for launch in self.launches]
        return sum(each) if all(each) else None

    @property
    def limit(self) -> str:
        """The resource of the bound that takes most of it."""
        of = {name: sum(one.bound.total_ps for one in self.launches if one.bound.limit == name) for name in RESOURCES}
        return max(RESOURCES, key=lambda name: of[name])

    @property
    def shares(self) -> dict[str, float]:
        """What bars ask for: the peak, the bound, the array's own part of it and external bandwidth (by the least
        traffic) over the run; and of the least external bytes of one kernel per op, those that were not moved.
        """
        total, least = self.total_ps, sum(launch.bound.resources["external"] for launch in self.launches)
        shares = {
            "peak": self.macs * self.core_ps / (self.macs_per_cycle * total),
            "bound": self.bound_ps / total,
            "array bound": sum(launch.bound.resources["array"] for launch in self.launches) / total,
            "external bandwidth": least / total,
        }
        if self.ops is not None:
            shares["saved by fusion"] = 1 - self.external_bytes / self.ops.least_external_bytes
        return shares

    @property
    def holds(self) -> bool | None:
        """Whether the bar is held; None where there is none."""
        return None if self.bar is None else self.shares[self.bar.share] >= self.bar.least

    @property
    def external_bytes(self) -> int:
        """That passed between the chip and external memory."""
        return sum(launch.external_bytes for launch in self.launches)

    @property
    def least_external_bytes(self) -> int:
        """Of all launches, each byte of their operands and results once."""
        return sum(launch.bound.bytes for launch in self.launches)

    def to_json(self) -> dict[str, Any]:
        """Everything: cycles of the core clock, bytes, seconds of this machine's processors."""
        return {
            "suite": self.suite,
            "name": self.name,
            "target": self.target,
            "vary": dict(self.vary),
            "note": self.note,
            "cycles": self.cycles,
            "core_ps": self.core_ps,
            "total_ps": self.total_ps,
            "macs": self.macs,
            "macs_per_cycle": self.macs_per_cycle,
            "predicted_cycles": self.predicted,
            "bound_cycles": -(-self.bound_ps // self.core_ps),
            "floor_cycles": -(-self.floor_ps // self.core_ps),
            "to_bound": self.ratio,
            "limit": self.limit,
            "shares": self.shares,
            "busy": dict(self.busy),
            "bytes": dict(self.bytes),
            "external_bytes": self.external_bytes,
            "least_external_bytes": self.least_external_bytes,
            "exact": self.exact,
            "ops": None if self.ops is None else vars(self.ops),
            "bar": None if self.bar is None else {**vars(self.bar), "holds": self.holds},
            "compile_seconds": self.compile_seconds,
            "simulate_seconds": self.simulate_seconds,
            "launches": [
                {
                    "name": one.name,
                    "kind": one.kind,
                    "cycles": one.cycles,
                    "predicted_cycles": one.predicted or None,
                    "bound_cycles": -(-one.bound.total_ps // self.core_ps),
                    "limit": one.bound.limit,
                    "external_bytes": one.external_bytes,
                    "least_external_bytes": one.bound.bytes,
                }
                for one in self.launches
            ],
        }


def simulate(workload: Workload) -> Simulated:
    """What a workload takes, see `run`."""
    return run(workload)[0]


def run(workload: Workload) -> tuple[Simulated, Mapping[str, Array]]:
    """Compiles a workload and runs it on the simulator, and on the emulator for the bytes of its outputs.

    Gives what it took, and its outputs. Raises TfmbsError: what the compiler refuses, and `unsupported` for what the
    simulator does not execute.
    """
    start = time.process_time()
    model = workload.build()
    program = compiled_for(model, workload)
    if workload.change is not None:
        program = tfmbs.Program(workload.change(program.image))
    compiled = time.process_time()
    context = Kpu(program.image).context()
    entry, arrays = program.accepted.arrays(model.inputs, None)
    outputs = context.run(entry.name, arrays)
    ran = time.process_time()
    timing, stats, image = context.timing, context.stats, context.last.image
    first = image.entries[context.last.index]["first_descriptor"]
    launches = tuple(_launch(image, first, number, launch, timing) for number, launch in enumerate(stats.launches))
    simulated = Simulated(
        suite=workload.suite,
        name=workload.name,
        target=workload.target,
        total_ps=timing.total_ps,
        core_ps=timing.core_ps,
        macs=int(timing.column("macs").sum()),
        macs_per_cycle=timing.program.machine.target.macs_per_cycle,
        launches=launches,
        bytes=_bytes(timing),
        busy=busy_shares(timing),
        peaks=_peaks(timing.program.machine),
        exact=_same(outputs, program.run(model.inputs)),
        compile_seconds=compiled - start,
        simulate_seconds=ran - compiled,
        bar=workload.bar,
        note=workload.note,
        vary=workload.vary,
    )
    return simulated, outputs


def compiled_for(model: Model, workload: Workload) -> tfmbs.Program:
    """The program of a model for the target of a workload."""
    if not workload.vary:
        return tfmbs.compile(model.onnx, target=workload.target, **workload.how)
    with target_file(varied(workload.target, workload.vary)) as path:
        return tfmbs.compile(model.onnx, target=path, **workload.how)


def _launch(image: Image, first: int, number: int, launch: LaunchStats, timing: Timing) -> Launch:
    descriptor = image.descriptors[first + number]
    bound = bound_of(image, descriptor, timing, number, (launch.mem_reads, launch.mem_writes))
    moved = moved_bytes(timing, timing.column("launch") == number)[LINKS[0]]
    # Vector code that accesses external memory itself has no movements between levels.
    external = moved or (bound.bytes if launch.kind == Kind.VECTOR.name else 0)
    return Launch(launch.name, launch.kind, launch.cycles, launch.predicted_cycles, bound, external)


def _peaks(machine: Machine) -> dict[str, float]:
    target = machine.target
    movers = (("L3–L2", target.block_mover), ("L2–L1", target.streamer))
    return {
        "array": target.peak_gops * 1e9,
        "external": machine.external_per_million * 1e6,
        **{name: target.mover_gbytes_per_second(mover) * 1e9 for name, mover in movers},
    }


def _bytes(timing: Timing) -> dict[str, int]:
    return {
        f"{a.name.lower()}_to_{b.name.lower()}": timing.bytes_between(a, b)
        for one, other in LINKS
        for a, b in ((one, other), (other, one))
    }


def busy_shares(timing: Timing) -> dict[str, float]:
    """How much of the run each of `RESOURCES` worked: the mean of its engines, external memory by its bytes."""
    machine, total = timing.program.machine, timing.total_ps or 1
    engine, spent = timing.column("engine"), timing.end - timing.start
    shares = {}
    for kind in (EngineKind.ARRAY, EngineKind.VECTOR, *MOVERS):
        own = [number for number, one in enumerate(machine.engines) if one.kind is kind]
        shares[kind.name.lower()] = int(spent[np.isin(engine, own)].sum()) / (total * len(own))
    moved = timing.bytes_between(Level.EXTERNAL, Level.L3) + timing.bytes_between(Level.L3, Level.EXTERNAL)
    shares["external"] = machine.external_ps(moved) / total
    return {name: shares[name] for name in RESOURCES}


def _same(outputs: Mapping[str, Array], expected: Mapping[str, Array]) -> bool:
    return all(array.tobytes() == expected[name].tobytes() for name, array in outputs.items())
