"""The engines, memories and clocks of a target, in integers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

from tfmbs.runtime.abi.array_timing import ArrayShape, Sizes, job_cycles, job_lag
from tfmbs.runtime.abi.records import Dataflow
from tfmbs.runtime.abi.target import Target

PICOSECONDS = 10**6  # of a microsecond: periods of MHz
KILO = 1000
QUEUES = 2  # of an engine


class EngineKind(IntEnum):
    """What an engine moves or computes."""

    DMA = 0
    BLOCK_MOVER = 1
    STREAMER = 2
    ARRAY = 3
    VECTOR = 4


@dataclass(frozen=True)
class EngineInfo:
    """An engine: its number among those of its kind, its clock, and bytes it moves per cycle (0: none)."""

    kind: EngineKind
    number: int
    period_ps: int
    width: int = 0


def period_ps(mhz: float) -> int:
    """The period of a clock in whole picoseconds, at least 1."""
    return max(1, round(PICOSECONDS / mhz))


@dataclass(frozen=True)
class Machine:
    """A target as the rule sees it. `external_bytes` pass in `KILO` picoseconds."""

    target: Target
    engines: tuple[EngineInfo, ...]
    external_bytes: float
    core_ps: int

    @classmethod
    def of(cls, target: Target) -> Machine:
        """The machine that a target describes."""
        engines: list[EngineInfo] = []
        for kind, mover in ((EngineKind.DMA, target.dma), (EngineKind.BLOCK_MOVER, target.block_mover)):
            period = period_ps(target.clock_mhz(mover.clock))
            engines += [EngineInfo(kind, i, period, mover.width_bytes) for i in range(mover.count)]
        # The Streamers of a tile feed it together, side by side: as one of their joint width.
        streamer, groups = target.streamer, min(target.streamer.count, target.tiles)
        period = period_ps(target.clock_mhz(streamer.clock))
        for i in range(groups):
            together = streamer.count // groups + (i < streamer.count % groups)
            engines.append(EngineInfo(EngineKind.STREAMER, i, period, together * streamer.width_bytes))
        core = period_ps(target.clocks.core_mhz)
        for kind in (EngineKind.ARRAY, EngineKind.VECTOR):
            engines += [EngineInfo(kind, i, core) for i in range(target.tiles)]
        return cls(target, tuple(engines), target.external.channels * target.external.gbytes_per_second, core)

    def first(self, kind: EngineKind) -> int:
        """The first engine of a kind; those of a kind follow each other."""
        return self._firsts[kind]

    @cached_property
    def _firsts(self) -> list[int]:
        return [[engine.kind for engine in self.engines].index(kind) for kind in EngineKind]

    def queue(self, engine: int, outbound: bool) -> int:
        """The queue of an engine for data towards the array, or for results on their way back."""
        return QUEUES * engine + outbound

    def external_ps(self, count: int) -> int:
        """How long external memory is busy with so many bytes, rounded up."""
        return -(-count * PICOSECONDS // self.external_per_million)

    @cached_property
    def external_per_million(self) -> int:
        """Bytes that external memory moves in 10⁶ picoseconds: bandwidth has at most three decimals."""
        return round(self.external_bytes * KILO)

    def streamer_of(self, tile: int) -> int:
        """The engine that feeds a tile: its Streamers, or one that it shares with other tiles."""
        return self.first(EngineKind.STREAMER) + tile % self._streamers

    @cached_property
    def _streamers(self) -> int:
        return min(self.target.streamer.count, self.target.tiles)

    @property
    def array(self) -> ArrayShape:
        """PEs of a tile."""
        return ArrayShape(self.target.array.rows, self.target.array.columns)

    @property
    def has_lanes(self) -> bool:
        """Whether tiles take one k step of all lanes per cycle, instead of a systolic array."""
        return self.target.kind == "lanes"


def array_cycles(machine: Machine, dataflow: Dataflow, sizes: Sizes, is_buffered: bool, is_continued: bool) -> int:
    """What a tile's array takes for a step of an output tile; `is_continued`: it adds to sums of an earlier one."""
    if machine.has_lanes:
        return sizes.m * -(-sizes.n // machine.target.array.columns) * sizes.k
    continued = is_continued and dataflow is Dataflow.OUTPUT_STATIONARY
    return job_cycles(dataflow, sizes, machine.array, is_overlapped=is_buffered, is_continued=continued)


def array_lag(machine: Machine, dataflow: Dataflow, sizes: Sizes, is_buffered: bool) -> int:
    """Of these, the last ones, in which the array takes the operands of the next step already."""
    if machine.has_lanes or not is_buffered:
        return 0
    return job_lag(dataflow, sizes, machine.array)
