"""Seeded random weights that keep activations near one, so that outputs are well conditioned at any depth."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

Module = TypeVar("Module", bound=nn.Module)

_WINDOWS = (nn.Conv1d, nn.Conv2d)


def seeded(make: Callable[[], Module], seed: int = 0) -> Module:
    """The module that `make` builds, in evaluation mode, its weights drawn from `seed`; the global generator stays.

    Products: normal with the standard deviation sqrt(1 / fan-in), sqrt(2 / fan-in) for convolutions (He et al. 2015:
    a ReLU halves the variance). Biases are small and not zero; a normalization's scale is near 1, and a batch
    normalization's running statistics are those of inputs that are not normalized yet, so that folding them matters.
    Embeddings are standard normal.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = make()
        for module in model.modules():
            _draw(module)
    return model.eval().requires_grad_(False)


def _draw(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        module.weight.normal_(0.0, math.sqrt(1 / module.in_features))
        _draw_bias(module.bias)
    elif isinstance(module, _WINDOWS):
        module.weight.normal_(0.0, math.sqrt(2 / module.weight[0].numel()))
        _draw_bias(module.bias)
    elif isinstance(module, nn.Embedding | nn.EmbeddingBag):
        module.weight.normal_(0.0, 1.0)
    elif isinstance(module, nn.LayerNorm | nn.BatchNorm2d):
        module.weight.normal_(1.0, 0.1)
        _draw_bias(module.bias)
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0.0, 0.1)
            module.running_var.uniform_(0.5, 1.5)


def _draw_bias(bias: torch.Tensor | None) -> None:
    if bias is not None:
        bias.normal_(0.0, 0.02)


def generator(seed: int = 0) -> torch.Generator:
    """What example inputs are drawn from."""
    return torch.Generator().manual_seed(seed)
