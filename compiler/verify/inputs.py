"""The inputs of a verification: a batch from a file, or random ones of the model's own shapes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt
import onnx
from onnx import helper

from tfmbs.compiler.importers.onnx_dims import graph_inputs
from tfmbs.compiler.importers.onnx_model import prepare
from tfmbs.compiler.jit import Slot
from tfmbs.compiler.numeric_check import random_inputs
from tfmbs.compiler.samples import cut, read_samples


def chosen_inputs(
    model: onnx.ModelProto, dims: Mapping[str, int], source: Path | int, where: str
) -> dict[str, npt.NDArray[Any]]:
    """Arrays by name for the inputs of a model: the first batch of an ``.npz`` file, or random ones of a seed.

    Raises:
        TfmbsError: what `prepare` refuses of the model; what `read_samples` and `cut` refuse of the file.
    """
    slots = slots_of(model, dims, where)
    if isinstance(source, int):
        return random_inputs(slots, source)
    samples = read_samples(source)[0]
    return dict(next(cut(samples, {slot.name: slot.shape for slot in slots})))


def slots_of(model: onnx.ModelProto, dims: Mapping[str, int], where: str) -> tuple[Slot, ...]:
    """Names, shapes and element types of the inputs. Raises TfmbsError, what `prepare` refuses of the model."""
    return tuple(_slot(value) for value in graph_inputs(prepare(model, dims, where).graph))


def _slot(value: onnx.ValueInfoProto) -> Slot:
    tensor = value.type.tensor_type
    shape = tuple(dim.dim_value for dim in tensor.shape.dim)
    return Slot(value.name, shape, helper.tensor_dtype_to_np_dtype(tensor.elem_type))
