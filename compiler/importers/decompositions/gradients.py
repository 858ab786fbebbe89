"""Gradients of pooling and convolution."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tfmbs.compiler.importers.decompositions.windows import per_axis

_ATEN = torch.ops.aten


def adaptive_avg_pool2d_backward(grad: Tensor, x: Tensor) -> Tensor:
    """Each gradient is shared out among its window: from floor(i · size / n) to ceil((i + 1) · size / n)."""
    for axis in (-2, -1):
        size, windows = x.shape[axis], grad.shape[axis]
        numbers, places = torch.arange(windows), torch.arange(size)
        starts, ends = _floor_div(numbers * size, windows), _ceil_div((numbers + 1) * size, windows)
        lengths = (ends - starts).to(grad.dtype)
        first = _floor_div(places * windows, size)
        most = -(-windows // size) + 1
        grad = _spread(grad / (lengths[:, None] if axis == -2 else lengths), axis, starts, ends, first, most)
    return grad


def avg_pool2d_backward(
    grad: Tensor,
    x: Tensor,
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Tensor:
    """Each gradient is shared out among the elements of its window, in as many parts as the average had."""
    del ceil_mode  # which `grad` has the sizes of
    kernel, pads = ((*sizes, *sizes)[:2] for sizes in (kernel_size, padding))
    strides = (*stride, *stride)[:2] if stride else kernel
    starts, ends, lengths = [], [], []
    for axis, k, step, pad in zip((-2, -1), kernel, strides, pads, strict=True):
        size = x.shape[axis]
        start = torch.arange(grad.shape[axis]) * step - pad
        end = (start + k).clamp(max=size + pad)
        starts.append(start.clamp(min=0))
        ends.append(end.clamp(max=size))
        lengths.append((end - start if count_include_pad else ends[-1] - starts[-1]).to(grad.dtype))
    grad = grad / (divisor_override or lengths[0][:, None] * lengths[1])
    for i, (axis, k, step, pad) in enumerate(zip((-2, -1), kernel, strides, pads, strict=True)):
        reached = torch.arange(x.shape[axis]) + pad - k
        first = (_floor_div(reached.clamp(min=-step), step) + 1).clamp(min=0)
        grad = _spread(grad, axis, starts[i], ends[i], first, -(-k // step))
    return grad


def _spread(values: Tensor, axis: int, starts: Tensor, ends: Tensor, first: Tensor, most: int) -> Tensor:
    """The sum, for each element along `axis`, of the values of the windows that hold it.

    Windows are from `starts` to `ends`; an element is in at most `most` windows, of which `first` is one or before one.
    """
    axis += values.dim()
    places, windows = torch.arange(first.shape[0]), starts.shape[0]
    total = torch.zeros((*values.shape[:axis], first.shape[0], *values.shape[axis + 1 :]), dtype=values.dtype)
    for rank in range(most):
        window = (first + rank).clamp(max=windows - 1)
        held = (starts.index_select(0, window) <= places) & (places < ends.index_select(0, window))
        mask = (held & (first + rank < windows)).reshape(-1, *(1 for _ in range(values.dim() - 1 - axis)))
        total = total + torch.where(mask, values.index_select(axis, window), 0.0)
    return total


def _floor_div(x: Tensor, divisor: int) -> Tensor:
    return torch.div(x, divisor, rounding_mode="floor")


def _ceil_div(x: Tensor, divisor: int) -> Tensor:
    return _floor_div(x + divisor - 1, divisor)


def convolution_backward(  # noqa: PLR0913, PLR0917  # the arguments are ATen's
    grad: Tensor,
    x: Tensor,
    weight: Tensor,
    bias_sizes: Sequence[int] | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
    output_mask: Sequence[bool],
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Gradients of input, weight and bias (N, O, …), as far as `output_mask` asks for them.

    That of the input is the transposed convolution, by the same weight; that of the weight a convolution of the input
    by the gradient, whose strides and dilations have changed places.
    """
    del bias_sizes, output_padding
    spatial = range(2, x.dim())
    stride, padding, dilation = (per_axis(values, len(spatial)) for values in (stride, padding, dilation))
    for_input = for_weight = for_bias = None
    if output_mask[0]:
        sizes = zip(x.shape[2:], grad.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True)
        left = [n - ((m - 1) * s - 2 * p + d * (k - 1) + 1) for n, m, k, s, p, d in sizes]
        extra = [0 for _ in left] if transposed else left
        for_input = _ATEN.convolution(grad, weight, None, stride, padding, dilation, not transposed, extra, groups)
    if output_mask[1]:
        wide, narrow = (grad, x) if transposed else (x, grad)
        product = _ATEN.convolution(
            _batches_as_channels(wide, groups), narrow.transpose(0, 1), None, dilation, padding, stride, False,
            [0 for _ in spatial], groups,
        )  # fmt: skip
        for axis in spatial:
            product = product.narrow(axis, 0, weight.shape[axis])
        for_weight = product.transpose(0, 1)
    if output_mask[2]:
        for_bias = grad.sum([0, *spatial])
    return for_input, for_weight, for_bias


def _batches_as_channels(x: Tensor, groups: int) -> Tensor:
    """(N, groups · c, …) -> (c, groups · N, …)."""
    n, channels, *sizes = x.shape
    apart = x.reshape(n, groups, channels // groups, *sizes)
    order = (2, 1, 0, *range(3, apart.dim()))
    return apart.permute(order).reshape(channels // groups, groups * n, *sizes)
