"""A plain numpy decoder of Llama and BitNet b1.58 files, one token at a time: the other opinion on every token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from examples.bitnet.arithmetic import F32, F, grouped_product, product, rms_norm, sigmoid, softmax, ternary_product


@dataclass(frozen=True)
class Shape:
    """What a decoder looks like; `pairs` says that q and k turn neighbours (llama in GGUF), else halves."""

    layers: int
    heads: int
    groups: int
    head_width: int
    cache: int
    theta: float = 10000.0
    epsilon: float = 1e-5
    relu2: bool = True
    sub_norms: bool = True
    pairs: bool = False


@dataclass
class Decoder:
    """`multiply` gives the product of (1, k) with the matrix of a name, `row` a token's embedding, `vector` others."""

    shape: Shape
    multiply: Callable[[F32, str], F32]
    row: Callable[[int], F32]
    vector: Callable[[str], F32]
    head: Callable[[F32], F32]
    position: int = 0
    caches: dict[str, F32] = field(default_factory=dict)

    def step(self, token: int) -> F32:
        """Logits (vocabulary,) after a token."""
        shape = self.shape
        x = self.row(token)[None, :]
        for layer in range(shape.layers):
            x = x + self._attention(self._norm(x, f"blk.{layer}.attn_norm"), layer)
            y = self._norm(x, f"blk.{layer}.ffn_norm")
            gate, up = (self.multiply(y, f"blk.{layer}.ffn_{name}") for name in ("gate", "up"))
            positive = np.maximum(gate, F(0))
            y = (positive * positive if shape.relu2 else gate * sigmoid(gate)) * up
            if shape.sub_norms:
                y = self._norm(y, f"blk.{layer}.ffn_sub_norm")
            x = x + self.multiply(y, f"blk.{layer}.ffn_down")
        self.position += 1
        return self.head(self._norm(x, "output_norm"))[0]

    def _norm(self, x: F32, name: str) -> F32:
        return rms_norm(x, self.vector(name), self.shape.epsilon)

    def _attention(self, x: F32, layer: int) -> F32:
        shape = self.shape
        q, k, v = (self.multiply(x, f"blk.{layer}.attn_{name}").reshape(-1, shape.head_width) for name in "qkv")
        keys, values = (self._cached(f"{layer}.{name}", new) for name, new in (("k", self._turn(k)), ("v", v)))
        each = shape.heads // shape.groups
        queries = self._turn(q).reshape(shape.groups, each, -1)
        scores = product(queries, keys) * F(1 / np.sqrt(shape.head_width))
        scores[..., self.position + 1 :] = -np.inf
        out = product(softmax(scores), values.swapaxes(1, 2)).reshape(1, -1)
        if shape.sub_norms:
            out = self._norm(out, f"blk.{layer}.attn_sub_norm")
        return self.multiply(out, f"blk.{layer}.attn_output")

    def _cached(self, name: str, new: F32) -> F32:
        """All rows (groups, cache, width) of a buffer, with those of this position."""
        empty = (self.shape.groups, self.shape.cache, self.shape.head_width)
        rows = self.caches.setdefault(name, np.zeros(empty, F))
        rows[:, self.position] = new
        return rows

    def _turn(self, x: F32) -> F32:
        """Rotary embedding of (heads, width); rows of pairs come out as halves, which changes no score's terms."""
        width = x.shape[1]
        powers = self.shape.theta ** (-np.arange(0, width, 2, dtype=np.float64) / width)
        angles = (F(self.position) * powers.astype(F)).astype(np.float64)
        cosines, sines = np.cos(angles).astype(F), np.sin(angles).astype(F)
        a, b = (x[:, ::2], x[:, 1::2]) if self.shape.pairs else (x[:, : width // 2], x[:, width // 2 :])
        return np.concatenate([a * cosines - b * sines, b * cosines + a * sines], axis=1)


def of_arrays(shape: Shape, arrays: dict[str, Any]) -> Decoder:
    """The decoder of arrays by GGUF's names, without ``.weight``: f32, or pairs of trits and scales by row.

    ``output`` may be groups of integers and their scales; without it the head is the embedding.
    """

    def multiply(x: F32, name: str) -> F32:
        weights = arrays[name]
        return ternary_product(x, *weights) if isinstance(weights, tuple) else product(x, weights)

    table = arrays["token_embd"]
    head = arrays.get("output", table)

    def logits(x: F32) -> F32:
        return grouped_product(x, *head) if isinstance(head, tuple) else product(x, head)

    return Decoder(shape, multiply, table.__getitem__, arrays.__getitem__, logits)
