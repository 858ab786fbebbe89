"""BERT-base (Devlin et al., "Pre-training of deep bidirectional transformers", 2018): 109 M parameters."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from examples.models.seeded import generator, seeded


@dataclass(frozen=True)
class Config:
    """Sizes of the encoder; `tokens` is the length of the example's sequence."""

    vocabulary: int = 30522
    positions: int = 512
    width: int = 768
    layers: int = 12
    heads: int = 12
    inner: int = 3072
    tokens: int = 128


FULL = Config()
SMALL = Config(vocabulary=100, positions=32, width=32, layers=2, heads=4, inner=64, tokens=12)


class Embeddings(nn.Module):
    """Sum of the embeddings of word, position and segment, normalized."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.word = nn.Embedding(config.vocabulary, config.width)
        self.position = nn.Embedding(config.positions, config.width)
        self.segment = nn.Embedding(2, config.width)
        self.norm = nn.LayerNorm(config.width, eps=1e-12)

    def forward(self, ids: Tensor, segments: Tensor) -> Tensor:
        """Ids and segments (n, t), i64 -> (n, t, width)."""
        positions = torch.arange(ids.shape[1], device=ids.device)
        out: Tensor = self.norm(self.word(ids) + self.position(positions) + self.segment(segments))
        return out


class Attention(nn.Module):
    """Self-attention of several heads with an additive mask."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.heads = config.heads
        self.query = nn.Linear(config.width, config.width)
        self.key = nn.Linear(config.width, config.width)
        self.value = nn.Linear(config.width, config.width)
        self.output = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(n, t, width), mask (n, 1, 1, t) -> (n, t, width)."""
        n, t, width = x.shape
        q, k, v = (
            layer(x).view(n, t, self.heads, width // self.heads).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        y = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        out: Tensor = self.output(y.transpose(1, 2).reshape(n, t, width))
        return out


class Layer(nn.Module):
    """Attention and a feed-forward network, each added to its input and normalized."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.attention = Attention(config)
        self.norm1 = nn.LayerNorm(config.width, eps=1e-12)
        self.up = nn.Linear(config.width, config.inner)
        self.down = nn.Linear(config.inner, config.width)
        self.norm2 = nn.LayerNorm(config.width, eps=1e-12)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(n, t, width), mask (n, 1, 1, t) -> (n, t, width)."""
        x = self.norm1(x + self.attention(x, mask))
        out: Tensor = self.norm2(x + self.down(functional.gelu(self.up(x))))
        return out


class Bert(nn.Module):
    """The encoder with the pooler of its first token."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.embeddings = Embeddings(config)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.pooler = nn.Linear(config.width, config.width)

    def forward(self, ids: Tensor, attention_mask: Tensor, segments: Tensor) -> tuple[Tensor, Tensor]:
        """Ids, mask (1: a token, 0: padding) and segments, all (n, t) i64 -> (n, t, width) and (n, width)."""
        mask = (1.0 - attention_mask[:, None, None, :].float()) * torch.finfo(torch.float32).min
        x = self.embeddings(ids, segments)
        for layer in self.layers:
            x = layer(x, mask)
        return x, torch.tanh(self.pooler(x[:, 0]))


def build(config: Config = FULL) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """The module with seeded weights, and example inputs: the last quarter of the sequence is padding."""
    draw = generator()
    ids = torch.randint(config.vocabulary, (1, config.tokens), generator=draw)
    mask = (torch.arange(config.tokens) < config.tokens * 3 // 4).long()[None]
    segments = (torch.arange(config.tokens) >= config.tokens // 2).long()[None]
    return seeded(lambda: Bert(config)), (ids, mask, segments)
