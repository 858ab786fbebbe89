"""A Llama-style decoder (Touvron et al. 2023; Ainslie et al., "GQA", 2023), 2 layers of full width 2048.

RMSNorm, rotary position embedding, grouped-query attention with a cache, SwiGLU; no biases. The shapes are those of
the published 1.1 B model of this family (TinyLlama), with 2 layers of its 22.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from examples.models.cache import KeyValueCache
from examples.models.seeded import generator, seeded


@dataclass(frozen=True)
class Config:
    """Sizes of the decoder; `tokens` is the length of the example's prompt, `cache` what prompt and answer may have."""

    vocabulary: int = 32000
    width: int = 2048
    layers: int = 2
    heads: int = 32
    groups: int = 4
    inner: int = 5632
    theta: float = 10000.0
    tokens: int = 16
    cache: int = 64


FULL = Config()
SMALL = Config(vocabulary=97, width=32, layers=2, heads=4, groups=2, inner=48, tokens=6, cache=32)


class RmsNorm(nn.Module):
    """x / sqrt(mean(x²) + ε) · weight (Zhang and Sennrich, 2019)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(1 + 0.1 * torch.randn(width))

    def forward(self, x: Tensor) -> Tensor:
        """(…, width) -> (…, width)."""
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5) * self.weight


def rotate(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Rotary embedding (Su et al., 2021) of (n, heads, t, d) by angles (t, d), the halves of d as pairs."""
    first, second = x.chunk(2, dim=-1)
    return x * cosines + torch.cat([-second, first], dim=-1) * sines


class Attention(nn.Module):
    """Causal attention; `heads / groups` heads share a key and a value."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.heads, self.groups = config.heads, config.groups
        self.head_width = config.width // config.heads
        self.q = nn.Linear(config.width, config.width, bias=False)
        self.k = nn.Linear(config.width, self.groups * self.head_width, bias=False)
        self.v = nn.Linear(config.width, self.groups * self.head_width, bias=False)
        self.output = nn.Linear(config.width, config.width, bias=False)
        self.cache = KeyValueCache(config.groups, config.cache, self.head_width)

    def forward(self, x: Tensor, angles: tuple[Tensor, Tensor], positions: Tensor | None) -> Tensor:
        """(n, t, width) -> (n, t, width); with `positions` (t,) of the tokens, by way of the cache."""
        n, t, width = x.shape
        q = rotate(self.q(x).view(n, t, self.heads, -1).transpose(1, 2), *angles)
        k = rotate(self.k(x).view(n, t, self.groups, -1).transpose(1, 2), *angles)
        v = self.v(x).view(n, t, self.groups, -1).transpose(1, 2)
        if positions is None:
            y = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        else:
            k, v = self.cache.update(positions, k, v)
            mask = self.cache.mask(positions)
            y = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
        out: Tensor = self.output(y.transpose(1, 2).reshape(n, t, width))
        return out


class Layer(nn.Module):
    """Attention and SwiGLU (Shazeer, 2020) behind normalizations, each added to its input."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.norm1 = RmsNorm(config.width)
        self.attention = Attention(config)
        self.norm2 = RmsNorm(config.width)
        self.gate = nn.Linear(config.width, config.inner, bias=False)
        self.up = nn.Linear(config.width, config.inner, bias=False)
        self.down = nn.Linear(config.inner, config.width, bias=False)

    def forward(self, x: Tensor, angles: tuple[Tensor, Tensor], positions: Tensor | None) -> Tensor:
        """(n, t, width) -> (n, t, width)."""
        x = x + self.attention(self.norm1(x), angles, positions)
        y = self.norm2(x)
        out: Tensor = x + self.down(functional.silu(self.gate(y)) * self.up(y))
        return out


class Llama(nn.Module):
    """Token embedding, layers, an output layer of its own."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.vocabulary, config.width)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = RmsNorm(config.width)
        self.head = nn.Linear(config.width, config.vocabulary, bias=False)
        pairs = torch.arange(0, config.width // config.heads, 2, dtype=torch.float32)
        self.register_buffer("frequencies", config.theta ** (-pairs * config.heads / config.width), persistent=False)

    def forward(self, ids: Tensor, start: Tensor | None = None) -> Tensor:
        """Ids (n, t), i64 -> logits (n, t, vocabulary), f32.

        With `start` (1,), i64, the position of the first token, n is 1 and the cache takes part: attention sees what
        earlier calls left there.
        """
        offsets = torch.arange(ids.shape[1], device=ids.device)
        positions = None if start is None else start + offsets
        turned = (offsets if positions is None else positions)[:, None].float() * self.get_buffer("frequencies")
        both = torch.cat([turned, turned], dim=-1)
        angles = both.cos(), both.sin()
        x = self.embedding(ids)
        for layer in self.layers:
            x = layer(x, angles, positions)
        logits: Tensor = self.head(self.norm(x))
        return logits


def build(config: Config = FULL) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """The module with seeded weights, and a prompt; without the cache."""
    ids = torch.randint(config.vocabulary, (1, config.tokens), generator=generator())
    return seeded(lambda: Llama(config)), (ids,)


def build_cached(config: Config = FULL) -> tuple[nn.Module, dict[str, tuple[Tensor, ...]]]:
    """The module, and example inputs of its two steps: `prefill` (the prompt) and `decode` (one token)."""
    model, (ids,) = build(config)
    start = torch.zeros(1, dtype=torch.int64)
    return model, {"prefill": (ids, start), "decode": (ids[:, :1], start + config.tokens)}
