"""The contract's float arithmetic in numpy, written from the rules and independent of the native code."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
CANONICAL_NAN = {
    np.float32: np.uint32(0x7FC00000).view(np.float32),
    np.float64: np.uint64(0x7FF8000000000000).view(np.float64),
}


def canonical(x: NDArray[Any]) -> NDArray[Any]:
    """Every NaN of an array of f32 or f64 becomes the canonical one."""
    return np.where(np.isnan(x), CANONICAL_NAN[x.dtype.type], x)


def fma(a: F32, b: F32, c: F32) -> F32:
    """a * b + c rounded once to f32.

    The product of two f32 is exact in f64; the sum with c is rounded to odd in f64 (53 bits, more than 24 + 2), so that
    rounding it to f32 is rounding the exact sum (Boldo and Melquiond).
    """
    with np.errstate(all="ignore"):
        product = np.multiply(a, b, dtype=np.float64)
        addend = np.asarray(c, np.float64)
        total = product + addend
        part = total - product
        error = (product - (total - part)) + (addend - part)
        even = (total.view(np.int64) & 1) == 0
        odd = np.where((error != 0) & even, np.nextafter(total, np.copysign(np.inf, error)), total)
        return np.where(np.isfinite(total), odd, total).astype(np.float32)


def minimum(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """IEEE 754-2019 minimum: NaN wins, −0 < +0."""
    zeros = np.where(np.signbit(a), a, b)
    least = np.where((a == 0) & (b == 0), zeros, np.where(a < b, a, b))
    return canonical(np.where(np.isnan(a), a, np.where(np.isnan(b), b, least)))


def maximum(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """IEEE 754-2019 maximum: NaN wins, −0 < +0."""
    zeros = np.where(np.signbit(a), b, a)
    most = np.where((a == 0) & (b == 0), zeros, np.where(a > b, a, b))
    return canonical(np.where(np.isnan(a), a, np.where(np.isnan(b), b, most)))


def dot(lhs: NDArray[Any], rhs: NDArray[Any], valid: NDArray[np.bool_] | None = None) -> NDArray[Any]:
    """sum over ascending k of lhs[..., k] * rhs[..., k], with broadcasting.

    f32: fused, from +0.0, steps where `valid` is false left out; integers: exact i32.
    """
    if lhs.dtype != np.float32:
        return np.einsum("...k,...k->...", lhs.astype(np.int64), rhs.astype(np.int64)).astype(np.int32)
    lhs, rhs = np.broadcast_arrays(lhs, rhs.astype(np.float32))
    total = np.zeros(lhs.shape[:-1], np.float32)
    for k in range(lhs.shape[-1]):
        step = fma(lhs[..., k], rhs[..., k], total)
        total = step if valid is None else np.where(valid[..., k], step, total)
    return canonical(total)
