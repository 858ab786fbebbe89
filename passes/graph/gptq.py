"""Rounding of weights that makes up for its own error: GPTQ, after Frantar et al., on arrays.

Source: Frantar, Ashkboos, Hoefler and Alistarh, "GPTQ: Accurate post-training quantization for generative pre-trained
transformers", ICLR 2023, Algorithm 1; the update of one weight is that of Hassibi and Stork, "Second order derivatives
for network pruning: optimal brain surgeon", 1993. For weights W (N×K) and inputs X whose second moment is H = XᵀX
(K×K), the error of the outputs is tr((W − Q)·H·(W − Q)ᵀ). Columns are rounded one after the other; what rounding
column i to q leaves is spread over the columns that are still real:

    δ = −(wᵢ − qᵢ) / [H⁻¹]ᵢᵢ · [H⁻¹]ᵢ,ᵢ₊₁…

with H⁻¹ of the columns from i on. With H⁻¹ = UᵀU, U upper triangular, that is (wᵢ − qᵢ) / Uᵢᵢ · Uᵢ,ᵢ₊₁… for all i.

The products and the factorization are those of numpy's linear algebra: on one machine the same inputs give the same
integers; on another, last bits of the sums may differ, and with them, rarely, an integer.
"""

from __future__ import annotations

import numpy as np

from tfmbs.passes.graph.grids import F32, F64, I8, Grid, real_weights

DAMPING = 0.1
"""Of the mean of H's diagonal, added to the diagonal: inputs that hardly vary would else make others take any error.
The paper takes 0.01; samples are fewer here, and more damping fits them less closely (docs/quantization.md)."""

REFINEMENTS = 1
"""How often scales are fitted to the integers, and the weights rounded again."""

BLOCK = 128
"""Columns whose errors are spread at once over the columns behind them."""


def gptq(
    weights: F32, moment: F64, grid: Grid, *, damping: float = DAMPING, refinements: int = REFINEMENTS
) -> tuple[I8, F32]:
    """Weights N×K on a grid: stored integers N×K and their scales N×G, in f32.

    Args:
        moment: K×K, symmetric: the sum, or mean, of x·xᵀ over the layer's inputs x. Its factor does not matter.
        damping: added to the diagonal, as a fraction of its mean; at least what makes the moment positive definite.

    Columns are rounded in falling order of the diagonal: those whose inputs are largest first, while there are others
    to make up for them. Scales are chosen before, from the weights as they are. Then those are fitted to the integers,
    the least squares of the outputs, and the weights rounded again; rows that lose by it stay as they were.

    Raises:
        ValueError: weights or moment are not finite, the moment is of another size or not positive definite when
            damped, or groups do not divide K.
    """
    rows = weights.astype(np.float64)
    hessian = damped(moment, rows.shape[1], damping)
    if not np.isfinite(rows).all():
        raise ValueError("weights are not finite")
    importance = np.diag(hessian)
    scales = grid.scales(rows, importance)
    order = np.argsort(-importance, kind="stable")
    factor = inverse_factor(hessian[np.ix_(order, order)])

    def rounded(scales: F32) -> I8:
        per_column = np.repeat(scales.astype(np.float64), grid.columns(rows.shape[1]), axis=1)
        stored = np.empty(rows.shape, np.int8)
        stored[:, order] = _rounded(rows[:, order], per_column[:, order], factor, grid).astype(np.int8)
        return stored

    stored = rounded(scales)
    errors = _row_errors(rows - real_weights(stored, scales), hessian)
    for _ in range(refinements if errors.any() else 0):
        fitted = fitted_scales(rows, hessian, stored, scales)
        fitted = fitted if grid.signed else np.where(fitted > 0, fitted, scales)
        again = rounded(fitted)
        new = _row_errors(rows - real_weights(again, fitted), hessian)
        better = (new < errors)[:, None]
        stored, scales = np.where(better, again, stored), np.where(better, fitted, scales)
        errors = np.minimum(errors, new)
    return stored, scales


def fitted_scales(rows: F64, hessian: F64, stored: I8, scales: F32) -> F32:
    """The scales N×G with the least error of outputs, (w − s·q)·H·(w − s·q)ᵀ of each row; near `scales` where the
    integers do not tell.

    Each row's scales solve M·s = b with M the sums of qₖ·Hₖₗ·qₗ over pairs of groups, and b those of qₖ·(H·w)ₖ.
    """
    (n, count), width = scales.shape, rows.shape[1]
    integers = stored.astype(np.float64)
    groups = integers.reshape(n, count, -1)
    right = (integers * (rows @ hessian)).reshape(groups.shape).sum(axis=2)
    matrix = np.empty((n, count, count))
    for g in range(count):
        span = slice(g * width // count, (g + 1) * width // count)
        matrix[:, :, g] = (integers * (groups[:, g] @ hessian[span])).reshape(groups.shape).sum(axis=2)
    diagonal = np.einsum("ngg->ng", matrix)
    ridge = np.maximum(RIDGE * diagonal.mean(axis=1), np.finfo(np.float64).tiny)
    matrix += ridge[:, None, None] * np.eye(count)
    right += ridge[:, None] * scales
    fitted: F32 = np.linalg.solve(matrix, right[:, :, None])[:, :, 0].astype(np.float32)
    return fitted


RIDGE = 1e-6
"""Of the mean diagonal of the equations of scales, which pulls them to what they were."""


def _row_errors(difference: F64, hessian: F64) -> F64:
    errors: F64 = ((difference @ hessian) * difference).sum(axis=1)
    return errors


def round_product(weights: F32, moment: F64, grid: Grid, *, damping: float = DAMPING) -> tuple[I8, F32]:
    """Stored weights of the shape of a product's `weights`, and scales N×G; `moment` has a matrix for each group of
    output channels. Raises ValueError as `gptq`.
    """
    rows = weights.reshape(len(moment), -1, moment.shape[1])
    parts = [gptq(part, own, grid, damping=damping) for part, own in zip(rows, moment, strict=True)]
    stored, scales = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return stored.reshape(weights.shape), scales


def damped(moment: F64, size: int, damping: float) -> F64:
    """The moment with a fraction of the mean of its diagonal added there; the identity where all inputs are 0.

    Raises:
        ValueError: as `gptq`.
    """
    if moment.shape != (size, size):
        raise ValueError(f"second moment of {moment.shape[0]} inputs for {size} weights")
    if not np.isfinite(moment).all():
        raise ValueError("second moment is not finite")
    diagonal = np.diag(moment)
    if not diagonal.any():
        return np.eye(size)
    hessian: F64 = moment + np.eye(size) * (damping * diagonal.mean())
    return hessian


def inverse_factor(hessian: F64) -> F64:
    """The upper triangular U with UᵀU = H⁻¹. Raises ValueError where H is not positive definite.

    With H in reverse order L·Lᵀ, it is R·Rᵀ for the upper triangular R that L in reverse order is; U is R⁻¹.
    """
    try:
        lower = np.linalg.cholesky(hessian[::-1, ::-1])
    except np.linalg.LinAlgError as error:
        raise ValueError("second moment is not positive definite") from error
    factor: F64 = np.triu(np.linalg.solve(lower[::-1, ::-1], np.eye(len(hessian))))
    return factor


def _rounded(rows: F64, scales: F64, factor: F64, grid: Grid) -> F64:
    """The stored integers of `rows`, which become what was left to round."""
    stored = np.empty_like(rows)
    width = rows.shape[1]
    for first in range(0, width, BLOCK):
        last = min(first + BLOCK, width)
        errors = np.empty((rows.shape[0], last - first))
        for i in range(first, last):
            stored[:, i] = grid.nearest(rows[:, i], scales[:, i])
            error = (rows[:, i] - stored[:, i] * scales[:, i]) / factor[i, i]
            rows[:, i + 1 : last] -= np.outer(error, factor[i, i + 1 : last])
            errors[:, i - first] = error
        rows[:, last:] -= errors @ factor[first:last, last:]
    return stored


def output_error(difference: F64, moment: F64) -> float:
    """tr(D·H·Dᵀ): the squared error of the outputs that weights N×K make which are off by `difference`."""
    return float(_row_errors(difference, moment).sum())
