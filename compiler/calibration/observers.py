"""Observers: which range of a product's input the 256 integers of i8 stand for, from a histogram of its values.

Each takes the histogram and a shape of ranges, and gives how much of the whole range (smallest to largest value) is
kept at both ends. What is beyond the range saturates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tfmbs.compiler.calibration.histogram import F64, I64, Histogram
from tfmbs.passes.graph.quantization import ACTIVATION_MAX, ACTIVATION_MIN, activation_for

Range = tuple[float, float]

LEVELS = ACTIVATION_MAX - ACTIVATION_MIN + 1
PERCENTILE = 99.99
"""Percent of the values that are not 0 which the range of ``percentile`` holds, the others half at each end."""

FRACTIONS = np.linspace(1.0, 0.1, 91)
"""Parts of the whole range that ``mse`` and ``entropy`` try."""

_LEAST_PROBABILITY = 1e-9
"""Of a bin where the quantized distribution has nothing, so that its logarithm exists."""


@dataclass(frozen=True)
class Ends:
    """The whole range, widened to contain 0, and the ranges made of it. A symmetric one has zero point 0."""

    low: float
    high: float
    symmetric: bool

    def scaled(self, below: float, above: float) -> Range:
        """The range with these parts of the lower and the upper end; of a symmetric one, the larger of both."""
        low, high = self.low * below, self.high * above
        if not self.symmetric:
            return low, high
        # −128 steps to 127 steps: the zero point comes out as 0 whatever the scale is rounded to.
        most = max(-low, high)
        return most * ACTIVATION_MIN / ACTIVATION_MAX, most


def range_of(histogram: Histogram, observer: str, symmetric: bool) -> Range:
    """The range that an observer, one of `OBSERVERS`, makes of finite values."""
    ends = Ends(min(histogram.low, 0.0), max(histogram.high, 0.0), symmetric)
    return OBSERVERS[observer](histogram, ends)


def _minmax(histogram: Histogram, ends: Ends) -> Range:
    """All values."""
    return ends.scaled(1, 1)


def _percentile(histogram: Histogram, ends: Ends) -> Range:
    """The middle `PERCENTILE` of the values, to the outer edges of their bins."""
    middles, counts = histogram.filled()
    if not counts.size:
        return ends.scaled(1, 1)
    below = np.cumsum(counts)
    outside = (1 - PERCENTILE / 100) / 2 * below[-1]
    first = middles[np.searchsorted(below, outside, side="right")] - histogram.width / 2
    last = middles[np.searchsorted(below, below[-1] - outside, side="left")] + histogram.width / 2
    low, high = max(ends.low, min(first, 0.0)), min(ends.high, max(last, 0.0))
    return Ends(low, high, ends.symmetric).scaled(1, 1)


def _mse(histogram: Histogram, ends: Ends) -> Range:
    """The range with the least Σ (x − x̂)²: of both ends shrunk alike, then of each end alone.

    Source: Nagel et al., "A white paper on neural network quantization", 2021, §3.1.
    """
    return _searched(histogram, ends, _squared_error)


def _entropy(histogram: Histogram, ends: Ends) -> Range:
    """The range whose quantized distribution loses the least information: Σ p·log(p / q) over the bins.

    p counts values beyond the range in its outermost bins; q spreads what a level holds of the values inside evenly
    over its bins that are not empty. Source: Migacz, "8-bit inference with TensorRT", GTC 2017.
    """
    return _searched(histogram, ends, _divergence)


OBSERVERS: dict[str, Callable[[Histogram, Ends], Range]] = {
    "minmax": _minmax,
    "percentile": _percentile,
    "mse": _mse,
    "entropy": _entropy,
}


def _searched(histogram: Histogram, ends: Ends, loss: Callable[[F64, I64, Range], float]) -> Range:
    middles, counts = histogram.filled()
    if not counts.size:
        return ends.scaled(1, 1)

    def best(candidates: list[tuple[float, float]]) -> tuple[float, float]:
        # The first of equals: the widest.
        return min(candidates, key=lambda parts: loss(middles, counts, ends.scaled(*parts)))

    both, _ = best([(float(part), float(part)) for part in FRACTIONS])
    if ends.symmetric or not ends.low < 0 < ends.high:
        return ends.scaled(both, both)
    _, above = best([(both, both), *((both, float(part)) for part in FRACTIONS)])
    below, _ = best([(both, above), *((float(part), above) for part in FRACTIONS)])
    return ends.scaled(below, above)


def _levels(middles: F64, kept: Range) -> tuple[F64, npt.NDArray[np.intp]]:
    """What the middles of the bins become in steps from the zero point, and the number of their level in 0…255."""
    activation = activation_for(*kept)
    stored = np.clip(np.rint(middles / activation.scale) + activation.zero_point, ACTIVATION_MIN, ACTIVATION_MAX)
    return (stored - activation.zero_point) * activation.scale, (stored - ACTIVATION_MIN).astype(np.intp)


def _squared_error(middles: F64, counts: I64, kept: Range) -> float:
    values, _ = _levels(middles, kept)
    return float(np.sum(counts * (middles - values) ** 2))


def _divergence(middles: F64, counts: I64, kept: Range) -> float:
    inside = np.flatnonzero((middles >= kept[0]) & (middles <= kept[1]))
    if not inside.size:
        return np.inf
    first, last = inside[0], inside[-1]
    held = counts[inside].astype(np.float64)
    clipped = held.copy()
    clipped[0] += counts[:first].sum()
    clipped[-1] += counts[last + 1 :].sum()
    _, levels = _levels(middles[inside], kept)
    bins = np.bincount(levels, minlength=LEVELS)
    spread = np.bincount(levels, held, minlength=LEVELS)[levels] / bins[levels]
    p, q = clipped / clipped.sum(), np.maximum(spread / held.sum(), _LEAST_PROBABILITY)
    return float(np.sum(p * np.log(p / q)))
