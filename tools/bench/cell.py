"""A cell of the benchmark of products: one kernel at one problem on so many threads, beside the machine's limits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from tfmbs.tools.bench.timing import Timing

DRAM, CACHE = "dram", "cache"
"""Where weights are before a call: in memory, as the copies rotate, or where the last call left them."""


@dataclass(frozen=True)
class Limit:
    """What was measured of the machine in the rounds of a cell."""

    bytes_per_second: float
    unit: str
    operations_per_second: float


@dataclass(frozen=True)
class Cell:
    """Times are of one product. `worst` is of `Problem.worst`; `right` says whether it is within the tolerance."""

    kernel: str
    ours: bool
    isa: str | None
    type: str
    rows: int
    columns: int
    tokens: int
    threads: int
    residence: str
    copies: int
    weight_bits: float
    timing: Timing
    limit: Limit
    worst: float
    right: bool

    @property
    def operations(self) -> int:
        """Of one product: a multiplication and an addition for each weight and token."""
        return 2 * self.rows * self.columns * self.tokens

    @property
    def operations_per_second(self) -> float:
        """By the median."""
        return self.operations / self.timing.median

    @property
    def weight_bytes(self) -> float:
        """Of one product, as they lie in memory or file."""
        return self.rows * self.columns * self.weight_bits / 8

    @property
    def stream_share(self) -> float:
        """Weight bytes for each second, of what the read stream has."""
        return self.weight_bytes / self.timing.median / self.limit.bytes_per_second

    @property
    def peak_share(self) -> float:
        """Of what the multiplier does at most."""
        return self.operations_per_second / self.limit.operations_per_second

    def to_json(self) -> dict[str, Any]:
        """Everything, in seconds, bytes and operations."""
        return {
            "kernel": self.kernel,
            "ours": self.ours,
            "isa": self.isa,
            "type": self.type,
            "rows": self.rows,
            "columns": self.columns,
            "tokens": self.tokens,
            "threads": self.threads,
            "residence": self.residence,
            "copies": self.copies,
            "rounds": self.timing.rounds,
            "median_seconds": self.timing.median,
            "best_seconds": self.timing.best,
            "operations": self.operations,
            "operations_per_second": self.operations_per_second,
            "weight_bits": self.weight_bits,
            "weight_bytes_per_second": self.weight_bytes / self.timing.median,
            "read_stream_bytes_per_second": self.limit.bytes_per_second,
            "read_stream_share": self.stream_share,
            "unit": self.limit.unit,
            "unit_operations_per_second": self.limit.operations_per_second,
            "unit_share": self.peak_share,
            "worst_error": self.worst if math.isfinite(self.worst) else None,
            "right": self.right,
        }
