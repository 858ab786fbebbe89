"""Histograms of values that arrive in batches and whose size nobody knows before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

BINS = 4096
"""Of which at least 1024 lie between 0 and the largest magnitude: four or more to a step of i8."""


def _no_counts() -> I64:
    return np.zeros(BINS, np.int64)


@dataclass
class Histogram:
    """Counts of values in bins of equal width over −limit…limit, a power of two that doubles when a value is beyond it.

    Pairs of bins become one then, so that counts do not depend on the order of the values. Zeros do not count: every
    quantization keeps them exactly. `low` and `high` are the smallest and largest value, 0 among them or not.
    """

    low: float = np.inf
    high: float = -np.inf
    limit: float = 2.0**-126
    counts: I64 = field(default_factory=_no_counts)

    def add(self, values: npt.NDArray[Any]) -> None:
        """Takes in f32 values of any shape; those that are not finite count in `low` and `high` only."""
        self.low = float(np.minimum(self.low, values.min()))
        self.high = float(np.maximum(self.high, values.max()))
        flat = values.reshape(-1).astype(np.float64)
        counted = flat[np.isfinite(flat) & (flat != 0)]
        if not counted.size:
            return
        while np.abs(counted).max() > self.limit:
            self._double()
        places = np.floor((counted / self.limit + 1) * (BINS // 2)).astype(np.int64)
        self.counts += np.bincount(np.minimum(places, BINS - 1), minlength=BINS)

    def _double(self) -> None:
        merged = _no_counts()
        merged[BINS // 4 : 3 * BINS // 4] = self.counts.reshape(-1, 2).sum(axis=1)
        self.limit, self.counts = self.limit * 2, merged

    def filled(self) -> tuple[F64, I64]:
        """Middles and counts of the bins that are not empty, in ascending order."""
        places = np.flatnonzero(self.counts)
        middles = np.asarray((places + 0.5 - BINS // 2) * self.width, np.float64)
        return middles, self.counts[places]

    @property
    def width(self) -> float:
        """Of a bin."""
        return self.limit / (BINS // 2)
