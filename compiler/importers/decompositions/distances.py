"""Distances of vectors in a p-norm."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def cdist_forward(x: Tensor, y: Tensor, p: float, compute_mode: int | None) -> Tensor:
    """Between all rows of x (…, n, d) and y (…, m, d) -> (…, n, m)."""
    del compute_mode  # which says by what steps torch may compute it
    return _norm(x[..., :, None, :] - y[..., None, :, :], p)


def pdist_forward(x: Tensor, p: float = 2) -> Tensor:
    """Between the rows i < j of x (n, d) -> (n · (n − 1) / 2,)."""
    rows = x.shape[0]
    if rows < 2:
        return torch.zeros(0, dtype=x.dtype)
    return _norm(torch.cat([x[row + 1 :] - x[row] for row in range(rows - 1)]), p)


def _norm(x: Tensor, p: float) -> Tensor:
    """The p-norm over the last axis; for p = 0 the number of elements that are not zero."""
    if not x.shape[-1] or not x.numel():
        return torch.zeros(x.shape[:-1], dtype=x.dtype)
    size = x.abs()
    if p == 0:
        return size.ne(0).to(x.dtype).sum(-1)
    if p == 1:
        return size.sum(-1)
    if p == 2:
        return (x * x).sum(-1).sqrt()
    if math.isinf(p):
        return size.amax(-1)
    return (size**p).sum(-1) ** (1 / p)
