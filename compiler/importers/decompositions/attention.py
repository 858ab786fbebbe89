"""Attention, in products and a softmax."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from tfmbs.runtime.abi.errors import TfmbsError


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
