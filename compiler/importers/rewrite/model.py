"""A whole model rewritten: one walk over its graph, then what nothing needs is dropped."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
from onnx import NodeProto, TensorProto, TypeProto, numpy_helper

from tfmbs.compiler.importers.external_data import all_tensors
from tfmbs.compiler.importers.onnx_rules import NO_DATA, at_node, at_value
from tfmbs.compiler.importers.rewrite.hints import hint_backwards
from tfmbs.compiler.importers.rewrite.renaming import subgraphs, used_names
from tfmbs.compiler.importers.rewrite.scope import Names, Scope
from tfmbs.compiler.importers.rewrite.types import static_shape, type_of_tensor
from tfmbs.compiler.importers.rewrite.walk import walk
from tfmbs.runtime.abi.errors import TfmbsError


def rewrite(
    model: onnx.ModelProto, declared: Mapping[str, TypeProto], where: str, *, sized: bool = False
) -> onnx.ModelProto:
    """The model in operators that can be compiled, every value's type static and recorded; changes `model`.

    Args:
        model: checked, its inputs' shapes static.
        declared: types that the model declares, for what inference cannot know.
        where: how errors call the model.
        sized: the model is imported at several sizes, and is to have one form at all of them.

    Raises:
        TfmbsError: ``onnx.invalid``, ``onnx.unsupported`` or ``resource-limit``, naming the node.
    """
    graph = model.graph
    _normalize_domains(graph)
    _name_nodes(graph)
    opsets = {"" if entry.domain == "ai.onnx" else entry.domain: entry.version for entry in model.opset_import}
    outputs = {value.name for value in graph.output}
    declared = {**declared, **{value.name: value.type for value in graph.output}}
    hint_backwards(graph.node, declared)
    scope = Scope(where, opsets, Names(_all_names(graph)), declared, frozenset(outputs), sized=sized)
    for value in graph.input:
        scope.types[value.name] = value.type
    for tensor in graph.initializer:
        scope.types[tensor.name] = type_of_tensor(tensor)
        scope.remember(tensor.name, tensor)
    for tensor in all_tensors(model):
        _store_raw(tensor)
    walk(graph.node, scope)
    for value in graph.output:
        value.type.CopyFrom(_tensor_type(value.name, scope))
    nodes = needed(scope.nodes, outputs)
    _refuse_dynamic_shapes(nodes, scope)
    del graph.node[:]
    graph.node.extend(nodes)
    ends = outputs | {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    inner = [name for node in nodes for name in node.output if name and name not in ends and name in scope.types]
    graph.value_info.extend(onnx.helper.make_value_info(name, scope.types[name]) for name in inner)
    _name_nodes(graph)
    return model


def _tensor_type(output: str, scope: Scope) -> TypeProto:
    type_ = scope.types.get(output)
    if type_ is None or not type_.HasField("tensor_type"):
        kind = type_.WhichOneof("value") if type_ is not None else None
        got = str(kind).removesuffix("_type") if kind else "none"
        raise TfmbsError("onnx.unsupported", at_value("output", output, scope.where), "type", "a tensor", got)
    return type_


def needed(nodes: list[NodeProto], results: set[str]) -> list[NodeProto]:
    """The nodes that `results` depend on, in their order."""
    used, kept = set(results), []
    for node in reversed(nodes):
        if used.isdisjoint(node.output):
            continue
        used |= used_names(node)
        kept.append(node)
    return kept[::-1]


def _all_names(graph: onnx.GraphProto) -> set[str]:
    names = {value.name for value in (*graph.input, *graph.output, *graph.initializer)}
    for node in graph.node:
        names.update(node.input, node.output)
        for inner in subgraphs(node):
            names |= _all_names(inner)
    return names


def _normalize_domains(graph: onnx.GraphProto) -> None:
    for node in graph.node:
        if node.domain == "ai.onnx":
            node.domain = ""
        for inner in subgraphs(node):
            _normalize_domains(inner)


def _name_nodes(graph: onnx.GraphProto) -> None:
    """Names become locations and layer names: a node without one is called by its op and position."""
    for index, node in enumerate(graph.node):
        if not node.name:
            node.name = f"{node.op_type}_{index}"
        for inner in subgraphs(node):
            _name_nodes(inner)


def _store_raw(tensor: TensorProto) -> None:
    """Elements as bytes, the one form of them that torch-mlir's importer reads for every type."""
    if not tensor.HasField("raw_data") and tensor.data_type != TensorProto.STRING and 0 not in tensor.dims:
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor), name))


def _refuse_dynamic_shapes(nodes: list[NodeProto], scope: Scope) -> None:
    for node in nodes:
        for name in filter(None, node.output):
            type_ = scope.types.get(name)
            if type_ is not None and not type_.HasField("tensor_type"):
                at = at_node(node, scope.where)
                raise TfmbsError("onnx.unsupported", at, f"'{name}'", "a tensor", "a sequence known at run time only")
            if static_shape(type_) is None:
                raise TfmbsError(
                    "onnx.unsupported", at_node(node, scope.where), f"shape of '{name}'",
                    "known at compile time", "depends on values", help=NO_DATA,
                )  # fmt: skip
