"""The arithmetic of docs/numerics.md in numpy: f32 with one rounding where the page has one, integers exact.

A fused multiply-add is computed in f64 and rounded to f32: the product of two f32 is exact there, so that only a sum
that lies within 2⁻²⁹ of a tie could differ. Functions are f64's, rounded once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F = np.float32


def total(x: F32) -> F32:
    """The sum over the last axis: sixteen partial sums, element i to partial i mod 16, folded 8, 4, 2, 1."""
    padded = np.zeros((*x.shape[:-1], -(-x.shape[-1] // 16) * 16), F)
    padded[..., : x.shape[-1]] = x
    rows = np.moveaxis(padded.reshape(*x.shape[:-1], -1, 16), -2, 0)
    parts = np.zeros(rows.shape[1:], F)
    for row in rows:
        parts = parts + row
    for half in (8, 4, 2, 1):
        parts = parts[..., :half] + parts[..., half : 2 * half]
    return parts[..., 0]


def fused(a: Any, b: Any, acc: F32) -> F32:
    """a · b + acc, rounded once."""
    result: F32 = (np.asarray(a, np.float64) * np.asarray(b, np.float64) + acc).astype(F)
    return result


def product(x: F32, weights: F32) -> F32:
    """x (…, m, k) times the transpose of weights (…, n, k): one accumulator for each result, ascending k."""
    acc = np.zeros(np.broadcast_shapes(x[..., :1].shape, weights[..., None, :, 0].shape), F)
    for k in range(x.shape[-1]):
        acc = fused(x[..., k : k + 1], weights[..., None, :, k], acc)
    return acc


def ternary_product(x: F32, trits: npt.NDArray[np.int8], scales: F32) -> F32:
    """x (m, k), as i8 by the largest magnitude of each row, times trits (n, k) with the scale of each row (n,).

    The sums are integers below 2²⁴, so those of f32 are they in any order.
    """
    stored, factor = by_magnitude(x)
    assert 128 * trits.shape[1] < 1 << 24
    sums = stored @ trits.astype(F).T
    result: F32 = (sums * scales).astype(F) / factor
    return result


def grouped_product(x: F32, groups: npt.NDArray[np.int8], scales: F32) -> F32:
    """x (m, k), as i8 by the largest magnitude of each row, times groups (count, width, n) with scales (count, n)."""
    stored, factor = by_magnitude(x)
    acc = np.zeros((len(x), groups.shape[2]), F)
    assert 128 * 128 * groups.shape[1] < 1 << 24
    for part, group, scale in zip(np.split(stored, len(groups), axis=1), groups, scales, strict=True):
        acc = fused(part @ group.astype(F), scale, acc)
    result: F32 = acc / factor
    return result


def by_magnitude(x: F32) -> tuple[F32, F32]:
    """x (m, k) as integers of i8 by the largest magnitude of each row, and by how much they are larger (m, 1)."""
    factor = (F(127) / np.maximum(np.abs(x).max(axis=1), F(1e-5))).astype(F)[:, None]
    return np.clip(np.rint(x * factor), -128, 127).astype(F), factor


def rms_norm(x: F32, gamma: F32, epsilon: float) -> F32:
    """x · rsqrt(mean x² + ε) · γ."""
    mean = total(x * x) / F(x.shape[-1]) + F(epsilon)
    root = (1 / np.sqrt(mean.astype(np.float64))).astype(F)
    return x * root[..., None] * gamma


def softmax(scores: F32) -> F32:
    """Over the last axis."""
    shifted = scores - scores.max(axis=-1, keepdims=True)
    powers = np.exp(shifted.astype(np.float64)).astype(F)
    return powers / total(powers)[..., None]


def sigmoid(x: F32) -> F32:
    """1 / (1 + exp(−x))."""
    wide = x.astype(np.float64)
    result: F32 = (1 / (1 + np.exp(-wide))).astype(F)
    return result
