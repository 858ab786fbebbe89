"""A cell of the benchmark of networks: one program on so many threads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tfmbs.tools.bench.timing import Timing


@dataclass(frozen=True)
class ModelCell:
    """`tokens` are those of a decoder's step, else 0; `launches` count and seconds of ours by kind, slowest first."""

    network: str
    precision: str
    program: str
    ours: bool
    threads: int
    timing: Timing
    tokens: int
    weight_bytes: int | None
    stream_bytes_per_second: float
    cosine: float
    worst: float
    right: bool
    launches: Mapping[str, tuple[int, float]] = field(default_factory=dict)

    @property
    def row(self) -> tuple[str, str, int]:
        """What cells are compared by."""
        return self.network, self.precision, self.threads

    @property
    def tokens_per_second(self) -> float | None:
        """Of a decoder."""
        return self.tokens / self.timing.median if self.tokens else None

    @property
    def stream_share(self) -> float | None:
        """Of a decoder's step of one token, which reads all weights once: their bytes over time, of the read stream."""
        if self.tokens != 1 or self.weight_bytes is None:
            return None
        return self.weight_bytes / self.timing.median / self.stream_bytes_per_second

    def to_json(self) -> dict[str, Any]:
        """Everything, in seconds and bytes."""
        return {
            "network": self.network,
            "precision": self.precision,
            "program": self.program,
            "ours": self.ours,
            "threads": self.threads,
            "rounds": self.timing.rounds,
            "median_seconds": self.timing.median,
            "best_seconds": self.timing.best,
            "tokens": self.tokens,
            "tokens_per_second": self.tokens_per_second,
            "weight_bytes": self.weight_bytes,
            "read_stream_bytes_per_second": self.stream_bytes_per_second,
            "read_stream_share": self.stream_share,
            "cosine": self.cosine,
            "worst_error": self.worst if math.isfinite(self.worst) else None,
            "right": self.right,
            "launches": {kind: {"count": n, "seconds": seconds} for kind, (n, seconds) in self.launches.items()},
        }
