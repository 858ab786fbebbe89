"""Products of vectors with batches of matrices, which torch-mlir lacks."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def matmul(x: Tensor, y: Tensor) -> Any:
    """x (k) · y (…, k, m) or x (…, n, k) · y (k), by matrices of one row or column."""
    if x.dim() == 1 and y.dim() > 2:
        return (x.unsqueeze(0) @ y).squeeze(-2)
    if y.dim() == 1 and x.dim() > 2:
        return (x @ y.unsqueeze(-1)).squeeze(-1)
    return NotImplemented
