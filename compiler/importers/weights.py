"""A model without its large constants, so that checks and rewriting do not copy them, and with them again."""

from __future__ import annotations

from math import prod

import onnx
from onnx import TensorProto

from tfmbs.compiler.importers.rewrite.renaming import used_names
from tfmbs.compiler.importers.rewrite.scope import MAX_KNOWN


def without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
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


def with_weights(model: onnx.ModelProto, origin: onnx.ModelProto) -> onnx.ModelProto:
    """`model`, made by `without_weights` and changed since, with the large initializers of `origin` that it uses.

    No constant stays an input.
    """
    inputs = {value.name for value in model.graph.input}
    used = {name for node in model.graph.node for name in used_names(node)} | {v.name for v in model.graph.output}
    for tensor in origin.graph.initializer:
        if _is_large(tensor) and tensor.name in inputs & used:
            model.graph.initializer.append(tensor)
    constants = {tensor.name for tensor in origin.graph.initializer}
    kept = [value for value in model.graph.input if value.name not in constants]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    return model


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
