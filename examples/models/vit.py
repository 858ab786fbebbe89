"""ViT-B/16 (Dosovitskiy et al., "An image is worth 16x16 words", 2020): 86 M parameters, 224×224 images."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from examples.models.seeded import generator, seeded


@dataclass(frozen=True)
class Config:
    """Sizes of the encoder; `image` and `patch` are sides in pixels."""

    image: int = 224
    patch: int = 16
    width: int = 768
    layers: int = 12
    heads: int = 12
    inner: int = 3072
    classes: int = 1000


FULL = Config()
SMALL = Config(image=32, patch=8, width=32, layers=2, heads=4, inner=64, classes=10)


class Attention(nn.Module):
    """Self-attention whose query, key and value come of one product."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.output = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        """(n, t, width) -> (n, t, width)."""
        n, t, width = x.shape
        qkv = self.qkv(x).reshape(n, t, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        y = functional.scaled_dot_product_attention(q, k, v)
        out: Tensor = self.output(y.transpose(1, 2).reshape(n, t, width))
        return out


class Layer(nn.Module):
    """Attention and a feed-forward network behind normalizations, each added to its input."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, eps=1e-6)
        self.attention = Attention(config)
        self.norm2 = nn.LayerNorm(config.width, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(config.width, config.inner), nn.GELU(), nn.Linear(config.inner, config.width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, t, width) -> (n, t, width)."""
        x = x + self.attention(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class VisionTransformer(nn.Module):
    """Patches as tokens behind one for the class, whose last state is classified."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        tokens = (config.image // config.patch) ** 2 + 1
        self.patches = nn.Conv2d(3, config.width, config.patch, config.patch)
        self.class_token = nn.Parameter(torch.randn(1, 1, config.width))
        self.positions = nn.Parameter(torch.randn(1, tokens, config.width) * 0.5)
        self.layers = nn.Sequential(*(Layer(config) for _ in range(config.layers)))
        self.norm = nn.LayerNorm(config.width, eps=1e-6)
        self.head = nn.Linear(config.width, config.classes)

    def forward(self, image: Tensor) -> Tensor:
        """Images (n, 3, image, image) -> logits (n, classes)."""
        x = self.patches(image).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(x.shape[0], -1, -1), x], dim=1) + self.positions
        logits: Tensor = self.head(self.norm(self.layers(x))[:, 0])
        return logits


def build(config: Config = FULL) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """The module with seeded weights, and example inputs."""
    image = torch.randn(1, 3, config.image, config.image, generator=generator())
    return seeded(lambda: VisionTransformer(config)), (image,)
