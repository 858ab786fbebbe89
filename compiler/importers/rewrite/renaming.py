"""Nodes copied into another graph: values get new names, in nested graphs too."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from onnx import AttributeProto, GraphProto, NodeProto


def subgraphs(node: NodeProto) -> Iterable[GraphProto]:
    """The graphs that a node holds."""
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def used_names(node: NodeProto) -> set[str]:
    """Names of the values that a node reads, those that its graphs capture included."""
    names = set(filter(None, node.input))
    for graph in subgraphs(node):
        names |= captured(graph)
    return names


def captured(graph: GraphProto) -> set[str]:
    """Names of the values from around it that a graph reads."""
    own = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    used: set[str] = set()
    for node in graph.node:
        used |= used_names(node) - own
        own.update(node.output)
    return used | ({value.name for value in graph.output} - own)


def renamed(nodes: Iterable[NodeProto], names: dict[str, str], fresh: Callable[[str], str]) -> list[NodeProto]:
    """Copies of `nodes` where what they define has fresh names, and what `names` maps has the name it maps to.

    `names` grows by what the nodes define. Names that are in neither stay: they are of the scope around.
    """
    return [_renamed_node(node, names, fresh) for node in nodes]


def _renamed_node(node: NodeProto, names: dict[str, str], fresh: Callable[[str], str]) -> NodeProto:
    result = NodeProto()
    result.CopyFrom(node)
    result.input[:] = [names.get(name, name) for name in node.input]
    for graph in subgraphs(result):
        _rename_graph(graph, dict(names), fresh)
    for name in node.output:
        if name and name not in names:
            names[name] = fresh(name)
    result.output[:] = [names[name] if name else "" for name in node.output]
    return result


def _rename_graph(graph: GraphProto, names: dict[str, str], fresh: Callable[[str], str]) -> None:
    for value in (*graph.input, *graph.initializer):
        names[value.name] = fresh(value.name)
        value.name = names[value.name]
    defined = {name for node in graph.node for name in node.output}
    for name in defined:
        names.pop(name, None)
    nodes = renamed(graph.node, names, fresh)
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]
    for value in graph.output:
        value.name = names.get(value.name, value.name)
