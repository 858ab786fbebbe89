"""A model without its large constants, so that checks, rewriting and import neither copy them nor walk over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

import onnx
from onnx import TensorProto, numpy_helper

from tfmbs.compiler.importers.rewrite.renaming import used_names
from tfmbs.compiler.importers.rewrite.scope import MAX_KNOWN
from tfmbs.dialect.resources import Array

PLAIN = frozenset(
    (
        TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16,
        TensorProto.INT8, TensorProto.INT16, TensorProto.INT32, TensorProto.INT64,
        TensorProto.UINT8, TensorProto.UINT16, TensorProto.UINT32, TensorProto.UINT64,
    )
)  # fmt: skip
"""Element types whose values lie in memory as MLIR stores them."""


@dataclass(frozen=True)
class Parts:
    """A model in which large initializers are inputs, and these by name: read-only arrays of `PLAIN` elements in their
    shapes (bf16 as uint16), or, of other elements, tensors. The model that they come from is needed no more.
    """

    model: onnx.ModelProto
    arrays: Mapping[str, Array] = field(default_factory=dict)
    tensors: Mapping[str, TensorProto] = field(default_factory=dict)
    types: Mapping[str, int] = field(default_factory=dict)  # of the arrays
    sized: bool = False  # it is imported at several sizes, and is to have one form at all of them


NO_DATA: Mapping[int, Array] = {}


def split(model: onnx.ModelProto, data: Mapping[int, Array] = NO_DATA) -> Parts:
    """The parts of a model, which is not changed. `data` is raw data of initializers by their numbers, where they have
    none themselves.
    """
    light, arrays, tensors, types = _without_weights(model), {}, {}, {}
    for index, tensor in enumerate(model.graph.initializer):
        if is_weight(tensor):
            arrays[tensor.name], types[tensor.name] = _array(tensor, data.get(index)), tensor.data_type
        elif _is_large(tensor):
            tensors[tensor.name] = TensorProto()
            tensors[tensor.name].CopyFrom(tensor)
    return Parts(light, arrays, tensors, types)


def with_weights(model: onnx.ModelProto, parts: Parts, *, data: bool) -> onnx.ModelProto:
    """`model`, made of that of the parts, with the large initializers that it uses; arrays without `data` unless asked.

    No constant stays an input.
    """
    inputs = {value.name for value in model.graph.input}
    used = {name for node in model.graph.node for name in used_names(node)} | {v.name for v in model.graph.output}
    for name, array in parts.arrays.items():
        if name in inputs & used:
            raw = {"raw_data": array.tobytes()} if data else {}
            tensor = TensorProto(name=name, data_type=parts.types[name], dims=array.shape, **raw)
            model.graph.initializer.append(tensor)
    model.graph.initializer.extend(tensor for name, tensor in parts.tensors.items() if name in inputs & used)
    constants = {tensor.name for tensor in parts.model.graph.initializer} | {*parts.arrays, *parts.tensors}
    kept = [value for value in model.graph.input if value.name not in constants]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    return model


def is_weight(tensor: TensorProto) -> bool:
    """Whether the tensor is large, and of elements that lie in memory as MLIR stores them."""
    return _is_large(tensor) and tensor.data_type in PLAIN


def _array(tensor: TensorProto, data: Array | None) -> Array:
    array: Array
    if data is None:
        array = numpy_helper.to_array(tensor)  # raw data without another copy
    else:
        array = data.view(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)).reshape(tensor.dims)
    if tensor.data_type == TensorProto.BFLOAT16:
        array = array.view("uint16")
    array.setflags(write=False)
    return array


def _without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the model where large initializers are inputs."""
    result = onnx.ModelProto()
    _copy_fields(model, result, "graph")
    _copy_fields(model.graph, result.graph, "initializer")
    inputs = {value.name for value in result.graph.input}
    for tensor in model.graph.initializer:
        if not _is_large(tensor):
            result.graph.initializer.append(tensor)
        elif tensor.name not in inputs:
            value = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            result.graph.input.append(value)
    return result


def _is_large(tensor: TensorProto) -> bool:
    return bool(prod(tensor.dims) > MAX_KNOWN)


def _copy_fields(source: onnx.ModelProto | onnx.GraphProto, target: object, left_out: str) -> None:
    for descriptor, value in source.ListFields():
        if descriptor.name == left_out:
            continue
        if descriptor.is_repeated:
            getattr(target, descriptor.name).extend(value)
        elif descriptor.type == descriptor.TYPE_MESSAGE:
            getattr(target, descriptor.name).CopyFrom(value)
        else:
            setattr(target, descriptor.name, value)
