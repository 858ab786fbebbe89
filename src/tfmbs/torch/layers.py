"""Layers that compute with ternary weights already while they are trained, on real weights underneath.

Each is torch's layer of the same parameters, so that state dictionaries, optimizers and initialization are those of
torch. Exported, they keep the operators of `tfmbs.compiler.importers.trained_operators`, from which the compiler takes
the very trits that `trits()` shows.
"""

from __future__ import annotations

from typing import TypedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

from tfmbs.compiler.importers.trained_operators import (
    Rounded,
    absmean_ternary,
    bit_linear,
    real,
    ternary,
    ternary_weight,
)


class TelemetryHint(TypedDict):
    """What a binary will count of a layer's weights: the fields of the `telemetry` on its launch."""

    layer: str
    zero_count: int
    total: int
    sparsity: float


class TernaryLayer(nn.Module):
    """What the layers share: their trits and scales as they are now."""

    weight: Tensor

    def rounded(self) -> Rounded:
        """Trits, i8 of the shape of the weight, and the f32 scale of each output channel.

        Raises:
            TfmbsError: ``quantize``, weights are not finite.
        """
        return ternary(self.weight)

    def trits(self) -> Tensor:
        """The trits, i8 of the shape of the weight."""
        return self.rounded()[0]

    def scales(self) -> Tensor:
        """The f32 scale of each output channel."""
        return self.rounded()[1]

    def rounded_weight(self) -> Tensor:
        """What the layer computes with, trit · scale, of the shape and type of the weight; without a gradient."""
        return real(self.rounded(), self.weight.dtype)

    def telemetry_hint(self, layer: str = "") -> TelemetryHint:
        """The telemetry that a binary of these weights reports for the layer, known before it is compiled."""
        trits = self.trits()
        zeros, total = int((trits == 0).sum()), trits.numel()
        return TelemetryHint(layer=layer, zero_count=zeros, total=total, sparsity=zeros / total if total else 0.0)


class TernaryLinear(TernaryLayer, nn.Linear):
    """A linear layer of weights trit · scale, a scale for each output channel.

    Trits are sign(w) where |w| > 0.7 · mean|w| of the channel, the scale is the mean |w| over those (Li and Liu,
    "Ternary weight networks", 2016). Gradients are passed straight through to the real weights: ∂L/∂w = ∂L/∂(trit ·
    scale).
    """

    def forward(self, x: Tensor) -> Tensor:
        """x (…, in) -> (…, out)."""
        out: Tensor = functional.linear(x, ternary_weight(self.weight), self.bias)
        return out


class TernaryConv2d(TernaryLayer, nn.Conv2d):
    """A convolution of weights trit · scale, by the rule of `TernaryLinear` for each output channel."""

    def forward(self, x: Tensor) -> Tensor:
        """x (n, in, height, width) -> (n, out, height', width')."""
        out: Tensor = self._conv_forward(x, ternary_weight(self.weight), self.bias)
        return out


class BitLinear(TernaryLayer, nn.Linear):
    """The linear layer of BitNet b1.58: trits with one scale, and each row of the input as integers of 8 bits.

    scale = mean|w|, trit = round(w / scale) in −1…1; input · 127 / max|input| of its row, rounded (Ma et al., "The era
    of 1-bit LLMs: all large language models are in 1.58 bits", 2024; activations after Wang et al., "BitNet: scaling
    1-bit transformers for large language models", 2023). The normalization in front is a layer of its own. Inputs are
    f32. Gradients go straight through both roundings. The binary computes the same bits as this module.
    """

    def rounded(self) -> Rounded:
        """See `TernaryLayer`; all channels have the same scale."""
        return absmean_ternary(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """x (…, in) of f32 -> (…, out)."""
        rows: Tensor = bit_linear(x.reshape(-1, self.in_features), self.weight)
        out = rows.reshape(*x.shape[:-1], self.out_features)
        bias: Tensor | None = self.bias
        return out if bias is None else out + bias


def telemetry_hints(module: nn.Module) -> dict[str, TelemetryHint]:
    """`telemetry_hint` of each layer of a tree with ternary weights, by its path."""
    with torch.no_grad():
        layers = [(name, layer) for name, layer in module.named_modules() if isinstance(layer, TernaryLayer)]
        return {name: layer.telemetry_hint(name) for name, layer in layers}
