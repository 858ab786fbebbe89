"""What a launch should take by a closed model: time of its engines, and bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Bounds(NamedTuple):
    """Picoseconds that the engines of each kind work for a launch, all of a kind at once."""

    array: int
    vector: int
    external: int
    dma: int
    block_mover: int
    streamer: int


class Traffic(NamedTuple):
    """Bytes of operands, those of an epilogue too, that enter L3, L2 and L1, and of results that leave through each."""

    l3: int
    l2: int
    l1: int
    results: int


@dataclass(frozen=True)
class Prediction:
    """What a launch takes: `total_ps`, of which `latency_ps` is before the first and after the last fold."""

    bounds: Bounds
    traffic: Traffic
    latency_ps: int
    total_ps: int
    core_ps: int

    @property
    def cycles(self) -> int:
        """Of the core clock."""
        return -(-self.total_ps // self.core_ps)

    @property
    def external_bytes(self) -> int:
        """What external memory moves, both ways."""
        return self.traffic.l3 + self.traffic.results

    @property
    def limit(self) -> str:
        """The engine that works longest."""
        return max(Bounds._fields, key=lambda name: getattr(self.bounds, name))
