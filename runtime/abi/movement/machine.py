"""The engines, memories and clocks of a target, in integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from tfmbs.runtime.abi.array_timing import ArrayShape
from tfmbs.runtime.abi.target import Target

PICOSECONDS = 10**6  # of a microsecond: periods of MHz
KILO = 1000


class EngineKind(IntEnum):
    """What an engine moves or computes."""

    DMA = 0
    BLOCK_MOVER = 1
    STREAMER = 2
    ARRAY = 3
    VECTOR = 4


TRANSFERS = (EngineKind.DMA, EngineKind.BLOCK_MOVER, EngineKind.STREAMER)


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
        movers = zip(TRANSFERS, (target.dma, target.block_mover, target.streamer), strict=True)
        for kind, mover in movers:
            period = period_ps(target.clock_mhz(mover.clock))
            engines += [EngineInfo(kind, i, period, mover.width_bytes) for i in range(mover.count)]
        core = period_ps(target.clocks.core_mhz)
        for kind in (EngineKind.ARRAY, EngineKind.VECTOR):
            engines += [EngineInfo(kind, i, core) for i in range(target.tiles)]
        return cls(target, tuple(engines), target.external.channels * target.external.gbytes_per_second, core)

    def first(self, kind: EngineKind) -> int:
        """The first engine of a kind; those of a kind follow each other."""
        t = self.target
        counts = (t.dma.count, t.block_mover.count, t.streamer.count, t.tiles, t.tiles)
        return sum(counts[:kind])

    def queue(self, engine: int, outbound: bool) -> int:
        """The queue of an engine for data towards the array, or for results on their way back."""
        return 2 * engine + outbound

    def external_ps(self, count: int) -> int:
        """How long external memory is busy with so many bytes, rounded up."""
        return -(-count * PICOSECONDS // self.external_per_million)

    @property
    def external_per_million(self) -> int:
        """Bytes that external memory moves in 10⁶ picoseconds: bandwidth has at most three decimals."""
        return round(self.external_bytes * KILO)

    def streamers_of(self, tile: int) -> Sequence[int]:
        """The Streamers that serve a tile, as engines."""
        first, count, tiles = self.first(EngineKind.STREAMER), self.target.streamer.count, self.target.tiles
        if count <= tiles:
            return (first + tile % count,)
        return range(first + tile, first + count, tiles)

    @property
    def array(self) -> ArrayShape:
        """PEs of a tile."""
        return ArrayShape(self.target.array.rows, self.target.array.columns)

    @property
    def has_lanes(self) -> bool:
        """Whether tiles take one k step of all lanes per cycle, instead of a systolic array."""
        return self.target.kind == "lanes"
