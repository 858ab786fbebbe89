"""The main graph of an ONNX model as layers: its values exposed as outputs, and parts of it cut out as models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import onnx
from onnx import GraphProto, ModelProto, NodeProto, helper, numpy_helper

from tfmbs.compiler.importers.layers import Layer
from tfmbs.compiler.importers.rewrite.renaming import used_names

Array = npt.NDArray[Any]

_OF_SHAPES = frozenset({"Shape", "Size"})
"""Ops whose results depend on their operands' shapes only."""


def named(model: ModelProto) -> ModelProto:
    """A copy in which every node has a name of its own: without one, or with another's, its position is part of it.

    Nodes of branches are called after the node that holds them where they have no such name.
    """
    copy = ModelProto()
    copy.CopyFrom(model)
    seen: set[str] = set()
    pending: list[tuple[str, GraphProto]] = [("", copy.graph)]
    for prefix, graph in pending:
        for index, node in enumerate(graph.node):
            if not node.name or node.name in seen:
                node.name = f"{prefix}{node.name or node.op_type}_{index}"
            seen.add(node.name)
            for attribute in node.attribute:
                held = (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else []))
                pending += [(f"{node.name}.{attribute.name}.", inner) for inner in held]
    return copy


def layers_of(model: ModelProto) -> list[Layer]:
    """A layer for each value that nodes compute, in the order of the graph."""
    return [Layer(n.name, n.op_type, value) for n in model.graph.node for value in n.output if value]


def static_values(graph: GraphProto) -> set[str]:
    """Values that do not depend on what the graph's inputs hold: weights, constants, shapes, and what follows."""
    static = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type in _OF_SHAPES or all(name in static for name in uses(node)):
            static.update(filter(None, node.output))
    return static


def tapped(model: ModelProto) -> ModelProto:
    """A copy whose outputs are its own ones and all values of its nodes that are tensors of a type that onnx infers."""
    copy = ModelProto()
    copy.CopyFrom(model)
    known = {output.name for output in copy.graph.output}
    elements = _element_types(model)
    for layer in layers_of(model):
        if layer.value not in known and layer.value in elements:
            known.add(layer.value)
            copy.graph.output.append(helper.make_tensor_value_info(layer.value, elements[layer.value], None))
    return copy


def _element_types(model: ModelProto) -> dict[str, int]:
    """Element types of the tensors of the main graph by name, as far as they can be inferred."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    return {
        value.name: value.type.tensor_type.elem_type
        for value in (*graph.value_info, *graph.output)
        if value.type.HasField("tensor_type") and value.type.tensor_type.elem_type
    }


def uses(node: NodeProto) -> list[str]:
    """Names of the values that a node reads, in the order of its inputs, then those that its graphs capture."""
    own = filter(None, node.input)
    return list(dict.fromkeys([*own, *sorted(used_names(node))]))


@dataclass(frozen=True)
class Cutout:
    """Part of a model as a model of its own, with the inputs to run it on."""

    model: ModelProto
    inputs: Mapping[str, Array]
    nodes: tuple[str, ...]


def cut_out(model: ModelProto, layer: Layer, depth: int, values: Mapping[str, Array]) -> Cutout:
    """The node of `layer` and those up to `depth` steps before it, with the layer's value as the output.

    What the nodes read from elsewhere becomes an input if it depends on the model's inputs, and a constant if not.

    Args:
        values: every value of the main graph that is not an initializer, by name; the inputs are among them.
    """
    graph, static = model.graph, static_values(model.graph)
    producers = {name: node for node in graph.node for name in node.output}
    chosen = _before(producers[layer.value], producers, static, depth)
    nodes = [node for node in graph.node if node.name in chosen]
    inside = {name for node in nodes for name in node.output}
    outside = [name for name in dict.fromkeys(n for node in nodes for n in uses(node)) if name not in inside]
    inputs = {name: values[name] for name in outside if name not in static}
    part = helper.make_graph(
        nodes,
        layer.node,
        [_typed(name, array) for name, array in inputs.items()],
        [_typed(layer.value, values[layer.value])],
        list(_constants(graph, [name for name in outside if name in static], values)),
    )
    result = helper.make_model(part, opset_imports=model.opset_import, ir_version=model.ir_version)
    result.functions.extend(model.functions)
    return Cutout(result, inputs, tuple(node.name for node in nodes))


def _before(node: NodeProto, producers: Mapping[str, NodeProto], static: set[str], depth: int) -> set[str]:
    """Names of `node` and of what computes its operands, `depth` steps back."""
    chosen, border = {node.name}, [node]
    for _ in range(depth):
        before = [producers[n] for each in border for n in uses(each) if n in producers and n not in static]
        border = [each for each in before if each.name not in chosen]
        chosen |= {each.name for each in border}
    return chosen


def _constants(graph: GraphProto, names: Iterable[str], values: Mapping[str, Array]) -> Iterator[onnx.TensorProto]:
    given = {tensor.name: tensor for tensor in graph.initializer}
    for name in names:
        yield given[name] if name in given else numpy_helper.from_array(values[name], name)


def _typed(name: str, array: Array) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
