"""Taking what is refused out of an ONNX model, so that the rest can be looked at."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from tfmbs.compiler.importers.onnx_graph import uses

LARGE_BYTES = 1 << 16


def known_types(model: ModelProto) -> dict[str, ValueInfoProto]:
    """Types of the tensors of the main graph whose shape is static, as far as onnx infers them from a model that may be
    wrong elsewhere.
    """
    try:
        graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError):
        graph = model.graph
    values = (*graph.value_info, *graph.output, *graph.input)
    known = {value.name: value for value in values if _is_static(value)}
    return known | {tensor.name: type_of(tensor) for tensor in graph.initializer}


def _is_static(value: ValueInfoProto) -> bool:
    tensor = value.type.tensor_type
    return tensor.HasField("shape") and tensor.elem_type > 0 and all(d.HasField("dim_value") for d in tensor.shape.dim)


def type_of(tensor: TensorProto) -> ValueInfoProto:
    """The type of an initializer."""
    return helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))


def lighten(model: ModelProto) -> dict[str, TensorProto]:
    """Makes the large initializers of `model` inputs of their type, in place; returns them by name.

    Checks and shape inference look at small tensors only, and copy the model many times.
    """
    graph = model.graph
    large = {
        t.name: TensorProto.FromString(t.SerializeToString()) for t in graph.initializer if t.ByteSize() > LARGE_BYTES
    }
    for name in large:
        free_initializer(graph, name)
    return large


def free_initializer(graph: GraphProto, name: str) -> None:
    """Makes an initializer an input of its type."""
    for index, tensor in enumerate(graph.initializer):
        if tensor.name == name:
            if name not in {value.name for value in graph.input}:
                graph.input.append(type_of(tensor))
            del graph.initializer[index]
            return


def remove_nodes(model: ModelProto, names: set[str], types: Mapping[str, ValueInfoProto]) -> list[str]:
    """Removes nodes from the main graph, in place; what they computed becomes inputs of these `types`.

    Where no type is known, the nodes that read the value go too; their names are returned. The outputs of the graph
    are then all values that no node reads.
    """
    graph = model.graph
    gone, followers, nodes = set(names), list[str](), list[NodeProto]()
    missing: set[str] = set()
    given = {value.name for value in (*graph.input, *graph.initializer)}
    for node in graph.node:
        if node.name in gone or any(name in missing for name in uses(node)):
            if node.name not in gone:
                followers.append(node.name)
            missing |= {name for name in node.output if name and name not in types}
            graph.input.extend(types[n] for n in node.output if n in types and n not in given)
            given |= set(node.output)
        else:
            nodes.append(node)
    read = {name for node in nodes for name in uses(node)}
    kept = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    written = [name for node in kept for name in node.output if name and name not in read]
    del graph.node[:], graph.output[:]
    graph.node.extend(kept)
    graph.output.extend(types.get(name) or ValueInfoProto(name=name) for name in dict.fromkeys(written))
    for index in reversed(range(len(graph.input))):
        if graph.input[index].name not in read:
            del graph.input[index]
    return followers
