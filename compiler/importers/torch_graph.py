"""An exported program made ready for import: parameters in place of their inputs, and a name for everything else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import ConstantArgument, InputKind, OutputKind, TensorArgument
from torch.utils import _pytree as pytree

from tfmbs.compiler.importers.messages import first_line
from tfmbs.compiler.importers.torch_decompositions import table
from tfmbs.compiler.importers.torch_empty import replace_empty
from tfmbs.compiler.importers.torch_names import at_end, at_layer, mark_origins
from tfmbs.compiler.importers.torch_nearest import choose_nearest
from tfmbs.compiler.importers.torch_rules import check_graph
from tfmbs.compiler.importers.torch_state import State, begin_states
from tfmbs.runtime.abi.errors import At, Subject, TfmbsError

_ATEN = torch.ops.aten

_CHECKS = frozenset({_ATEN._assert_tensor_metadata.default, _ATEN.sym_constrain_range_for_size.default})
"""Nodes that only assert what export made sure of: element types and sizes are fixed."""


@dataclass(frozen=True)
class Bound:
    """A graph whose placeholders are states and inputs, and whose outputs are new states and outputs, in this order.

    `names` are those of the tensors that stand in the graph itself, by their identity.
    """

    graph: Any
    states: Sequence[str]
    inputs: Sequence[str]
    outputs: Sequence[str]
    names: dict[int, str]


def bind(exported: ExportedProgram, where: str) -> Bound:
    """Decomposes a program and puts its parameters, buffers and constants into the graph; mutated buffers are states.

    Tensors are those of the program, not copies.

    Raises:
        TfmbsError: ``torch.unsupported``, for an input or output that is no tensor, an input that is written, outputs
            of one name, or a program that torch cannot decompose.
    """
    outputs = output_names(exported, where)
    program = _decomposed(exported, where)
    for refusal in (*_refused_effects(program, where), *refused_signature(program, where)):
        raise refusal
    signature, graph = program.graph_signature, program.graph
    placeholders = {node.name: node for node in graph.nodes if node.op == "placeholder"}
    produced = _results(graph, signature)
    states: dict[str, State] = {}
    inputs: list[str] = []
    names: dict[int, str] = {}
    for spec in signature.input_specs:
        if spec.kind is InputKind.USER_INPUT:
            if isinstance(spec.arg, TensorArgument):
                inputs.append(spec.arg.name)
            else:
                graph.erase_node(placeholders[spec.arg.name])
            continue
        assert spec.target is not None  # refused_signature lets nothing else through
        value, node = _value(program, spec.target), placeholders[spec.arg.name]
        if spec.target in produced:
            states[spec.target] = State(node, produced[spec.target], value)
        else:
            names[id(value)] = spec.target
            node.replace_all_uses_with(value)
            graph.erase_node(node)
    order = begin_states(graph, states, names)
    for node in list(graph.nodes):
        if node.op == "call_function" and node.target in _CHECKS:
            graph.erase_node(node)
    check_graph(graph, where)
    replace_empty(graph)
    choose_nearest(graph, names)
    _keep_batch_norm(graph)
    return Bound(graph, order, inputs, outputs, names)


def _refused_effects(program: ExportedProgram, where: str) -> Iterator[TfmbsError]:
    """Ops that torch keeps in order by tokens, since they do something beside computing their results."""
    for spec in program.graph_signature.input_specs:
        if spec.kind is InputKind.TOKEN:
            (token,) = (node for node in program.graph.nodes if node.name == spec.arg.name)
            for node in token.users:
                yield _refuse(at_layer(node, where), "an op with effects", None, node.args[1])


def refused_signature(exported: ExportedProgram, where: str) -> Iterator[TfmbsError]:
    """Inputs and outputs that are no tensors, and inputs that the program, a functional one, writes."""
    signature = exported.graph_signature
    for name in signature.user_inputs_to_mutate.values():
        yield _refuse(at_end("input", name, where), "an input that the module writes", "buffers for state")
    for spec in signature.input_specs:
        is_user = spec.kind is InputKind.USER_INPUT
        fits = isinstance(spec.arg, (TensorArgument, ConstantArgument) if is_user else TensorArgument)
        if not fits or (spec.target is None and not is_user):
            got = type(spec.arg).__name__ if is_user else spec.kind.name
            yield _refuse(at_end("input", spec.arg.name, where), "kind of input", "a tensor", got)
    for spec in signature.output_specs:
        is_value = spec.kind is OutputKind.USER_OUTPUT and (isinstance(spec.arg, TensorArgument) or _is_none(spec.arg))
        if not is_value and spec.kind not in (OutputKind.BUFFER_MUTATION, OutputKind.USER_INPUT_MUTATION):
            got = getattr(spec.arg, "value", spec.kind.name)
            at = At(getattr(spec.arg, "name", ""), "output", f"{where}: output")
            yield _refuse(at, "kind of output", "a tensor", got)


def _decomposed(exported: ExportedProgram, where: str) -> ExportedProgram:
    try:
        program: ExportedProgram = exported.run_decompositions(table())
    except TfmbsError:
        raise
    except Exception as error:  # decompositions are torch's code, and raise anything
        what = "torch.export cannot decompose the program"
        raise TfmbsError("torch.unsupported", where, what, got=first_line(error), details=str(error)) from error
    mark_origins(program.graph, exported)
    return program


def _value(program: ExportedProgram, target: str) -> torch.Tensor:
    value = program.state_dict.get(target)
    if value is None:
        value = program.constants[target]
    if not isinstance(value, torch.Tensor):
        raise _refuse(At(target, "tensor", target), "kind of constant", "a tensor", type(value).__name__)
    return value.detach() if value.requires_grad else value


def _results(graph: Any, signature: Any) -> dict[str, Any]:
    """Leaves the outputs of the module at the output node; the nodes of new buffers by name."""
    (output,) = (node for node in graph.nodes if node.op == "output")
    produced: dict[str, Any] = {}
    results = []
    for spec, value in zip(signature.output_specs, output.args[0], strict=True):
        if spec.kind is OutputKind.BUFFER_MUTATION:
            produced[spec.target] = value
        elif isinstance(spec.arg, TensorArgument):
            results.append(value)
    output.args = (tuple(results),)
    return produced


def _is_none(argument: Any) -> bool:
    return isinstance(argument, ConstantArgument) and argument.value is None


def output_names(exported: ExportedProgram, where: str) -> list[str]:
    """Names by place in what the module returns: ``output``, ``output0`` …, keys of dictionaries and fields."""
    spec = exported.module_call_graph[0].signature
    specs = [s for s in exported.graph_signature.output_specs if s.kind is OutputKind.USER_OUTPUT]
    if spec is None:
        return [f"output{index}" for index in range(len(specs))]
    leaves = [object() for _ in range(spec.out_spec.num_leaves)]
    paths, _ = pytree.tree_flatten_with_path(pytree.tree_unflatten(leaves, spec.out_spec))
    places: dict[str, str] = {}
    for (path, _), s in zip(paths, specs, strict=True):
        if isinstance(s.arg, TensorArgument):
            name, place = _path_name(path), pytree.keystr(path)
            if name in places:
                got = f"{places[name]} and {place}"
                raise _refuse(at_end("output", name, where), "two outputs of one name", None, got)
            places[name] = place
    return list(places)


def _path_name(path: Sequence[Any]) -> str:
    keys = [re.sub(r"\W+", "", pytree.keystr((key,))) for key in path]
    if all(key.isdigit() for key in keys):
        return "output" + "_".join(keys)
    return "_".join(keys)


def _keep_batch_norm(graph: Any) -> None:
    """Makes `aten.batch_norm` of its functional form with fixed statistics, which torch-mlir does not know."""
    for node in list(graph.nodes):
        if node.target is not _ATEN._native_batch_norm_legit_no_training.default:
            continue
        value, weight, bias, mean, variance, momentum, epsilon = node.args
        with graph.inserting_before(node):
            arguments = (value, weight, bias, mean, variance, False, momentum, epsilon, False)
            whole = graph.call_function(_ATEN.batch_norm.default, arguments)
        whole.meta = {**node.meta, "val": node.meta["val"][0]}
        for item in list(node.users):
            item.replace_all_uses_with(whole)
            graph.erase_node(item)
        graph.erase_node(node)


def _refuse(where: Subject, what: str, expected: object = None, got: object = None) -> TfmbsError:
    return TfmbsError("torch.unsupported", where, what, expected, got)
