"""The reference models by way of `torch.onnx.export`; a decoder's cache goes in and out of each step."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import tfmbs
from examples.models.greedy import Step


def export(module: nn.Module, inputs: tuple[Tensor, ...]) -> Any:
    """The module as an `onnx.ModelProto`."""
    with warnings.catch_warnings():
        for category in (DeprecationWarning, FutureWarning):  # of torch, about what its own exporter calls
            warnings.simplefilter("ignore", category)
        exported = torch.onnx.export(module, inputs, dynamo=True, verbose=False)
    assert exported is not None
    return exported.model_proto


class WithCache(nn.Module):
    """A decoder whose buffers are further inputs, and come out again behind the logits."""

    def __init__(self, decoder: nn.Module) -> None:
        super().__init__()
        self.decoder = decoder
        self.names = [name for name, _ in decoder.named_buffers() if name.rpartition(".")[2] in ("keys", "values")]

    def empty(self) -> list[Tensor]:
        """The cache before the first step."""
        return [torch.zeros_like(self.decoder.get_buffer(name)) for name in self.names]

    def forward(self, ids: Tensor, start: Tensor, cache: list[Tensor]) -> tuple[Tensor, ...]:
        """Ids (1, t), the position (1,) of the first, both i64, the cache -> logits (1, t, vocabulary), the cache."""
        buffers = {name: old.clone() for name, old in zip(self.names, cache, strict=True)}
        logits = torch.func.functional_call(self.decoder, buffers, (ids, start))
        return (logits, *buffers.values())


def onnx_step(decoder: nn.Module, steps: dict[str, tuple[Tensor, ...]]) -> Step:
    """Steps of the programs of a decoder's exported prefill and decode models, between which the cache is carried."""
    module = WithCache(decoder).eval()
    programs = {name: tfmbs.compile(export(module, (*inputs, module.empty()))) for name, inputs in steps.items()}
    cache = [tensor.numpy() for tensor in module.empty()]

    def step(entry: str, ids: Tensor, start: Tensor) -> np.ndarray:
        logits: np.ndarray
        logits, *cache[:] = programs[entry](ids.numpy(), start.numpy(), *cache).values()
        return logits

    return step
