"""How far an array is from what it should be: the figures of the error table, and when they are too large."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfmbs.runtime.abi.errors import TfmbsError

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Figures:
    """The distance of two arrays of one shape and type.

    Attributes:
        max_abs: the largest |ours − reference|, infinite where only one of the two is a NaN or they differ by infinity.
        max_rel: the largest |ours − reference| / |reference|; 0 where both are equal, infinite over a zero.
        cosine: of the angle between both as vectors, of their finite elements; 1 where both are zero.
        ulp: the most floats that lie between two elements, None for integers and beside a NaN.
        scale: the largest finite |reference|.
        unequal: how many elements differ.
        sqnr: the ratio of signal to (quantization) noise, 10 · log10(Σ reference² / Σ (ours − reference)²) in dB, of
            elements finite in both; infinite where they are equal, −infinite where the reference is 0.
    """

    max_abs: float
    max_rel: float
    cosine: float
    ulp: int | None
    scale: float
    unequal: int
    sqnr: float

    def exceeds(self, tolerance: float) -> bool:
        """Whether max_abs is more than `tolerance` times the scale; with a tolerance of 0, whether anything differs."""
        return self.unequal > 0 and (tolerance == 0 or not self.max_abs <= tolerance * self.scale)


def measure(ours: Array, reference: Array, where: str) -> Figures:
    """The figures of `ours` beside `reference`. NaNs at the same place are equal, and so are zeros of either sign.

    Raises:
        TfmbsError: ``mismatch``, they differ in shape or element type; `where` names the value.
    """
    if reference.dtype.kind == "V" and ours.dtype.kind == "u" and ours.dtype.itemsize == reference.dtype.itemsize:
        ours = ours.view(reference.dtype)  # numpy has no bf16: a program gives its bits
    for what, got, expected in (
        ("shape", ours.shape, reference.shape),
        ("element type", ours.dtype, reference.dtype),
    ):
        if got != expected:
            raise TfmbsError("mismatch", where, what, expected, got)
    a, b = ours.ravel(), reference.ravel()
    with np.errstate(all="ignore"):
        wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
        equal = (a == b) | (np.isnan(wide_a) & np.isnan(wide_b))
        distance = np.where(equal, 0.0, _distance(a, b))
        distance[np.isnan(distance)] = math.inf
        relative = np.where(equal, 0.0, distance / np.abs(wide_b))
        relative[np.isnan(relative)] = math.inf
    finite = np.isfinite(wide_a) & np.isfinite(wide_b)
    return Figures(
        max_abs=float(distance.max(initial=0.0)),
        max_rel=float(relative.max(initial=0.0)),
        cosine=_cosine(wide_a[finite], wide_b[finite]),
        ulp=_ulp(a[~equal], b[~equal]) if is_float(ours) else None,
        scale=float(np.abs(wide_b[np.isfinite(wide_b)]).max(initial=0.0)),
        unequal=int((~equal).sum()),
        sqnr=_sqnr(distance[finite], wide_b[finite]),
    )


def is_float(array: Array) -> bool:
    """Whether the elements are floats, of numpy's types or of those beside it (bf16, fp8)."""
    return array.dtype.kind == "f" or (array.dtype.kind == "V" and "float" in array.dtype.name)


def _distance(a: Array, b: Array) -> Array:
    if a.dtype.kind not in "iu":
        absolute: Array = np.abs(a.astype(np.float64) - b.astype(np.float64))
        return absolute
    # Modulo 2⁶⁴ the difference is right, where two large integers would be one f64.
    return (np.maximum(a, b).astype(np.uint64) - np.minimum(a, b).astype(np.uint64)).astype(np.float64)


def _cosine(a: Array, b: Array) -> float:
    # Scaled first: squares of large elements would overflow, those of small ones vanish.
    tops = [float(np.abs(v).max(initial=0.0)) for v in (a, b)]
    if tops == [0.0, 0.0]:
        return 1.0
    if 0.0 in tops:
        return 0.0
    a, b = a / tops[0], b / tops[1]
    return float(np.clip(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)), -1, 1))


def _sqnr(noise: Array, signal: Array) -> float:
    tops = [float(np.abs(v).max(initial=0.0)) for v in (signal, noise)]
    if tops[1] == 0.0:
        return math.inf
    if tops[0] == 0.0:
        return -math.inf
    # Scaled first, as for the cosine.
    powers = [float(((v / top) ** 2).sum()) for v, top in zip((signal, noise), tops, strict=True)]
    return 10 * math.log10(powers[0] / powers[1]) + 20 * (math.log10(tops[0]) - math.log10(tops[1]))


def _ulp(a: Array, b: Array) -> int | None:
    """The largest distance on the line of all floats of this type, on which the bits of positive ones count up."""
    if any(np.isnan(values.astype(np.float64)).any() for values in (a, b)):
        return None
    unsigned = np.dtype(f"u{a.dtype.itemsize}")
    sign = unsigned.type(1 << (8 * a.dtype.itemsize - 1))
    lines = []
    for values in (a, b):
        bits = np.where(values == 0, unsigned.type(0), values.view(unsigned))  # both zeros are one place
        lines.append(np.where(bits & sign, ~bits, bits | sign))
    low, high = np.minimum(*lines), np.maximum(*lines)
    # −0 has a place of its own between the signs, which nothing takes here.
    crosses = (low & sign == 0) & (high & sign != 0)
    return int((high - low - crosses.astype(unsigned)).max(initial=0))
