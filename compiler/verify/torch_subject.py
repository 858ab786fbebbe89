"""An exported PyTorch program as the subject of a verification; torch itself is the reference."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import fx
from torch.export import ExportedProgram

from tfmbs.compiler.compilation import Compilation, Options
from tfmbs.compiler.importers.layers import Layer
from tfmbs.compiler.importers.messages import first_line, own_warnings_ignored
from tfmbs.compiler.importers.torch_graph import output_names
from tfmbs.compiler.importers.torch_names import layer_name
from tfmbs.compiler.importers.torch_parts import (
    computes_tensor,
    exported,
    functional,
    part,
    returned,
    returning,
    static_names,
)
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
            self._module = functional(program, where)
        self._computed = [node for node in self._module.graph.nodes if computes_tensor(node)]
        self._returned = [node for node in returned(self._module) if isinstance(node, fx.Node)]
        self.layers = [Layer(layer_name(node), str(node.target), node.name) for node in self._computed]
        self.outputs = [node.name for node in self._returned]
        self.static = static_names(self._module.graph)

    def values(self) -> Arrays:
        """See `Subject`."""
        nodes = list(dict.fromkeys([*self._returned, *self._computed]))
        results = _run(returning(self._module, nodes), self._inputs)
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
        program = exported(returning(self._module, nodes), _tensors(self._inputs), self._where)
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
        module, read = part(self._module, chosen, [last])
        inputs = {node.name: values[node.name] for node in read}
        nodes = tuple(layer_name(node) for node in self._computed if node in chosen)
        return TorchPart(exported(module, _tensors(inputs), f"{self._where}: {layer.node}"), inputs, nodes)

    @staticmethod
    def _named(nodes: Sequence[fx.Node], outputs: Arrays) -> Arrays:
        return {node.name: array for node, array in zip(nodes, outputs.values(), strict=True)}


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
