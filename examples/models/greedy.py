"""Greedy text of a decoder: a prefill step and cached decode steps, by torch or by a compiled program."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

import tfmbs

Step = Callable[[str, Tensor, Tensor], np.ndarray]
"""Logits (1, t, vocabulary) of an entry point for ids (1, t) from a position (1,) on."""


def greedy(step: Step, ids: Tensor, count: int) -> tuple[list[int], np.ndarray]:
    """`count` tokens after the prompt `ids` (1, t), each the most likely one, and their logits (count, vocabulary)."""
    logits = [step("prefill", ids, torch.zeros(1, dtype=torch.int64))[0, -1]]
    for position in range(ids.shape[1], ids.shape[1] + count - 1):
        token = torch.tensor([[int(logits[-1].argmax())]])
        logits.append(step("decode", token, torch.tensor([position]))[0, -1])
    return [int(one.argmax()) for one in logits], np.stack(logits)


def torch_step(module: nn.Module) -> Step:
    """Steps of the module itself, whose buffers are the cache."""

    def step(entry: str, ids: Tensor, start: Tensor) -> np.ndarray:
        del entry  # one function for both
        logits: np.ndarray = module(ids, start).numpy()
        return logits

    return step


def program_step(context: tfmbs.Context) -> Step:
    """Steps of a program, whose cache is in the context."""
    return lambda entry, ids, start: context.run({"ids": ids.numpy(), "start": start.numpy()}, entry=entry)["output"]
