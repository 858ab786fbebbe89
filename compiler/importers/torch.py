"""PyTorch to the torch level: `torch.export`, decompositions, and torch-mlir's importer of FX graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.export import ExportedProgram

from tfmbs.compiler.guard import run_guarded
from tfmbs.compiler.importers.messages import first_line, own_warnings_ignored
from tfmbs.compiler.importers.torch_graph import Bound, bind
from tfmbs.compiler.importers.torch_level import ENTRY, KEPT_TORCH_OPS
from tfmbs.compiler.importers.torch_literals import Literals
from tfmbs.compiler.importers.torch_names import layer_name
from tfmbs.dialect.attributes import NAME, STATE
from tfmbs.dialect.mlir import fx_importer, ir
from tfmbs.runtime.abi.errors import TfmbsError

TO_TORCH = (
    "builtin.module(convert-lstm-to-tfmbs,convert-trained-to-tfmbs,func.func(torch-match-quantized-custom-ops),"
    f"torchdynamo-export-to-torch-backend-pipeline{{backend-legal-ops={','.join(KEPT_TORCH_OPS)}}},tfmbs-annotate)"
)

Inputs = Sequence[Any] | Mapping[str, Sequence[Any]]
"""Example inputs of the one entry point, or of several by their names."""


def export(model: object, example_inputs: Inputs | None, where: str) -> dict[str, ExportedProgram]:
    """The programs of a module by entry point; an exported program is its own.

    Args:
        model: `torch.nn.Module`, exported as it is (call `eval()` before where that is meant), or `ExportedProgram`.
        example_inputs: positional arguments, whose shapes and types are those that the entry point takes.

    Raises:
        TfmbsError: ``torch.export``, the module is not captured; ``usage``, inputs are missing or too much.
    """
    if isinstance(model, ExportedProgram):
        if example_inputs is not None:
            raise TfmbsError("usage", where, "example inputs", "none for an exported program, which has its own")
        return {ENTRY: model}
    if not isinstance(model, torch.nn.Module):
        kind = f"{type(model).__module__}.{type(model).__qualname__}"
        raise TfmbsError("unsupported", where, "kind of model", "a torch.nn.Module or an ExportedProgram", kind)
    if example_inputs is None:
        raise TfmbsError("usage", where, "example_inputs", "the module's positional arguments", None)
    entries = example_inputs if isinstance(example_inputs, Mapping) else {ENTRY: example_inputs}
    return {name: _export(model, tuple(inputs), where) for name, inputs in entries.items()}


def _export(model: torch.nn.Module, inputs: tuple[Any, ...], where: str) -> ExportedProgram:
    try:
        with own_warnings_ignored():
            return torch.export.export(model, inputs, strict=False)
    except Exception as error:  # export runs the user's own code, which may raise anything
        what = "torch.export does not capture the module"
        raise TfmbsError("torch.export", where, what, got=first_line(error), details=str(error)) from error


def import_torch(
    programs: Mapping[str, ExportedProgram], *, context: Any, where: str = "model", raw: bool = False
) -> Any:
    """The programs as a module at torch level, with one function for each entry point.

    Arguments and results carry `tfmbs.name`; those of a buffer that the program writes carry `tfmbs.state` instead,
    and come first. Parameters are resources that refer to the memory of the tensors.
    `raw` stops before `to_torch`.

    Raises:
        TfmbsError: codes `torch.*`, `pass`, `pass.crash`.
    """
    with context, ir.Location.unknown():
        result = ir.Module.create()
        literals = Literals({})
        for name, program in programs.items():
            with own_warnings_ignored():
                bound = bind(program, where)
            _import(result, name, bound, literals, where)
    if not raw:
        to_torch(result)
    return result


def to_torch(module: Any) -> None:
    """Brings what the importer wrote to the torch level, in place. Raises TfmbsError `pass`, `pass.crash`."""
    run_guarded(module, TO_TORCH)


def _import(module: Any, name: str, bound: Bound, literals: Literals, where: str) -> None:
    fx = fx_importer()
    literals.rename(bound.names)
    importer = fx.FxImporter(module=module, hooks=literals, graph_node_importer_cls=_importer_of_nodes)
    try:
        function = importer.import_stateless_graph(bound.graph, func_name=name)
    except TfmbsError:
        raise
    except Exception as error:  # the importer's own assertions and errors of many kinds
        what = "torch-mlir's importer refuses the graph"
        raise TfmbsError("torch.unsupported", where, what, got=first_line(error)) from error
    states = [ir.DictAttr.get({STATE: ir.StringAttr.get(state)}) for state in bound.states]

    def attributes(names: Sequence[str]) -> Any:
        named = [ir.DictAttr.get({NAME: ir.StringAttr.get(value)}) for value in names]
        return ir.ArrayAttr.get([*states, *named])

    function.attributes["arg_attrs"] = attributes(bound.inputs)
    function.attributes["res_attrs"] = attributes(bound.outputs)


class _Located:
    """The importer's cache of types, with locations that are names of layers."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)

    def get_node_location(self, node: Any) -> Any:
        """The name of the node's layer, and the user's line where it is known."""
        line = self._cache.get_node_location(node)
        return ir.Location.name(layer_name(node), childLoc=line)


def _importer_of_nodes(importer: Any, context: Any, cache: Any, block: Any) -> Any:
    return fx_importer().GraphNodeImporter(importer, context, _Located(cache), block)
