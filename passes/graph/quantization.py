"""The arithmetic of quantization on arrays: scales, zero points, int8 and ternary weights, the bound of accumulators.

Computed in f64, sums in ascending order; scales are rounded once to f32. Results do not depend on the machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
I8 = npt.NDArray[np.int8]
I32 = npt.NDArray[np.int32]

ACTIVATION_MIN, ACTIVATION_MAX = -128, 127
WEIGHT_MAX = 127
INT4_MAX = 7
TERNARY_THRESHOLD = 0.7
ABSMEAN_LEAST = 1e-5
SMALLEST_NORMAL = 2.0**-126
I32_MIN, I32_MAX = -(2**31), 2**31 - 1


@dataclass(frozen=True)
class Activation:
    """Per-tensor i8 quantization: real = scale · (stored − zero_point); `scale` is an f32 value."""

    scale: float
    zero_point: int

    @property
    def largest(self) -> int:
        """Largest |stored − zero_point|."""
        return max(ACTIVATION_MAX - self.zero_point, self.zero_point - ACTIVATION_MIN)


def activation_for(low: float, high: float) -> Activation:
    """Asymmetric i8 quantization of the range low…high, widened to contain 0, which is represented exactly.

    A range of nothing but 0 gets scale 1; another has at least the smallest normal f32, below which a rounded scale
    could be too small to reach the ends. Raises ValueError for a range that is empty, not finite or too wide for f32.
    """
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ValueError(f"range {low}…{high} is not finite or not ordered")
    low, high = min(low, 0.0), max(high, 0.0)
    step = (high - low) / (ACTIVATION_MAX - ACTIVATION_MIN)
    scale = _scale(max(step, SMALLEST_NORMAL) if low < high else 0.0)
    zero_point = round(ACTIVATION_MIN - low / scale)
    return Activation(scale, min(max(zero_point, ACTIVATION_MIN), ACTIVATION_MAX))


def quantize_weights(weights: F32) -> tuple[I8, F32]:
    """Symmetric int8 weights in −127…127 and the scale of each output channel (axis 0): weights ≈ stored · scale.

    A channel of zeros gets scale 1. Raises ValueError for weights that are not finite.
    """
    rows = _rows(weights)
    scales = np.array([_scale(peak / WEIGHT_MAX) for peak in np.abs(rows).max(axis=1)], np.float32)
    stored = np.clip(np.rint(rows / scales.astype(np.float64)[:, None]), -WEIGHT_MAX, WEIGHT_MAX)
    return stored.astype(np.int8).reshape(weights.shape), scales


def quantize_int4(weights: F32, group: int | None = None) -> tuple[I8, F32]:
    """Symmetric 4-bit weights in −7…7, of the shape of `weights`, and the f32 scales N×G: weights ≈ stored · scale.

    A scale is max|w| / 7 over each `group` weights of an output channel (axis 0), which divides the others, or over
    all of them (G = 1); 1 where they are zeros. Raises ValueError for weights that are not finite.
    """
    rows = _rows(weights)
    groups = rows.reshape(rows.shape[0], -1, rows.shape[1] if group is None else group)
    peaks = np.abs(groups).max(axis=2)
    scales = np.array([_scale(peak / INT4_MAX) for peak in peaks.reshape(-1)], np.float32).reshape(peaks.shape)
    stored = np.clip(np.rint(groups / scales.astype(np.float64)[:, :, None]), -INT4_MAX, INT4_MAX)
    return stored.astype(np.int8).reshape(weights.shape), scales


def ternarize(weights: F32, group: int | None = None) -> tuple[I8, F32]:
    """Trits of the shape of `weights` and the f32 scales N×G: weights ≈ trit · scale, one scale for each `group`
    weights of an output channel (axis 0), which divides the others, or for all of them (G = 1).

    Selected are the weights above 0.7 · mean|w| of their group; the scale is the mean of |w| over them. Weights that
    are ternary up to a scale per group come out exactly; a group of zeros gets scale 0. Source: Li and Liu,
    "Ternary weight networks", 2016. Raises ValueError for weights that are not finite.
    """
    rows = _rows(weights)
    count = 1 if group is None else rows.shape[1] // group
    rows = rows.reshape(rows.shape[0] * count, -1)
    magnitude = np.abs(rows)
    selected = magnitude > TERNARY_THRESHOLD * (_ordered_sum(magnitude) / magnitude.shape[1])[:, None]
    scales = _ordered_sum(np.where(selected, magnitude, 0.0)) / np.maximum(selected.sum(axis=1), 1)
    trits = (np.sign(rows) * selected).astype(np.int8)
    return trits.reshape(weights.shape), scales.astype(np.float32).reshape(-1, count)


def absmean(weights: F32) -> tuple[I8, np.float32]:
    """Trits of the shape of `weights` and their one scale: weights ≈ trit · scale.

    scale = max(mean|w|, 1e-5) over all weights, a trit is round_half_even(w / scale) in −1…1. Source: Ma et al., "The
    era of 1-bit LLMs: all large language models are in 1.58 bits", 2024, §2. Raises ValueError for weights that are
    not finite.
    """
    flat = _rows(weights).reshape(1, -1)
    scale = np.float32(max(float(_ordered_sum(np.abs(flat))[0]) / flat.size, ABSMEAN_LEAST))
    trits = np.clip(np.rint(flat / np.float64(scale)), -1, 1)
    return trits.astype(np.int8).reshape(weights.shape), scale


def accumulator_scales(activation: Activation, stored: I8, scales: F32, bias: F32 | None) -> F32:
    """What one unit of each channel's accumulator is worth: activation scale · weight scale, in f32.

    A channel whose weights are all zero accumulates its bias only, so there the unit is |bias|, or 1 without.
    """
    units = np.float32(activation.scale) * scales.astype(np.float32)
    dead = ~stored.reshape(stored.shape[0], -1).any(axis=1)
    magnitude = np.zeros_like(units) if bias is None else np.abs(bias.astype(np.float32))
    return np.where(dead, np.where(magnitude > 0, magnitude, np.float32(1)), units)


def quantize_bias(bias: F32, scales: F32) -> I32:
    """bias / scale of each channel, rounded half to even and saturated to i32; where the scale is 0, 0."""
    wide = scales.astype(np.float64)
    stored = np.rint(np.divide(bias.astype(np.float64), wide, out=np.zeros(bias.shape), where=wide != 0))
    return np.clip(stored, I32_MIN, I32_MAX).astype(np.int32)


def accumulator_bound(stored: I8, largest_activation: int, bias: I32 | None = None) -> int:
    """Largest magnitude of any accumulator or partial sum: max over channels of Σ|w| · max|a − zero point| + |bias|."""
    bounds = np.abs(stored.astype(np.int64)).reshape(stored.shape[0], -1).sum(axis=1) * largest_activation
    if bias is not None:
        bounds = bounds + np.abs(bias.astype(np.int64))
    return int(bounds.max())


def _rows(weights: F32) -> npt.NDArray[np.float64]:
    if not np.isfinite(weights).all():
        raise ValueError("weights are not finite")
    return weights.astype(np.float64).reshape(weights.shape[0], -1)


def _ordered_sum(rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    # numpy's own sum groups its terms by the vector unit it finds.
    return np.add.accumulate(rows, axis=1)[:, -1]


def _scale(exact: float) -> float:
    """The f32 nearest to a scale, 1 where that is 0."""
    with np.errstate(over="ignore"):
        scale = float(np.float32(exact))
    if math.isinf(scale):
        raise ValueError(f"scale {exact:g} exceeds f32")
    return scale or 1.0
