"""Which ATen ops of an exported program are spelled out by others before import, and how."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch._decomp import core_aten_decompositions, get_decompositions
from torch.nn import functional

from tfmbs.runtime.abi.errors import TfmbsError

Table = dict[Any, Callable[..., Any]]

_ATEN = torch.ops.aten

KEPT = (
    "all", "any", "avg_pool1d", "avg_pool2d", "conv1d", "conv2d", "conv3d", "empty_like", "eye",
    "isclose", "isfinite", "layer_norm", "linalg_vector_norm", "linear", "matmul", "max_pool2d", "norm", "one_hot",
    "roll", "transpose", "silu", "gelu", "softmax", "upsample_nearest2d",
)  # fmt: skip
"""Ops that stay whole: `convert-torch-to-tfmbs` or torch-mlir's lowering takes them so, and does better for it."""

_MORE = (
    _ATEN.native_group_norm,
    _ATEN._native_batch_norm_legit_functional,
    _ATEN._native_batch_norm_legit,
    _ATEN._native_batch_norm_legit.no_stats,
    _ATEN._adaptive_avg_pool2d,
    _ATEN._log_softmax,
    _ATEN.logsumexp,
    _ATEN.grid_sampler_2d,
    _ATEN.squeeze.dims,
    _ATEN.upsample_bilinear2d.vec,
)
"""Ops outside of the core set's decompositions that torch-mlir has no lowering of."""


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(q · kᵀ · scale + mask) · v over (…, t, d), (…, s, d), (…, s, dv).

    Heads that share a key become rows of one product with it, so that keys and values (a whole cache) are not repeated.
    A row that the mask hides entirely is zero, as in torch.
    """
    if dropout_p:
        raise TfmbsError("torch.unsupported", "scaled_dot_product_attention", "dropout has no fixed result")
    rows, width = query.shape[-2:]
    columns = key.shape[-2]
    factor = 1 / math.sqrt(width) if scale is None else scale
    scores = _products(query * factor, key.transpose(-2, -1), enable_gqa)
    if is_causal:
        allowed = torch.arange(columns, device=query.device) <= torch.arange(rows, device=query.device)[:, None]
        scores = torch.where(allowed, scores, -math.inf)
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        # The lowest finite number: a row that is hidden entirely has weights of 1 / s then, not NaN, and loses them.
        scores = torch.where(attn_mask, scores, torch.finfo(scores.dtype).min)
        weights = torch.where(attn_mask, functional.softmax(scores, -1), 0.0)
    elif attn_mask is not None:
        masked = scores + attn_mask
        shown = masked != -math.inf
        # As above: NaN of the inputs stays, a row of -inf alone becomes zero.
        finite = torch.where(shown, masked, torch.finfo(masked.dtype).min)
        weights = torch.where(shown, functional.softmax(finite, -1), 0.0)
    else:
        weights = functional.softmax(scores, -1)
    return _products(weights, value, enable_gqa)


def _products(left: Tensor, right: Tensor, grouped: bool) -> Tensor:
    """left (…, heads, t, k) · right (…, groups, k, n); adjacent heads share a group."""
    *batch, heads, rows, inner = left.shape
    groups = right.shape[-3] if right.dim() > 2 else 1
    if not grouped or groups == heads:
        return torch.matmul(left, right)
    shared = left.reshape(*batch, groups, heads // groups * rows, inner)
    return torch.matmul(shared, right).reshape(*batch, heads, rows, right.shape[-1])


@cache
def table() -> Table:
    """Overload → its decomposition."""
    decompositions = {**core_aten_decompositions(), **get_decompositions(_MORE)}
    kept = {getattr(_ATEN, name) for name in KEPT}
    chosen = {op: rule for op, rule in decompositions.items() if op._overloadpacket not in kept}
    chosen[_ATEN.scaled_dot_product_attention.default] = scaled_dot_product_attention
    return chosen
