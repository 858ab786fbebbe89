"""Symbolic dimensions of a model's inputs, bound to sizes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TypeProto, ValueInfoProto

from tfmbs.runtime.abi.errors import At, TfmbsError


def graph_inputs(graph: onnx.GraphProto) -> list[ValueInfoProto]:
    """Inputs that a caller must give: those without an initializer."""
    constants = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in constants]


def bind_dims(model: onnx.ModelProto, dims: Mapping[str, int], where: str) -> dict[str, TypeProto]:
    """Gives the inputs their sizes, in place, and takes what the model records of other values' shapes.

    Returns the declared types of inner values and outputs: what inference cannot know may stand there. The model's own
    record is dropped: shape inference finds it again.

    Raises:
        TfmbsError: ``onnx.dim``, ``onnx.unsupported``.
    """
    check_dims(dims)
    unbound: set[str] = set()
    symbolic: set[str] = set()
    for value in graph_inputs(model.graph):
        at = At(value.name, "input", f"{where}: input '{value.name}'")
        if value.type.optional_type.elem_type.HasField("tensor_type"):  # one that a caller must give
            value.type.CopyFrom(TypeProto(tensor_type=value.type.optional_type.elem_type.tensor_type))
        if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
            raise TfmbsError("onnx.unsupported", at, "type", "a tensor with a rank", "other")
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if name := dim.dim_param:
                symbolic.add(name)
                if name not in dims:
                    unbound.add(name)
                    continue
                dim.dim_value = dims[name]
            elif not dim.HasField("dim_value"):
                raise TfmbsError("onnx.dim", at, f"axis {axis} has neither a size nor a name")
            if dim.dim_value < 0:
                raise TfmbsError("onnx.dim", at, f"size of axis {axis}", "no negative number", dim.dim_value)
    if unbound:
        options = " ".join(f"--dim {name}=N" for name in sorted(unbound))
        at = At(min(unbound), "dimension", where)
        raise TfmbsError("onnx.dim", at, f"symbolic dimension '{min(unbound)}' is not bound", options, "no value")
    if unknown := set(dims) - symbolic:
        known = ", ".join(sorted(symbolic)) or "none"
        at = At(min(unknown), "dimension", where)
        raise TfmbsError("onnx.dim", at, f"no symbolic input dimension '{min(unknown)}'", f"one of: {known}")
    return _take_declared(model.graph, dims)


def check_dims(dims: object) -> None:
    """Raises TfmbsError ``onnx.dim`` where `dims` is no mapping of names to sizes."""
    if not isinstance(dims, Mapping):
        raise TfmbsError("onnx.dim", "dims", "kind of value", "a mapping of names to sizes", type(dims).__qualname__)
    for name, size in dims.items():
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or not 1 <= size < 1 << 63:
            raise TfmbsError("onnx.dim", f"dims: '{name}'", "size", "an integer, at least 1", repr(size))


def _take_declared(graph: onnx.GraphProto, dims: Mapping[str, int]) -> dict[str, TypeProto]:
    for value in (*graph.value_info, *graph.output):
        if value.type.HasField("tensor_type"):
            for dim in value.type.tensor_type.shape.dim:
                if dim.dim_param in dims:
                    dim.dim_value = dims[dim.dim_param]
                elif dim.HasField("dim_param"):
                    dim.ClearField("dim_param")
    declared = {value.name: value.type for value in (*graph.value_info, *graph.output)}
    taken = {}
    for name, type_ in declared.items():
        taken[name] = TypeProto()
        taken[name].CopyFrom(type_)
    del graph.value_info[:]
    return taken
