"""The operators of layers that train with ternary weights, which exported programs keep: `tfmbs.torch` calls them.

Their values are those of the binary: weights by the same arithmetic as post-training quantization, and a `bit_linear`
step by step as the kernel computes it. Gradients are passed straight through the rounding (Bengio, Léonard and
Courville, "Estimating or propagating gradients through stochastic neurons for conditional computation", 2013, §4).
Importing this module registers them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, library

from tfmbs.passes.graph.quantization import F32, I8, absmean, ternarize
from tfmbs.runtime.abi.errors import TfmbsError

_LEAST = 1e-5
_MOST = 127

Rounded = tuple[Tensor, Tensor]
"""Trits, i8 of the shape of the weights, and their scales, f32 of one for each output channel (axis 0)."""


def ternary(weight: Tensor) -> Rounded:
    """Trits above 0.7 · mean|w| of their output channel, by `quantization.ternarize`.

    Raises:
        TfmbsError: ``quantize``, weights are not finite.
    """
    return _rounded(weight, ternarize)


def absmean_ternary(weight: Tensor) -> Rounded:
    """Trits nearest to the weights over their mean magnitude, by `quantization.absmean`; the scale repeats per channel.

    Raises:
        TfmbsError: ``quantize``, weights are not finite.
    """

    def by_channel(weights: F32) -> tuple[I8, F32]:
        trits, scale = absmean(weights)
        return trits, np.full(len(weights), scale, np.float32)

    return _rounded(weight, by_channel)


def _rounded(weight: Tensor, rule: Callable[[F32], tuple[I8, F32]]) -> Rounded:
    try:
        trits, scales = rule(weight.detach().float().cpu().numpy())
    except ValueError as error:
        raise TfmbsError("quantize", "ternary layer", str(error)) from error
    return torch.from_numpy(trits).to(weight.device), torch.from_numpy(scales.reshape(-1)).to(weight.device)


def real(rounded: Rounded, dtype: torch.dtype) -> Tensor:
    """What rounded weights are worth: trit · scale, an exact product."""
    trits, scales = rounded
    return trits.to(dtype) * scales.to(dtype).reshape(-1, *[1] * (trits.ndim - 1))


@library.custom_op("tfmbs::ternary_weight", mutates_args=())
def ternary_weight(weight: Tensor) -> Tensor:
    """The weights O×… as trit · scale of their output channel; the gradient is that of the result."""
    return real(ternary(weight), weight.dtype)


@library.custom_op("tfmbs::bit_linear", mutates_args=())
def bit_linear(x: Tensor, weight: Tensor) -> Tensor:
    """x M×K of f32, as i8 by the largest magnitude of each row, times the `absmean` trits of the weights N×K: M×N.

    factor = 127 / max(max|x|, 1e-5), stored = saturate(round_half_even(x · factor)), 0 for a NaN; result =
    f32(sum) · scale / factor, each step rounded to f32. Gradients: of x, through the weights as they are rounded; of
    the weights, through the rounded x.

    Raises:
        TfmbsError: ``usage``, for another element type than f32; ``quantize``, weights are not finite.
    """
    for what, tensor in (("input", x), ("weights", weight)):
        if tensor.dtype != torch.float32:
            raise TfmbsError("usage", "bit_linear", f"element type of {what}", "float32", str(tensor.dtype))
    trits, scales = absmean_ternary(weight)
    stored, factor = _by_row(x)
    sums = stored.double() @ trits.double().T  # integers below 2⁵³: exact
    return sums.float() * scales / factor


def _by_row(x: Tensor) -> tuple[Tensor, Tensor]:
    """Rows as integers of i8, and the factor M×1 of each."""
    magnitude = x.abs().nan_to_num(nan=0.0, posinf=float("inf")).amax(dim=1, keepdim=True)
    factor = torch.full_like(magnitude, _MOST) / magnitude.clamp(min=_LEAST)
    scaled = (x * factor).nan_to_num(nan=0.0, posinf=float("inf"), neginf=float("-inf"))
    return scaled.round().clamp(-_MOST - 1, _MOST), factor


@ternary_weight.register_fake
def _(weight: Tensor) -> Tensor:
    return torch.empty_like(weight)


@bit_linear.register_fake
def _(x: Tensor, weight: Tensor) -> Tensor:
    return x.new_empty(x.shape[0], weight.shape[0])


def _straight(ctx: Any, gradient: Tensor) -> Tensor:
    del ctx
    return gradient


def _keep(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
    del output
    ctx.save_for_backward(*inputs)


def _of_bit_linear(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
    x, weight = ctx.saved_tensors
    by_x, by_weight = ctx.needs_input_grad
    stored, factor = _by_row(x)
    return (
        gradient @ real(absmean_ternary(weight), gradient.dtype) if by_x else None,
        gradient.T @ (stored / factor) if by_weight else None,
    )


ternary_weight.register_autograd(_straight)
bit_linear.register_autograd(_of_bit_linear, setup_context=_keep)
