"""Padding, pooling and convolution: forms that torch-mlir has no lowering of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

_ATEN = torch.ops.aten


def constant_pad_nd(x: Tensor, pad: Sequence[int], value: float = 0) -> Any:
    """Padding by less than nothing cuts; an empty tensor becomes all padding. `pad` starts with the last axis."""
    cuts = any(amount < 0 for amount in pad)
    if not cuts and x.numel():
        return NotImplemented
    axes = range(x.dim() - 1, x.dim() - 1 - len(pad) // 2, -1)
    sizes = list(x.shape)
    for axis, before, after in zip(axes, pad[::2], pad[1::2], strict=True):
        sizes[axis] += before + after
        first, last = max(0, -before), x.shape[axis] - max(0, -after)
        x = x.narrow(axis, min(first, x.shape[axis]), max(0, last - first))
    if not x.numel():
        return torch.full(sizes, value, dtype=x.dtype)
    rest = [max(0, amount) for amount in pad]
    padded: Tensor = _ATEN.constant_pad_nd(x, rest, value) if any(rest) else x.clone()
    return padded


def pool(rank: int, op: Any) -> Callable[..., Any]:
    """The decomposition of a pooling `op` over `rank` axes: without batch, or without strides of its own."""

    def decomposed(x: Tensor, kernel_size: Sequence[int], stride: Sequence[int] = (), *rest: Any) -> Any:
        if not x.numel():
            return NotImplemented
        if x.dim() == rank + 1:
            results = op(x[None], kernel_size, stride, *rest)
            return results[0] if isinstance(results, Tensor) else tuple(result[0] for result in results)
        if not stride:
            return op(x, kernel_size, list(kernel_size), *rest)
        return NotImplemented

    return decomposed


def convolution(  # noqa: PLR0913, PLR0917  # the arguments are ATen's
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Any:
    """A transposed convolution in groups, as a convolution of its input with zeros between the elements.

    x (N, C, …), weight (C, O / groups, …): the weight's channels change places within each group, and its axes turn.
    """
    if not transposed or groups == 1:
        return NotImplemented
    rank = x.dim() - 2
    stride, padding, dilation, extra = (per_axis(v, rank) for v in (stride, padding, dilation, output_padding))
    sizes = x.shape[2:]
    between = [amount for step in reversed(stride) for amount in (0, step - 1, 0, 0)]
    apart = x.reshape(*x.shape[:2], *(size for axis in sizes for size in (axis, 1)))
    spread = _ATEN.constant_pad_nd(apart, between, 0.0)
    spread = spread.reshape(*x.shape[:2], *(size * step for size, step in zip(sizes, stride, strict=True)))
    around = []
    for step, pad, far, more, k in zip(stride, padding, dilation, extra, weight.shape[2:], strict=True):
        before = far * (k - 1) - pad
        around += [(before, before + more - (step - 1))]
    spread = _ATEN.constant_pad_nd(spread, [amount for pair in reversed(around) for amount in pair], 0.0)
    channels, outputs, *kernel = weight.shape
    turned = weight.flip(list(range(2, weight.dim()))).reshape(groups, channels // groups, outputs, *kernel)
    turned = turned.transpose(1, 2).reshape(groups * outputs, channels // groups, *kernel)
    ones, zeros = [1 for _ in kernel], [0 for _ in kernel]
    result: Tensor = _ATEN.convolution(spread, turned, bias, ones, zeros, dilation, False, zeros, groups)
    return result


def per_axis(values: Sequence[int], rank: int) -> list[int]:
    """One value for each of `rank` axes; a single one is that of all."""
    return list(values) * rank if len(values) == 1 else list(values)
