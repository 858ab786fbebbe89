"""ResNet-18 (He et al., "Deep residual learning for image recognition", 2015): 11.7 M parameters, 224×224 images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from examples.models.seeded import generator, seeded


@dataclass(frozen=True)
class Config:
    """Channels and blocks of each stage; `image` is the side of an image in pixels."""

    channels: tuple[int, ...] = (64, 128, 256, 512)
    blocks: int = 2
    classes: int = 1000
    image: int = 224


FULL = Config()
SMALL = Config(channels=(8, 16), blocks=1, classes=10, image=32)


class Block(nn.Module):
    """Two 3×3 convolutions beside a shortcut, which is a 1×1 convolution where sizes change."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels:
            conv = nn.Conv2d(channels_in, channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(conv, nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, channels, h / stride, w / stride)."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += self.downsample(x)
        out: Tensor = self.relu(y)
        return out


class ResNet(nn.Module):
    """Stem, stages of residual blocks, global average pooling, classifier."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.channels[0]
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        stages = []
        for index, channels in enumerate(config.channels):
            blocks = [Block(width, channels, 1 if index == 0 else 2)]
            blocks += [Block(channels, channels, 1) for _ in range(config.blocks - 1)]
            stages.append(nn.Sequential(*blocks))
            width = channels
        self.layers = nn.Sequential(*stages)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(width, config.classes)

    def forward(self, image: Tensor) -> Tensor:
        """Images (n, 3, image, image) -> logits (n, classes)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(image))))
        logits: Tensor = self.fc(torch.flatten(self.avgpool(self.layers(x)), 1))
        return logits


def build(config: Config = FULL) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """The module with seeded weights, and example inputs."""
    image = torch.randn(1, 3, config.image, config.image, generator=generator())
    return seeded(lambda: ResNet(config)), (image,)
