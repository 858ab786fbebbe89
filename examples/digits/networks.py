"""The networks as torch modules: a small CNN, the same with ternary weights, and an MLP with ternary weights."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from tfmbs.torch import TernaryLinear, convert


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


class TernaryCnn(Cnn):
    """The CNN with weights of three values in all layers, biases in float."""

    def __init__(self) -> None:
        super().__init__()
        convert(self)


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
