"""The two networks as torch modules: a small CNN, and an MLP whose weights are ternary already while it is trained."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

THRESHOLD = 0.7


def ternarize(weight: Tensor) -> Tensor:
    """Per output channel (row) c: alpha_c * {-1, 0, +1}, with the weights above 0.7 * mean|W_c| selected.

    alpha_c is the mean of |W_c| over the selected weights, computed in f64 and rounded once, so that ternarizing the
    result again gives the same bits. Source: Li and Liu, "Ternary weight networks", 2016.
    """
    magnitude = weight.double().abs()
    selected = magnitude > THRESHOLD * magnitude.mean(dim=1, keepdim=True)
    alpha = (magnitude * selected).sum(dim=1, keepdim=True) / selected.sum(dim=1, keepdim=True)
    return torch.where(selected, weight.sign() * alpha.float(), 0.0)


class TernaryLinear(nn.Linear):
    """A linear layer that computes with `ternarize(weight)` and passes the gradient straight through to `weight`."""

    def forward(self, x: Tensor) -> Tensor:
        """x (n, in) -> (n, out)."""
        ternary = self.weight + (ternarize(self.weight) - self.weight).detach()
        return functional.linear(x, ternary, self.bias)


class Cnn(nn.Module):
    """Two 3x3 convolutions with ReLU and max pooling, then two linear layers; 13,706 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.fc1 = nn.Linear(128, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Images (n, 1, 8, 8) -> logits (n, 10)."""
        x = functional.max_pool2d(self.conv1(x).relu(), 2)
        x = functional.max_pool2d(self.conv2(x).relu(), 2)
        out: Tensor = self.fc2(self.fc1(x.flatten(1)).relu())
        return out


class TernaryMlp(nn.Module):
    """Three ternary linear layers with float biases; 23,840 weights of three values."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = TernaryLinear(64, 160)
        self.fc2 = TernaryLinear(160, 80)
        self.fc3 = TernaryLinear(80, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Images (n, 1, 8, 8) or rows (n, 64) -> logits (n, 10)."""
        x = self.fc1(x.flatten(1)).relu()
        out: Tensor = self.fc3(self.fc2(x).relu())
        return out
