"""The inputs of a verification of an exported program: from a file, its own example inputs, or random ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree

from tfmbs.compiler.jit import Slot
from tfmbs.compiler.numeric_check import random_inputs
from tfmbs.compiler.samples import cut, read_samples
from tfmbs.runtime.abi.errors import TfmbsError

Array = npt.NDArray[Any]


def inputs_of(program: ExportedProgram, source: Path | int, where: str) -> dict[str, Array]:
    """Arrays by name for the inputs of a program, in order.

    Args:
        source: an ``.npz`` file, whose first batch counts; or the seed of random inputs, where the program was saved
            without the example inputs that it was exported with.

    Raises:
        TfmbsError: ``torch.unsupported``, an input that is no tensor of a type that numpy has; what `read_samples` and
            `cut` refuse of the file.
    """
    slots = slots_of(program, where)
    if isinstance(source, Path):
        return dict(next(cut(read_samples(source)[0], {slot.name: slot.shape for slot in slots})))
    if program.example_inputs is None:
        return random_inputs(slots, source)
    tensors = [leaf for leaf in pytree.tree_leaves(program.example_inputs) if isinstance(leaf, torch.Tensor)]
    return {slot.name: tensor.detach().numpy() for slot, tensor in zip(slots, tensors, strict=True)}


def slots_of(program: ExportedProgram, where: str) -> tuple[Slot, ...]:
    """Names, shapes and element types of the inputs.

    Raises:
        TfmbsError: ``torch.unsupported``, an input that is no tensor of a type that numpy has.
    """
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    slots = []
    for name in program.graph_signature.user_inputs:
        value = nodes[name].meta["val"] if isinstance(name, str) and name in nodes else None
        if not isinstance(value, torch.Tensor) or value.dtype is torch.bfloat16:
            got = value.dtype if isinstance(value, torch.Tensor) else type(value).__name__
            raise TfmbsError("torch.unsupported", f"{where}: input '{name}'", "kind of input", "a numpy array", got)
        slots.append(Slot(str(name), tuple(int(size) for size in value.shape), np.dtype(_numpy(value.dtype))))
    return tuple(slots)


def _numpy(dtype: torch.dtype) -> Any:
    return torch.empty(0, dtype=dtype).numpy().dtype
