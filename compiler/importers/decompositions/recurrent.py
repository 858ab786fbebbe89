"""LSTM layers, each as an op of its own, which `convert-lstm-to-tfmbs` takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, library
from torch._decomp.decompositions import lstm_impl

_ATEN = torch.ops.aten

PARAMS = 4
"""Of a direction: weights of the input, weights of the state, and their biases."""

_registry: Any = library  # its functions have no types
_OPERATORS = _registry.Library("tfmbs", "DEF")
_OPERATORS.define(
    "lstm(Tensor input, Tensor hidden, Tensor cell, Tensor weights, Tensor recurrent, Tensor? bias, "
    "Tensor? recurrent_bias, Tensor? weights_back, Tensor? recurrent_back, Tensor? bias_back, "
    "Tensor? recurrent_bias_back) -> (Tensor states, Tensor cells)"
)


def _compute(input: Tensor, hidden: Tensor, cell: Tensor, *params: Tensor | None) -> tuple[Tensor, Tensor]:
    """One layer over input (T, B, I), from the first states (D, B, H): all states (T, D, B, H), the last cells.

    `params` are, for each direction, weights of the input, weights of the state, and their biases or none.
    """
    ways, batch, size = hidden.shape
    given = [param for param in params if param is not None]
    has_biases = len(given) == PARAMS * ways
    out, _, cells = _ATEN.lstm.input(input, [hidden, cell], given, has_biases, 1, 0.0, False, ways > 1, False)
    return out.reshape(-1, batch, ways, size).transpose(1, 2).contiguous(), cells


def _shapes(input: Tensor, hidden: Tensor, cell: Tensor, *params: Tensor | None) -> tuple[Tensor, Tensor]:
    return input.new_empty(input.shape[0], *hidden.shape), torch.empty_like(cell)


_OPERATORS.impl("lstm", _compute, "CompositeExplicitAutograd")
_registry.register_fake("tfmbs::lstm", _shapes, lib=_OPERATORS)


def lstm(  # noqa: PLR0913, PLR0917  # the arguments are ATen's
    input: Tensor,
    hx: Sequence[Tensor],
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Layers of f32 without projection and dropout become one op each; others are written out step by step."""
    hidden, cell = hx
    ways = 2 if bidirectional else 1
    count = PARAMS if has_biases else PARAMS // 2
    plain = len(params) == num_layers * ways * count and hidden.shape == cell.shape and not (train and dropout)
    if not plain or input.dtype != torch.float32 or not input.numel() or not hidden.numel():
        written_out: tuple[Tensor, Tensor, Tensor] = lstm_impl(
            input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first
        )
        return written_out
    sequence = input.transpose(0, 1) if batch_first else input
    last: list[tuple[Tensor, Tensor]] = []
    for layer in range(num_layers):
        first = layer * ways
        own: list[Tensor | None] = []
        for way in range(first, first + ways):
            own += [*params[way * count : (way + 1) * count], *[None] * (PARAMS - count)]
        own += [None] * (2 * PARAMS - len(own))
        states, cells = torch.ops.tfmbs.lstm(sequence, hidden[first : first + ways], cell[first : first + ways], *own)
        ends = [states[-1, :1], states[0, 1:]] if bidirectional else [states[-1]]
        last.append((torch.cat(ends), cells))
        sequence = states.transpose(1, 2).reshape(*sequence.shape[:2], -1)
    sequence = sequence.transpose(0, 1) if batch_first else sequence
    return sequence, torch.cat([state for state, _ in last]), torch.cat([cells for _, cells in last])
