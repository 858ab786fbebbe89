"""An exported PyTorch program as the subject of a verification; torch itself is the reference."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram

from tfmbs.compiler.compilation import Compilation, Options
from tfmbs.compiler.importers.layers import Layer
from tfmbs.compiler.importers.messages import first_line, own_warnings_ignored
from tfmbs.compiler.importers.torch_graph import output_names
from tfmbs.compiler.importers.torch_rules import layer_name
from tfmbs.compiler.verify.subject import Array, Arrays, Execute
from tfmbs.runtime.abi.errors import TfmbsError

REFERENCE = "torch"


@dataclass(frozen=True)
class TorchPart:
    """A part of an exported program; see `Part`."""

    program: ExportedProgram
    inputs: Arrays
    nodes: tuple[str, ...]
    suffix: str = ".pt2"

    def expected(self) -> Array:
        """See `Part`."""
        return _array(_run(self.program.module(), self.inputs)[0])

    def ours(self, options: Options, execute: Execute) -> Array:
        """See `Part`."""
        image = Compilation.of(self.program, options, where="cut-out model").image()
        return next(iter(execute(image, self.inputs).values()))

    def to_bytes(self) -> bytes:
        """See `Part`."""
        buffer = io.BytesIO()
        torch.export.save(self.program, buffer)
        return buffer.getvalue()


class TorchSubject:
    """A program with its inputs; see `Subject`. Layers are the nodes of its functional ATen graph, not decomposed."""

    reference = REFERENCE

    def __init__(self, program: ExportedProgram, inputs: Arrays, where: str = "model") -> None:
        self._program, self._inputs, self._where = program, inputs, where
        with own_warnings_ignored():
            self._module = _functional(program, where)
        self._computed = [node for node in self._module.graph.nodes if _computes_tensor(node)]
        self._returned = [node for node in _returned(self._module) if isinstance(node, fx.Node)]
        self.layers = [Layer(layer_name(node), str(node.target), node.name) for node in self._computed]
        self.outputs = [node.name for node in self._returned]
        self.static = _static(self._module.graph)

    def values(self) -> Arrays:
        """See `Subject`."""
        nodes = list(dict.fromkeys([*self._returned, *self._computed]))
        results = _run(_returning(self._module, nodes), self._inputs)
        return {**{node.name: _array(x) for node, x in zip(nodes, results, strict=True)}, **self._inputs}

    def ours(self, options: Options, execute: Execute, expected: Arrays) -> Arrays:
        """See `Subject`."""
        names = output_names(self._program, self._where)
        known = (self._inputs, {name: expected[value] for name, value in zip(names, self.outputs, strict=True)})
        compilation = Compilation.of(self._program, replace(options, known=known), where=self._where)
        return self._named(self._returned, execute(compilation.image(), self._inputs))

    def tapped(self, options: Options, execute: Execute) -> Arrays:
        """See `Subject`."""
        nodes = list(dict.fromkeys([*self._returned, *(n for n in self._computed if n.name not in self.static)]))
        program = _export(_returning(self._module, nodes), self._inputs, self._where)
        compilation = Compilation.of(program, options, where=f"{self._where}, with every value as an output")
        return self._named(nodes, execute(compilation.image(), self._inputs))

    def cut_out(self, layer: Layer, depth: int, values: Arrays) -> TorchPart:
        """See `Subject`."""
        last = next(node for node in self._computed if node.name == layer.value)
        chosen, border = {last}, [last]
        for _ in range(depth):
            before = [n for node in border for n in node.all_input_nodes if n in self._computed]
            border = [node for node in before if node not in chosen]
            chosen.update(border)
        graph, inputs = _part(self._module.graph, chosen, last, values)
        module = fx.GraphModule(self._module, graph)
        nodes = tuple(layer_name(node) for node in self._computed if node in chosen)
        return TorchPart(_export(module, inputs, f"{self._where}: {layer.node}"), inputs, nodes)

    @staticmethod
    def _named(nodes: Sequence[fx.Node], outputs: Arrays) -> Arrays:
        return {node.name: array for node, array in zip(nodes, outputs.values(), strict=True)}


def _functional(program: ExportedProgram, where: str) -> fx.GraphModule:
    """The program's graph; where operators write tensors, one in which they make new ones.

    The graph as it was captured is preferred. What torch made functional it cannot always export again: views of
    results whose strides another kernel chooses become reshapes here.
    """
    try:
        module = program.module()
        if any(_is_mutable(node) for node in module.graph.nodes):
            module = program.run_decompositions({}).module()
            for node in module.graph.nodes:
                if node.target is torch.ops.aten.view.default:
                    node.target = torch.ops.aten.reshape.default
    except Exception as error:  # torch's own code, which raises anything
        what = "torch.export cannot make the program functional"
        raise TfmbsError("torch.unsupported", where, what, got=first_line(error), details=str(error)) from error
    assert isinstance(module, fx.GraphModule)
    for node in list(module.graph.nodes):
        # Guards and assertions compute nothing.
        if node.op == "call_module" or (node.op == "call_function" and not node.users and "val" not in node.meta):
            module.graph.erase_node(node)
    module.recompile()
    return module


def _is_mutable(node: fx.Node) -> bool:
    return isinstance(node.target, torch._ops.OpOverload) and node.target._schema.is_mutable


def _computes_tensor(node: fx.Node) -> bool:
    return node.op == "call_function" and isinstance(node.meta.get("val"), torch.Tensor) and not _writes(node)


def _writes(node: fx.Node) -> bool:
    """Whether it updates a buffer."""
    return node.target is torch.ops.aten.copy_.default


def _returned(module: fx.GraphModule) -> list[Any]:
    (output,) = (node for node in module.graph.nodes if node.op == "output")
    return list(torch.utils._pytree.tree_leaves(output.args[0]))


def _static(graph: fx.Graph) -> set[str]:
    """Values that do not depend on the inputs, nor on buffers that are written."""
    written = {node.args[0] for node in graph.nodes if _writes(node)}
    static: set[str] = set()
    for node in graph.nodes:
        computed = node.op == "call_function" and all(read.name in static for read in node.all_input_nodes)
        if computed or (node.op == "get_attr" and node not in written):
            static.add(node.name)
    return static


def _returning(module: fx.GraphModule, nodes: Sequence[fx.Node]) -> fx.GraphModule:
    """A module of the same parameters that returns the values of these nodes, in order."""
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in module.graph.nodes:
        if node.op != "output":
            copies[node] = graph.node_copy(node, lambda n: copies[n])
    graph.output(tuple(copies[node] for node in nodes))
    return fx.GraphModule(module, graph)


def _part(
    source: fx.Graph, chosen: Iterable[fx.Node], last: fx.Node, values: Arrays
) -> tuple[fx.Graph, dict[str, Array]]:
    """The chosen nodes as a graph; what they read from others is an input, but for parameters."""
    chosen, graph = set(chosen), fx.Graph()
    order = {node: place for place, node in enumerate(source.nodes)}
    read = sorted({n for node in chosen for n in node.all_input_nodes if n not in chosen}, key=lambda n: order[n])
    copies: dict[fx.Node, fx.Node] = {}
    inputs: dict[str, Array] = {}
    for node in read:
        if node.op != "get_attr":
            copies[node] = graph.placeholder(node.name)
            inputs[node.name] = values[node.name]
    for node in source.nodes:
        if node in chosen or (node in read and node.op == "get_attr"):
            copies[node] = graph.node_copy(node, lambda n: copies[n])
    graph.output((copies[last],))
    return graph, inputs


def _export(module: fx.GraphModule, inputs: Arrays, where: str) -> ExportedProgram:
    try:
        with own_warnings_ignored():
            program = torch.export.export(module, _tensors(inputs), strict=False)
        for node in program.graph.nodes:
            # What a node came from holds text that our own reader of files does not take.
            node.meta.pop("from_node", None)
        return program
    except Exception as error:  # as in the importer, export raises anything
        what = "torch.export does not capture the module"
        raise TfmbsError("torch.export", where, what, got=first_line(error), details=str(error)) from error


def _run(module: torch.nn.Module, inputs: Arrays) -> Sequence[torch.Tensor]:
    try:
        with torch.no_grad():
            results: Sequence[torch.Tensor] = module(*_tensors(inputs))
    except Exception as error:  # kernels of torch raise errors of many types
        raise TfmbsError("reference", REFERENCE, "it does not run the model", got=first_line(error)) from error
    return results


def _tensors(inputs: Mapping[str, Array]) -> tuple[torch.Tensor, ...]:
    # Copies: what a program writes must not be the caller's, and a scalar of numpy is no array.
    return tuple(torch.from_numpy(array.copy()) for array in inputs.values())


def _array(tensor: torch.Tensor) -> Array:
    array: Array = tensor.detach().cpu().contiguous().numpy()
    return array
