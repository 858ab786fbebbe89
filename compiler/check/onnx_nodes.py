"""The nodes of a model as models of one node each, equal ones once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper

from tfmbs.compiler.importers.onnx_graph import static_values, uses

_COUNTED_BYTES = 4096
"""Constants up to this size decide what a node is (axes, shapes, scales); of larger ones only the type does."""


@dataclass(frozen=True)
class Single:
    """A model of one node, with the constants it reads, and the names of all nodes that it stands for."""

    model: ModelProto
    op: str
    names: tuple[str, ...]


def singles(prepared: ModelProto, large: Mapping[str, TensorProto]) -> list[Single]:
    """A model for each kind of node of the main graph that does not only work on constants.

    Args:
        prepared: a model as `prepare` gives it; its nodes have names, its values types.
        large: initializers that are inputs of it.
    """
    static = static_values(prepared.graph) | set(large)
    types = {value.name: value for value in (*prepared.graph.value_info, *prepared.graph.output, *prepared.graph.input)}
    producers = {name: node for node in prepared.graph.node for name in node.output}
    constants = {tensor.name: tensor for tensor in prepared.graph.initializer} | dict(large)
    found: dict[bytes, tuple[ModelProto, NodeProto, list[str]]] = {}
    for node in prepared.graph.node:
        if all(name in static for name in node.output if name):
            continue
        model = _single(prepared, node, producers, static, constants, types)
        found.setdefault(_key(model), (model, node, []))[2].append(node.name)
    return [Single(model, node.op_type, tuple(names)) for model, node, names in found.values()]


def _single(
    whole: ModelProto,
    node: NodeProto,
    producers: Mapping[str, NodeProto],
    static: set[str],
    constants: Mapping[str, TensorProto],
    types: Mapping[str, ValueInfoProto],
) -> ModelProto:
    nodes = [*_before(node, producers, static, set()), node]
    inside = {name for each in nodes for name in each.output}
    read = [name for name in dict.fromkeys(n for each in nodes for n in uses(each)) if name not in inside]
    graph = helper.make_graph(
        nodes,
        node.name,
        [types[name] for name in read if name not in constants and name in types],
        [types.get(name) or ValueInfoProto(name=name) for name in node.output if name],
        [constants[name] for name in read if name in constants],
    )
    model = helper.make_model(graph, opset_imports=whole.opset_import, ir_version=whole.ir_version)
    model.functions.extend(whole.functions)
    return model


def _before(
    node: NodeProto, producers: Mapping[str, NodeProto], static: set[str], seen: set[str]
) -> Iterator[NodeProto]:
    """The nodes that compute what `node` reads and no input's elements change: they are folded with it."""
    for name in uses(node):
        if name in static and name in producers and producers[name].name not in seen:
            seen.add(producers[name].name)
            yield from _before(producers[name], producers, static, seen)
            yield producers[name]


def _key(model: ModelProto) -> bytes:
    """The same for models that differ in names and in the elements of large constants only."""
    graph = model.graph
    numbers: dict[str, str] = {}

    def number(name: str) -> str:
        return numbers.setdefault(name, str(len(numbers))) if name else ""

    digest = hashlib.sha256()
    for node in graph.node:
        plain = NodeProto.FromString(node.SerializeToString())
        plain.ClearField("name")
        plain.ClearField("doc_string")
        plain.input[:] = [number(name) for name in node.input]
        plain.output[:] = [number(name) for name in node.output]
        for attribute in plain.attribute:
            if attribute.HasField("t"):
                attribute.t.ClearField("name")
        digest.update(plain.SerializeToString(deterministic=True))
    for value in (*graph.input, *graph.output):
        digest.update(number(value.name).encode() + value.type.SerializeToString(deterministic=True))
    for tensor in graph.initializer:
        plain_tensor = TensorProto(dims=tensor.dims, data_type=tensor.data_type)
        if tensor.ByteSize() <= _COUNTED_BYTES:
            plain_tensor.CopyFrom(tensor)
            plain_tensor.ClearField("name")
        digest.update(number(tensor.name).encode() + plain_tensor.SerializeToString(deterministic=True))
    return digest.digest()
