"""Running a compiled PyTorch model on torch's tensors, and comparing with torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

import tfmbs
from tfmbs.runtime.devices.base import Array

TOLERANCE = 1e-4
"""Of max|ours − torch|, in units of max|torch|."""


def as_array(tensor: Tensor) -> Array:
    """The elements of a tensor; of bf16 their bits, as a program takes them."""
    dense = tensor.detach().contiguous()
    array: Array = (dense.view(torch.uint16) if dense.dtype is torch.bfloat16 else dense).numpy()
    return array


def run(program: tfmbs.Program, inputs: Sequence[Tensor], entry: str | None = None) -> dict[str, Array]:
    """Outputs by name of the entry point, by default of the first."""
    names = [argument.name for argument in program.entry(entry).inputs]
    given = {name: as_array(tensor) for name, tensor in zip(names, inputs, strict=True)}
    return program.run(given, entry=entry)


def assert_agrees(program: tfmbs.Program, module: torch.nn.Module, inputs: tuple[Any, ...]) -> None:
    """Every output is within the tolerance of torch's."""
    with torch.no_grad():
        expected = module(*inputs)
    tensors = expected if isinstance(expected, tuple) else (expected,)
    for got, tensor in zip(run(program, inputs).values(), tensors, strict=True):
        assert distance(got, as_array(tensor)) <= TOLERANCE


def distance(ours: Array, theirs: Array) -> float:
    """max|ours − theirs| / max|theirs|, of arrays of one shape and type."""
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    assert np.isfinite(ours).all()
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())
