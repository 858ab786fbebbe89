"""MobileNetV2 (Sandler et al., "Inverted residuals and linear bottlenecks", 2018): 3.5 M parameters, 224×224 images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from examples.models.seeded import generator, seeded


@dataclass(frozen=True)
class Config:
    """Rows of `stages` are expansion, channels, repetitions and stride of the first, as in table 2 of the paper."""

    stages: tuple[tuple[int, int, int, int], ...] = (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
    stem: int = 32
    head: int = 1280
    classes: int = 1000
    image: int = 224


FULL = Config()
SMALL = Config(stages=((1, 8, 1, 1), (6, 12, 2, 2)), stem=8, head=32, classes=10, image=32)


def convolution(channels_in: int, channels: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution, batch normalization, ReLU6."""
    conv = nn.Conv2d(channels_in, channels, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels), nn.ReLU6(inplace=True))


class Bottleneck(nn.Module):
    """Expansion, depthwise convolution and linear projection; with a shortcut where sizes stay."""

    def __init__(self, channels_in: int, channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = channels_in * expansion
        layers: list[nn.Module] = [] if expansion == 1 else [convolution(channels_in, hidden, 1)]
        layers.append(convolution(hidden, hidden, 3, stride, groups=hidden))
        layers += [nn.Conv2d(hidden, channels, 1, bias=False), nn.BatchNorm2d(channels)]
        self.conv = nn.Sequential(*layers)
        self.shortcut = stride == 1 and channels_in == channels

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, channels, h / stride, w / stride)."""
        y: Tensor = self.conv(x)
        return x + y if self.shortcut else y


class MobileNetV2(nn.Module):
    """Stem, bottlenecks, a 1×1 convolution to `head` channels, global average pooling, classifier."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        layers: list[nn.Module] = [convolution(3, config.stem, 3, 2)]
        width = config.stem
        for expansion, channels, repetitions, stride in config.stages:
            for index in range(repetitions):
                layers.append(Bottleneck(width, channels, stride if index == 0 else 1, expansion))
                width = channels
        layers.append(convolution(width, config.head, 1))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(config.head, config.classes))

    def forward(self, image: Tensor) -> Tensor:
        """Images (n, 3, image, image) -> logits (n, classes)."""
        x = nn.functional.adaptive_avg_pool2d(self.features(image), (1, 1))
        logits: Tensor = self.classifier(torch.flatten(x, 1))
        return logits


def build(config: Config = FULL) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """The module with seeded weights, and example inputs."""
    image = torch.randn(1, 3, config.image, config.image, generator=generator())
    return seeded(lambda: MobileNetV2(config)), (image,)
