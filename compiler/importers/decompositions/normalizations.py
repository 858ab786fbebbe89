"""Statistics, and normalizations beside whose results they are asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def native_layer_norm(
    x: Tensor, sizes: Sequence[int], weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The whole normalization, and mean and 1 / deviation over the last axes, of size 1 there; what is unused goes."""
    axes = list(range(x.dim() - len(sizes), x.dim()))
    mean = x.mean(axes, keepdim=True)
    offset = x - mean
    rstd = ((offset * offset).mean(axes, keepdim=True) + eps).rsqrt()
    if eps >= 0:
        return torch.ops.aten.layer_norm.default(x, list(sizes), weight, bias, eps), mean, rstd
    result = offset * rstd  # the fabric's own normalization takes no such number
    result = result if weight is None else result * weight
    return result if bias is None else result + bias, mean, rstd


def var(x: Tensor, dim: Sequence[int] | None = None, *, correction: float | None = None, keepdim: bool = False) -> Any:
    """Σ (x − mean)² / max(0, n − correction), where 1 is the default; of f16 and bf16 in f32."""
    found = var_mean(x, dim, correction=correction, keepdim=keepdim)
    return NotImplemented if found is NotImplemented else found[0]


def var_mean(
    x: Tensor, dim: Sequence[int] | None = None, *, correction: float | None = None, keepdim: bool = False
) -> Any:
    """As `var`, and the mean."""
    if x.is_complex():
        return NotImplemented
    axes = list(dim) if dim else list(range(x.dim()))
    wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    mean = wide.mean(axes, keepdim=True)
    offset = wide - mean
    count = math.prod(x.shape[axis] for axis in axes) - (1 if correction is None else correction)
    result = (offset * offset).sum(axes, keepdim=keepdim) / max(0, count)
    shown = mean if keepdim else mean.reshape(result.shape)
    return result.to(x.dtype), shown.to(x.dtype)
