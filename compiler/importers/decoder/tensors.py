"""The tensors of a decoder out of a file of weights: all there, of the right shapes, and none that nobody reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from tfmbs.compiler.importers.decoder.config import Config
from tfmbs.compiler.importers.decoder.names import OPTIONAL, PRODUCTS, Names
from tfmbs.compiler.importers.decoder.weights import F32, TRITS, Grouped, Matrix, Weights
from tfmbs.dialect.shapes import Shape
from tfmbs.runtime.abi.errors import TfmbsError


def shapes_of(config: Config) -> dict[str, Shape]:
    """Shape of the tensor of each role, rows of matrices first."""
    width, inner = config.width, config.inner
    query, shared = config.heads * config.head_width, config.groups * config.head_width
    return {
        "embedding": (config.vocabulary, width),
        "norm": (width,),
        "head": (config.vocabulary, width),
        "frequencies": (config.rotary // 2,),
        "attention_norm": (width,),
        "q": (query, width),
        "k": (shared, width),
        "v": (shared, width),
        "o": (width, query),
        "attention_sub_norm": (query,),
        "ffn_norm": (width,),
        "gate": (inner, width),
        "up": (inner, width),
        "down": (width, inner),
        "ffn_sub_norm": (inner,),
    }


@dataclass(frozen=True)
class Tensors:
    """A decoder's tensors by role and layer, each read where it is asked for and kept by nobody here."""

    weights: Weights
    names: Names
    config: Config

    def check(self) -> None:
        """Raises TfmbsError ``decoder``, naming the first tensor that is missing, has another shape or no role."""
        shapes, held = shapes_of(self.config), set(self.weights.names())
        known = self.names.all(self.config.layers, self.config.sub_norms)
        for name, (role, _) in known.items():
            if name not in held and role not in OPTIONAL:
                raise self._error(name, "tensor of the decoder", f"{_text(shapes[role])} weights", "none")
            if name in held and self.weights.shape(name) != shapes[role]:
                raise self._error(name, "shape", _text(shapes[role]), _text(self.weights.shape(name)))
        scales = {self.names.scale(role, n) for role in PRODUCTS for n in range(self.config.layers)}
        for name in sorted(scales & held):
            if self.weights.shape(name) != (1,):
                raise self._error(name, "shape", "1", _text(self.weights.shape(name)))
        if unread := sorted(held - set(known) - scales):
            raise self._error(unread[0], "tensor", "one that a decoder of this architecture has")

    def product_weights(self) -> int:
        """How many weights the layers' products have."""
        shapes = shapes_of(self.config)
        return self.config.layers * sum(prod(shapes[role]) for role in PRODUCTS)

    def vector(self, role: str, layer: int | None = None) -> F32:
        """A vector in f32."""
        return self.weights.real(self.names.of(role, layer))

    def optional_vector(self, role: str) -> F32 | None:
        """A vector that need not be there."""
        return self.vector(role) if self.names.of(role) in self.weights.names() else None

    def has(self, role: str) -> bool:
        """Whether a tensor without a layer is there."""
        return self.names.of(role) in self.weights.names()

    def table(self, role: str) -> Matrix:
        """The embedding, or the head of its own."""
        return self.weights.matrix(self.names.of(role))

    def product(self, role: str, layer: int) -> Matrix:
        """The weights of a product, turned into halves where q and k lie as pairs; of trits where those are asked for.

        Raises:
            TfmbsError: ``decoder``, weights of a BitNet that are not ternary.
        """
        name = self.names.of(role, layer)
        matrix = self.weights.matrix(name)
        if self.config.interleaved and role in ("q", "k"):
            order = _halves(self.config.heads if role == "q" else self.config.groups, self.config)
            matrix = _by_rows(matrix, lambda array: array[order])
        if self.config.ternary:
            matrix = self._ternary(matrix, name)
            scale = self.names.scale(role, layer)
            if scale in self.weights.names():
                matrix = replace(matrix, scales=matrix.scales * self.weights.real(scale)[0])
        return matrix

    def _ternary(self, matrix: Matrix, name: str) -> Grouped:
        """The trits of floats that are −s, 0 or s in each row."""
        if isinstance(matrix, Grouped) and matrix.bits == TRITS:
            return matrix
        real = matrix.real() if isinstance(matrix, Grouped) else np.asarray(matrix, np.float32)
        scale = np.abs(real).max(axis=1, keepdims=True)
        if np.any((real != 0) & (np.abs(real) != scale)) or not np.isfinite(scale).all():
            raise self._error(name, "weights of a BitNet product", "ternary: −s, 0 or s in each row", "other values")
        return Grouped(np.sign(real).astype(np.int8), scale, TRITS)

    def _error(self, name: str, what: str, expected: object, got: object = None) -> TfmbsError:
        return TfmbsError("decoder", f"{self.weights.name}: tensor '{name}'", what, expected, got)


def _halves(heads: int, config: Config) -> Any:
    """Rows of q or k in the order of halves: pairs (2i, 2i + 1) of the rotary part become (i, i + rotary / 2)."""
    within = np.arange(config.head_width)
    within[: config.rotary] = within[: config.rotary].reshape(-1, 2).T.reshape(-1)
    return (np.arange(heads)[:, None] * config.head_width + within).reshape(-1)


def _by_rows(matrix: Matrix, change: Callable[[Any], Any]) -> Matrix:
    if isinstance(matrix, Grouped):
        return Grouped(change(matrix.stored), change(matrix.scales), matrix.bits)
    changed: Matrix = change(matrix)
    return changed


def _text(shape: Shape) -> str:
    return " × ".join(map(str, shape))
