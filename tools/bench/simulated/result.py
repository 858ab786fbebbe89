"""What a run of a workload took, beside what it takes at least."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tfmbs.tools.bench.simulated.bound import RESOURCES, Bound
from tfmbs.tools.bench.simulated.variation import Value


@dataclass(frozen=True)
class Bar:
    """What is asked of a workload: at least `least` of a share, one of `Simulated.shares`."""

    share: str
    least: float


@dataclass(frozen=True)
class Launch:
    """A launch of a run: cycles of the core clock, its bound, external bytes, and what was predicted (0: nothing)."""

    name: str
    kind: str
    cycles: int
    predicted: int
    bound: Bound
    external_bytes: int
    predicted_external_bytes: int


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

    `busy` are shares of the run in which each of `RESOURCES` worked, the mean of its engines. `peaks` are operations
    and bytes per second of the target: of its arrays, and of the levels by their names. `profile` is of the energy.
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
    energy_pj: float
    profile: str
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
            "energy_pj": self.energy_pj,
            "profile": self.profile,
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
                    "predicted_external_bytes": one.predicted_external_bytes or None,
                    "least_external_bytes": one.bound.bytes,
                }
                for one in self.launches
            ],
        }
