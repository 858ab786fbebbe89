"""Nodes with graphs of their own: branches that are known to be taken, and the walk through the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from onnx import AttributeProto, GraphProto, NodeProto, TypeProto, helper

from tfmbs.compiler.importers.rewrite.hints import hint_backwards
from tfmbs.compiler.importers.rewrite.renaming import renamed
from tfmbs.compiler.importers.rewrite.scope import Scope
from tfmbs.compiler.importers.rewrite.types import static_shape, type_of_tensor

Walk = Callable[[Iterable[NodeProto], Scope], None]


def take_branch(node: NodeProto, scope: Scope) -> list[NodeProto] | None:
    """The nodes of an If's branch whose condition is known."""
    if node.op_type != "If" or node.domain != "" or node.input[0] not in scope.known:
        return None
    taken = "then_branch" if bool(scope.known[node.input[0]].reshape(())) else "else_branch"
    graph = graph_of(node, taken)
    return spliced(graph, {}, list(node.output), scope)


def graph_of(node: NodeProto, name: str) -> GraphProto:
    """The graph in the attribute `name`."""
    return next(attribute.g for attribute in node.attribute if attribute.name == name)


def spliced(graph: GraphProto, inputs: dict[str, str], results: Sequence[str], scope: Scope) -> list[NodeProto]:
    """The nodes of a graph as nodes of the scope: its inputs and results have the given names, all else fresh ones."""
    names = dict(inputs)
    constants = []
    for tensor in graph.initializer:
        names[tensor.name] = scope.names.fresh(tensor.name)
        constants.append(helper.make_node("Constant", [], [names[tensor.name]], value=tensor))
    nodes = renamed(graph.node, names, scope.names.fresh)
    ends = zip(graph.output, results, strict=False)
    copies = [helper.make_node("Identity", [names.get(end.name, end.name)], [name]) for end, name in ends if name]
    return [*constants, *nodes, *copies]


def keep_control(node: NodeProto, inputs: Sequence[TypeProto | None], scope: Scope, walk: Walk) -> NodeProto:
    """The node with its graphs walked: what they hold is folded, replaced and typed like everything else.

    `inputs` are the types of the graphs' inputs, None where the graph's own record is all there is.
    """
    result = NodeProto()
    result.CopyFrom(node)
    for attribute in result.attribute:
        if attribute.type == AttributeProto.GRAPH:
            _walk_graph(attribute.g, inputs, scope, walk)
    return result


def _walk_graph(graph: GraphProto, given: Sequence[TypeProto | None], scope: Scope, walk: Walk) -> None:
    records = (*graph.value_info, *graph.output)
    inner = scope.inner({value.name: value.type for value in records if static_shape(value.type) is not None})
    hint_backwards(graph.node, inner.declared)
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
