"""The graph of an exported program as layers: a functional form of it, parts cut out of it, and their export."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch.export import ExportedProgram

from tfmbs.compiler.importers.messages import first_line, own_warnings_ignored
from tfmbs.compiler.importers.torch_names import mark_origins
from tfmbs.runtime.abi.errors import TfmbsError


def functional(program: ExportedProgram, where: str) -> fx.GraphModule:
    """The graph of `without_writes`. Views of results whose strides another kernel chooses become reshapes, which torch
    can always export again.

    Raises:
        TfmbsError: ``torch.unsupported``, torch fails at that.
    """
    changed = without_writes(program, where)
    try:
        module = changed.module()
    except Exception as error:  # torch's own code, which raises anything
        raise _not_functional(error, where) from error
    assert isinstance(module, fx.GraphModule)
    mark_origins(module.graph, program)
    for node in list(module.graph.nodes):
        if changed is not program and node.target is torch.ops.aten.view.default:
            node.target = torch.ops.aten.reshape.default
        # Guards and assertions compute nothing.
        if node.op == "call_module" or (node.op == "call_function" and not node.users and "val" not in node.meta):
            module.graph.erase_node(node)
    module.recompile()
    return module


def without_writes(program: ExportedProgram, where: str) -> ExportedProgram:
    """The program itself, where none of its operators writes a tensor; else one in which they make new ones.

    Raises:
        TfmbsError: ``torch.unsupported``, torch fails at that.
    """
    if not any(_is_mutable(node) for node in program.graph.nodes):
        return program
    try:
        changed: ExportedProgram = program.run_decompositions({})
        return changed
    except Exception as error:  # torch's own code, which raises anything
        raise _not_functional(error, where) from error


def _not_functional(error: Exception, where: str) -> TfmbsError:
    what = "torch.export cannot make the program functional"
    return TfmbsError("torch.unsupported", where, what, got=first_line(error), details=str(error))


def _is_mutable(node: fx.Node) -> bool:
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable


def computes_tensor(node: fx.Node) -> bool:
    """Whether the node's value is a tensor that it computes."""
    return node.op == "call_function" and isinstance(node.meta.get("val"), Tensor) and not writes(node)


def writes(node: fx.Node) -> bool:
    """Whether it updates a buffer."""
    return node.target is torch.ops.aten.copy_.default


def returned(module: fx.GraphModule) -> list[Any]:
    """What the module returns, flat: nodes, or constants."""
    (output,) = (node for node in module.graph.nodes if node.op == "output")
    return list(torch.utils._pytree.tree_leaves(output.args[0]))


def static_names(graph: fx.Graph) -> set[str]:
    """Nodes whose values do not depend on the inputs, nor on buffers that are written."""
    written = {node.args[0] for node in graph.nodes if writes(node)}
    static: set[str] = set()
    for node in graph.nodes:
        computed = node.op == "call_function" and all(read.name in static for read in node.all_input_nodes)
        if computed or (node.op == "get_attr" and node not in written):
            static.add(node.name)
    return static


def returning(module: fx.GraphModule, nodes: Sequence[fx.Node]) -> fx.GraphModule:
    """A module of the same parameters that returns the values of these nodes, in order."""
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in module.graph.nodes:
        if node.op != "output":
            copies[node] = graph.node_copy(node, lambda n: copies[n])
    graph.output(tuple(copies[node] for node in nodes))
    return fx.GraphModule(module, graph)


def part(
    module: fx.GraphModule, chosen: Collection[fx.Node], results: Sequence[fx.Node]
) -> tuple[fx.GraphModule, list[fx.Node]]:
    """The chosen nodes as a module that returns `results`, and the nodes whose values are its inputs, in order.

    What the nodes read from others is an input, but for parameters.
    """
    graph = fx.Graph()
    read = {n for node in chosen for n in node.all_input_nodes if n not in chosen}
    inputs = [node for node in module.graph.nodes if node in read and node.op != "get_attr"]
    copies = {node: graph.placeholder(node.name) for node in inputs}
    for node in module.graph.nodes:
        if node in chosen or (node in read and node.op == "get_attr"):
            copies[node] = graph.node_copy(node, lambda n: copies[n])
    graph.output(tuple(copies[node] for node in results))
    return fx.GraphModule(module, graph), inputs


def exported(module: fx.GraphModule, inputs: Sequence[Tensor], where: str) -> ExportedProgram:
    """The program of such a module.

    Raises:
        TfmbsError: ``torch.export``, torch does not capture it.
    """
    try:
        with own_warnings_ignored():
            program = torch.export.export(module, tuple(inputs), strict=False)
        for node in program.graph.nodes:
            # What a node came from holds text that our own reader of files does not take.
            node.meta.pop("from_node", None)
        return program
    except Exception as error:  # as in the importer, export raises anything
        what = "torch.export does not capture the module"
        raise TfmbsError("torch.export", where, what, got=first_line(error), details=str(error)) from error
