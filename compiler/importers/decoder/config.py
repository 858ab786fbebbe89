"""Sizes and choices of a decoder, checked where they are made."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from tfmbs.runtime.abi.errors import TfmbsError

SILU, RELU2 = "silu", "relu2"
"""Activations of the gate: x · sigmoid(x) (SwiGLU; Shazeer, 2020), max(x, 0)² (BitNet b1.58 2B4T)."""

_MOST = 1 << 31


@dataclass(frozen=True)
class Config:
    """A Llama (Touvron et al., 2023) or, with `ternary`, a BitNet b1.58 (Ma et al., 2024) decoder.

    `groups` heads of keys and values serve `heads` queries of `head_width`; the first `rotary` elements of a head turn
    by position · `frequency_scale` · theta^(−2i / rotary); `interleaved` says that the rows of q and k lie as pairs of
    neighbours. With `sub_norms` there are normalizations before the last product of attention and FFN. `ternary` layers
    take activations by row, as i8 by their largest magnitude.
    """

    vocabulary: int
    width: int
    layers: int
    inner: int
    heads: int
    groups: int
    head_width: int
    rotary: int
    context: int
    theta: float = 10000.0
    frequency_scale: float = 1.0
    epsilon: float = 1e-5
    activation: str = SILU
    interleaved: bool = False
    sub_norms: bool = False
    ternary: bool = False

    def check(self, where: str) -> None:
        """Raises TfmbsError ``decoder`` for the first field that no decoder has."""
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type == "int" and not 1 <= value < _MOST:
                raise TfmbsError("decoder", where, field.name, f"1…{_MOST - 1}", value)
            if field.type == "float" and not (math.isfinite(value) and value > 0):
                raise TfmbsError("decoder", where, field.name, "a positive number", value)
        if self.activation not in (SILU, RELU2):
            raise TfmbsError("decoder", where, "activation", f"{SILU} or {RELU2}", self.activation)
        if self.heads % self.groups:
            raise TfmbsError("decoder", where, "heads", f"a multiple of the {self.groups} of keys", self.heads)
        if self.rotary % 2 or self.rotary > self.head_width:
            raise TfmbsError("decoder", where, "rotary", f"an even number up to {self.head_width}", self.rotary)


@dataclass(frozen=True)
class Sizes:
    """Of one entry point: `tokens` of a step, and `cache`, the positions that keys and values are kept of."""

    tokens: int = 1
    cache: int = 512
