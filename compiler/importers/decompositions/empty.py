"""Products whose contracted axis has no elements, and tensors of any content."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def product(x: Tensor, y: Tensor) -> Any:
    """x (…, n, k) · y (…, k, m), as `mm` and `bmm` take them, for k = 0."""
    if x.shape[-1]:
        return NotImplemented
    return torch.zeros((*x.shape[:-1], y.shape[-1]), dtype=x.dtype)


def addmm(added: Tensor, x: Tensor, y: Tensor, *, beta: float = 1, alpha: float = 1) -> Any:
    """added · beta, where x · y is empty sums; torch does not look at `added` where beta is 0."""
    del alpha
    if x.shape[-1]:
        return NotImplemented
    sizes = (x.shape[0], y.shape[1])
    return (added * beta).expand(sizes).clone() if beta else torch.zeros(sizes, dtype=added.dtype)


def zeros(sizes: Any, *, dtype: torch.dtype | None = None, **options: Any) -> Tensor:
    """`empty`: elements of any value, so zeros."""
    del options
    return torch.zeros(sizes, dtype=dtype)


def zeros_strided(sizes: Any, strides: Any, *, dtype: torch.dtype | None = None, **options: Any) -> Tensor:
    """`empty_strided`, whose strides no value shows."""
    del strides
    return zeros(sizes, dtype=dtype, **options)
