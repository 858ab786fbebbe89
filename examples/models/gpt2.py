"""GPT-2 124M (Radford et al., "Language models are unsupervised multitask learners", 2019), with a cache.

With random weights a decoder soon repeats itself: the output layer is the token embedding, so the state of a token is
nearest to the token itself. Here embeddings of positions have ten times the standard deviation of those of tokens,
and what a layer adds is scaled by 1 / sqrt(2 · layers), as in the paper: the state then depends on where it is and on
what came before, and greedy text changes from token to token (61 distinct ones among the first 64).
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

    vocabulary: int = 50257
    positions: int = 1024
    width: int = 768
    layers: int = 12
    heads: int = 12
    tokens: int = 16
    cache: int = 128


FULL = Config()
SMALL = Config(vocabulary=97, positions=48, width=32, layers=2, heads=4, tokens=6, cache=48)

TOKEN_DEVIATION, POSITION_DEVIATION = 0.1, 1.0


class Attention(nn.Module):
    """Causal self-attention of several heads."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.output = nn.Linear(config.width, config.width)
        self.cache = KeyValueCache(config.heads, config.cache, config.width // config.heads)

    def forward(self, x: Tensor, positions: Tensor | None) -> Tensor:
        """(n, t, width) -> (n, t, width); with `positions` (t,) of the tokens, by way of the cache."""
        n, t, width = x.shape
        q, k, v = (
            part.view(n, t, self.heads, width // self.heads).transpose(1, 2) for part in self.qkv(x).chunk(3, dim=-1)
        )
        if positions is None:
            y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            k, v = self.cache.update(positions, k, v)
            y = functional.scaled_dot_product_attention(q, k, v, attn_mask=self.cache.mask(positions))
        out: Tensor = self.output(y.transpose(1, 2).reshape(n, t, width))
        return out


class Layer(nn.Module):
    """Attention and a feed-forward network behind normalizations, each added to its input."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.width)
        self.attention = Attention(config)
        self.ln_2 = nn.LayerNorm(config.width)
        self.up = nn.Linear(config.width, 4 * config.width)
        self.down = nn.Linear(4 * config.width, config.width)

    def forward(self, x: Tensor, positions: Tensor | None) -> Tensor:
        """(n, t, width) -> (n, t, width)."""
        x = x + self.attention(self.ln_1(x), positions)
        out: Tensor = x + self.down(functional.gelu(self.up(self.ln_2(x)), approximate="tanh"))
        return out


class Gpt2(nn.Module):
    """Embeddings of tokens and positions, layers, and the token embedding again as output layer."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.wte = nn.Embedding(config.vocabulary, config.width)
        self.wpe = nn.Embedding(config.positions, config.width)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.ln_f = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, config.vocabulary, bias=False)
        self.head.weight = self.wte.weight

    def forward(self, ids: Tensor, start: Tensor | None = None) -> Tensor:
        """Ids (n, t), i64 -> logits (n, t, vocabulary), f32.

        With `start` (1,), i64, the position of the first token, n is 1 and the cache takes part: attention sees what
        earlier calls left there.
        """
        offsets = torch.arange(ids.shape[1], device=ids.device)
        positions = None if start is None else start + offsets
        x = self.wte(ids) + self.wpe(offsets if positions is None else positions)
        for layer in self.layers:
            x = layer(x, positions)
        logits: Tensor = self.head(self.ln_f(x))
        return logits


def _make(config: Config) -> tuple[nn.Module, tuple[Tensor, ...]]:
    ids = torch.randint(config.vocabulary, (1, config.tokens), generator=generator())
    model = seeded(lambda: Gpt2(config))
    for layer in model.layers:
        for name in ("attention.output", "down"):
            layer.get_submodule(name).get_parameter("weight").mul_((2 * config.layers) ** -0.5)
    model.wte.weight.normal_(0.0, TOKEN_DEVIATION, generator=generator(1))
    model.wpe.weight.normal_(0.0, POSITION_DEVIATION, generator=generator(2))
    return model, (ids,)


def build(config: Config = FULL) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """The module with seeded weights, and a prompt; without the cache."""
    return _make(config)


def build_cached(config: Config = FULL) -> tuple[nn.Module, dict[str, tuple[Tensor, ...]]]:
    """The module, and example inputs of its two steps: `prefill` (the prompt) and `decode` (one token)."""
    model, (ids,) = _make(config)
    start = torch.zeros(1, dtype=torch.int64)
    return model, {"prefill": (ids, start), "decode": (ids[:, :1], start + config.tokens)}
