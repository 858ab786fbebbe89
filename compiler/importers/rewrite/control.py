"""Nodes with graphs of their own: branches that are known to be taken, and the walk through the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, TypeProto, helper

from tfmbs.compiler.importers.rewrite.renaming import renamed
from tfmbs.compiler.importers.rewrite.scope import Scope
from tfmbs.compiler.importers.rewrite.types import tensor_type, type_of_tensor

Walk = Callable[[Iterable[NodeProto], Scope], None]


def take_branch(node: NodeProto, scope: Scope) -> list[NodeProto] | None:
    """The nodes of an If's branch whose condition is known."""
    if node.op_type != "If" or node.domain != "" or node.input[0] not in scope.known:
        return None
    taken = "then_branch" if bool(scope.known[node.input[0]].reshape(())) else "else_branch"
    graph = graph_of(node, taken)
    return spliced(graph, {}, dict(zip([value.name for value in graph.output], node.output, strict=True)), scope)


def graph_of(node: NodeProto, name: str) -> GraphProto:
    """The graph in the attribute `name`."""
    return next(attribute.g for attribute in node.attribute if attribute.name == name)


def spliced(graph: GraphProto, inputs: dict[str, str], results: dict[str, str], scope: Scope) -> list[NodeProto]:
    """The nodes of a graph as nodes of the scope: its inputs and results have the given names, all else fresh ones."""
    names = dict(inputs)
    constants = []
    for tensor in graph.initializer:
        names[tensor.name] = scope.names.fresh(tensor.name)
        constants.append(helper.make_node("Constant", [], [names[tensor.name]], value=tensor))
    nodes = renamed(graph.node, names, scope.names.fresh)
    copies = [helper.make_node("Identity", [names.get(inner, inner)], [outer]) for inner, outer in results.items()]
    return [*constants, *nodes, *copies]


def keep_control(node: NodeProto, scope: Scope, walk: Walk) -> NodeProto:
    """The node with its graphs walked: what they hold is folded, replaced and typed like everything else."""
    result = NodeProto()
    result.CopyFrom(node)
    for attribute in result.attribute:
        if attribute.type == AttributeProto.GRAPH:
            _walk_graph(attribute.g, _input_types(node, scope), scope, walk)
    return result


def _input_types(node: NodeProto, scope: Scope) -> list[TypeProto | None]:
    """Types of the inputs of a Loop's body, in its first iteration; those of other graphs' inputs are declared."""
    if node.op_type != "Loop":
        return []
    scalars: list[TypeProto | None] = [tensor_type(TensorProto.INT64, ()), tensor_type(TensorProto.BOOL, ())]
    return scalars + [scope.types.get(name) for name in node.input[2:]]


def _walk_graph(graph: GraphProto, given: list[TypeProto | None], scope: Scope, walk: Walk) -> None:
    inner = scope.inner()
    for index, value in enumerate(graph.input):
        type_ = given[index] if index < len(given) else None
        if type_ is not None:
            value.type.CopyFrom(type_)
        inner.types[value.name] = value.type
    for tensor in graph.initializer:
        inner.types[tensor.name] = type_of_tensor(tensor)
        inner.remember(tensor.name, tensor)
    walk(graph.node, inner)
    del graph.node[:]
    graph.node.extend(inner.nodes)
    for value in graph.output:
        if value.name in inner.types:
            value.type.CopyFrom(inner.types[value.name])
    del graph.value_info[:]
    ends = {value.name for value in (*graph.input, *graph.output)} | {tensor.name for tensor in graph.initializer}
    graph.value_info.extend(
        helper.make_value_info(name, type_) for name, type_ in inner.types.maps[0].items() if name not in ends
    )
