"""The decoder as a module: one function for each entry point, which share weights and the cache of keys and values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tfmbs.compiler.importers.decoder.config import Config, Sizes
from tfmbs.compiler.importers.decoder.parts import Stored, add, embed, gated, linear, rms_norm
from tfmbs.compiler.importers.decoder.positions import (
    Positions,
    by_head,
    by_token,
    last_row,
    split_heads,
    stored_at,
    together,
)
from tfmbs.compiler.importers.decoder.tensors import Tensors
from tfmbs.compiler.importers.decoder.weights import F32, TRITS, Grouped, Matrix
from tfmbs.dialect import graph
from tfmbs.dialect.attributes import NAME, STATE
from tfmbs.dialect.mlir import func, ir
from tfmbs.dialect.shapes import tensor_type
from tfmbs.passes.graph.packing_choice import Home, Weights, choose_packing
from tfmbs.runtime.abi.target import Target
from tfmbs.runtime.abi.types import Packing

TOKENS, START, LOGITS = "tokens", "start", "logits"
"""Inputs: ids (tokens,), i64; position of the first (1,), i64. Output: of the last token (1, vocabulary), f32."""

Value = Any


@dataclass
class DecoderBuilder:
    """Builds entry points. Weights are read where the first of them needs them, one at a time, and packed at once."""

    tensors: Tensors
    target: Target
    _stored: dict[str, Stored] = field(default_factory=dict)

    @property
    def config(self) -> Config:
        """Sizes and choices of the decoder."""
        return self.tensors.config

    def module(self, entries: Mapping[str, Sizes], context: Any) -> Any:
        """The module at torch level, with nothing of torch in it."""
        with context, ir.Location.unknown():
            module = ir.Module.create()
            with ir.InsertionPoint(module.body):
                for name, sizes in entries.items():
                    self._entry(name, sizes)
        return module

    def _entry(self, name: str, sizes: Sizes) -> None:
        i64 = ir.IntegerType.get_signless(64)
        states = self._states(sizes)
        inputs = {TOKENS: tensor_type((sizes.tokens,), i64), START: tensor_type((1,), i64)}
        logits = tensor_type((1, self.config.vocabulary), ir.F32Type.get())
        function = func.FuncOp(name, ([*states.values(), *inputs.values()], [*states.values(), logits]))
        function.arg_attrs = [*_named(STATE, states), *_named(NAME, inputs)]
        function.attributes["res_attrs"] = ir.ArrayAttr.get([*_named(STATE, states), *_named(NAME, [LOGITS])])
        block = function.add_entry_block()
        with ir.InsertionPoint(block):
            *caches, ids, start = block.arguments
            func.ReturnOp(_Step(self, sizes, start).run(ids, list(caches)))

    def _states(self, sizes: Sizes) -> dict[str, Any]:
        """Types of the buffers by name: keys and values of each layer, (1, groups, cache, width of a head)."""
        shape = (1, self.config.groups, sizes.cache, self.config.head_width)
        names = (f"blk.{layer}.{what}" for layer in range(self.config.layers) for what in ("keys", "values"))
        return {name: tensor_type(shape, ir.F32Type.get()) for name in names}

    def product(self, role: str, layer: int | None) -> tuple[str, Stored]:
        """The weights of a product and their name; of the head, which may be the embedding."""
        role = "embedding" if role == "head" and not self.tensors.has(role) else role
        name = self.tensors.names.of(role, layer)
        key = f"{name} of a product"
        if key not in self._stored:
            matrix = self.tensors.table(role) if layer is None else self.tensors.product(role, layer)
            self._stored[key] = Stored.product(matrix, name, self._packing(matrix))
        return name, self._stored[key]

    def _packing(self, matrix: Matrix) -> Packing:
        """What `tfmbs-pack` is going to choose for trits, so that they are not packed twice."""
        if not isinstance(matrix, Grouped) or matrix.bits != TRITS:
            return Packing.DENSE
        rows = matrix.stored.reshape(-1, matrix.group)
        counts = np.count_nonzero(rows, axis=1)
        weights = Weights(*rows.shape, nonzeros=int(counts.sum()), most=int(counts.max()))
        home = Home.of(self.tensors.product_weights(), self.target)
        return choose_packing(weights, home, self.target).packing

    def table(self) -> tuple[str, Stored]:
        """The embedding, to be looked up, and its name."""
        name = self.tensors.names.of("embedding")
        if name not in self._stored:
            self._stored[name] = Stored.table(self.tensors.table("embedding"), name)
        return name, self._stored[name]

    def frequencies(self) -> F32:
        """By how much the angle of each pair grows with each position, rounded from f64 to f32."""
        rotary = self.config.rotary
        powers = self.config.theta ** (-np.arange(0, rotary, 2, dtype=np.float64) / rotary)
        divisors = self.tensors.optional_vector("frequencies") if "frequencies" in self.tensors.names.table else None
        scaled = powers * self.config.frequency_scale / (1.0 if divisors is None else divisors.astype(np.float64))
        return scaled.astype(np.float32)


@dataclass
class _Step:
    """One function's body: a step of so many tokens."""

    builder: DecoderBuilder
    sizes: Sizes
    start: Value

    def run(self, ids: Value, caches: list[Value]) -> list[Value]:
        """The new caches and the logits."""
        config = self.builder.config
        positions = Positions.of(self.start, self.sizes.tokens, self.builder.frequencies())
        mask = positions.mask(self.sizes.cache)
        name, table = self.builder.table()
        with ir.Location.name(_layer(name)):
            x = embed(ids, table)
        for layer in range(config.layers):
            keys, values = caches[2 * layer : 2 * layer + 2]
            x, caches[2 * layer], caches[2 * layer + 1] = self._attention(x, layer, positions, mask, keys, values)
            x = self._ffn(x, layer)
        return [*caches, self._product(self._norm(last_row(x), "norm"), "head")]

    def _attention(
        self, x: Value, layer: int, positions: Positions, mask: Value, keys: Value, values: Value
    ) -> tuple[Value, Value, Value]:
        """x and what attention adds to it, and the caches with the step's keys and values."""
        config = self.builder.config
        y = self._norm(x, "attention_norm", layer)
        query = together(positions.rotate(self._product(y, "q", layer), config.heads))
        # Each is stored as soon as there is something to store, by the code that computes it.
        keys = stored_at(keys, positions.rotate(self._product(y, "k", layer), config.groups), self.start)
        value = by_head(split_heads(self._product(y, "v", layer), config.groups))
        values = stored_at(values, [value], self.start)
        scale = float(np.float32(1 / math.sqrt(config.head_width)))
        with ir.Location.name(f"blk.{layer}.attention"):
            shown = graph.attention(query, keys, values, mask, scale=scale, mask_mode="select", clear=True).result
        y = by_token(shown)
        if config.sub_norms:
            y = self._norm(y, "attention_sub_norm", layer)
        return add(x, self._product(y, "o", layer)), keys, values

    def _ffn(self, x: Value, layer: int) -> Value:
        """x and what the feed-forward network adds to it."""
        config = self.builder.config
        y = self._norm(x, "ffn_norm", layer)
        y = gated(self._product(y, "gate", layer), self._product(y, "up", layer), config.activation)
        if config.sub_norms:
            y = self._norm(y, "ffn_sub_norm", layer)
        return add(x, self._product(y, "down", layer))

    def _norm(self, x: Value, role: str, layer: int | None = None) -> Value:
        tensors = self.builder.tensors
        name = tensors.names.of(role, layer)
        with ir.Location.name(_layer(name)):
            return rms_norm(x, tensors.vector(role, layer), self.builder.config.epsilon, name)

    def _product(self, x: Value, role: str, layer: int | None = None) -> Value:
        name, stored = self.builder.product(role, layer)
        with ir.Location.name(_layer(name) if role != "head" else "output"):
            return linear(x, stored, "absmax" if self.builder.config.ternary else "stored")


def _layer(name: str) -> str:
    return name.removesuffix(".weight")


def _named(attribute: str, names: Any) -> list[Any]:
    return [ir.DictAttr.get({attribute: ir.StringAttr.get(name)}) for name in names]
