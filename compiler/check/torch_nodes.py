"""The nodes of an exported program as programs of one node each, equal ones once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, fx
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree

from tfmbs.compiler.check.attempt import WHERE
from tfmbs.compiler.compilation import Options
from tfmbs.compiler.importers.torch_parts import exported, part, writes
from tfmbs.compiler.jit import Slot
from tfmbs.compiler.verify.torch_inputs import slots_of

_COUNTED_BYTES = 4096
"""Constants up to this size decide what a node is (positions, scales); of larger ones only the type does."""

_SIGNED = {
    torch.uint8: torch.int16, torch.uint16: torch.int32, torch.uint32: torch.int64, torch.uint64: torch.int64,
}  # fmt: skip
"""A program has no unsigned inputs, a node in it may read unsigned values: they are made of these."""

Inputs = Sequence[tuple[tuple[int, ...], torch.dtype]]
"""Shapes and element types."""


@dataclass(frozen=True)
class TorchCandidate:
    """A module of one node and what it takes; see `Candidate`."""

    module: fx.GraphModule
    inputs: Inputs

    def model(self) -> ExportedProgram:
        """See `Candidate`."""
        torch.set_num_threads(1)  # in a fork, the threads that torch had started before are not there to answer
        return exported(self.module, [torch.zeros(shape, dtype=dtype) for shape, dtype in self.inputs], WHERE)

    def slots(self, options: Options) -> tuple[Slot, ...]:
        """See `Candidate`."""
        del options
        return slots_of(self.model(), WHERE)

    def in_f32(self) -> TorchCandidate | None:
        """The same of floats of 32 bits; None where there are no others."""
        if not any(_is_other_float(dtype) for _, dtype in self.inputs):
            return None
        graph = fx.Graph()
        graph.output(graph.graph_copy(self.module.graph, {}))
        module = fx.GraphModule(_in_f32(self.module), graph)
        inputs = [(shape, torch.float32 if _is_other_float(dtype) else dtype) for shape, dtype in self.inputs]
        return replace(self, module=module, inputs=inputs)


def _is_other_float(dtype: torch.dtype) -> bool:
    return dtype.is_floating_point and dtype is not torch.float32


def _in_f32(module: fx.GraphModule) -> dict[str, Any]:
    """What the graph of a module refers to, floats as those of 32 bits."""
    values = {
        str(node.target): _attribute(module, str(node.target)) for node in module.graph.nodes if node.op == "get_attr"
    }
    return {
        name: value.detach().float() if isinstance(value, Tensor) and value.is_floating_point() else value
        for name, value in values.items()
    }


@dataclass(frozen=True)
class Single:
    """A node alone, and all nodes that are like it."""

    candidate: TorchCandidate
    nodes: Sequence[fx.Node]


def singles(module: fx.GraphModule) -> list[Single]:
    """A candidate for each kind of node of a functional graph that gives tensors."""
    found: dict[bytes, tuple[list[fx.Node], list[fx.Node]]] = {}
    for node in module.graph.nodes:
        results = list(_results(node))
        if results:
            found.setdefault(_key(module, node), ([], results))[0].append(node)
    return [Single(_candidate(module, nodes[0], results), nodes) for nodes, results in found.values()]


def _results(node: fx.Node) -> Iterator[fx.Node]:
    """The nodes that hold what `node` computes: itself, or the parts that are taken of several results."""
    if node.op != "call_function" or writes(node) or _is_part(node):
        return
    if isinstance(node.meta.get("val"), Tensor):
        yield node
    for user in node.users:
        if _is_part(user) and isinstance(user.meta.get("val"), Tensor):
            yield user


def _is_part(node: fx.Node) -> bool:
    return getattr(node.target, "__name__", "") == "getitem"


def _candidate(whole: fx.GraphModule, node: fx.Node, results: Sequence[fx.Node]) -> TorchCandidate:
    module, read = part(whole, {node, *results}, results)
    graph = module.graph
    inputs = []
    for placeholder, source in zip(graph.find_nodes(op="placeholder"), read, strict=True):
        value = source.meta["val"]
        inputs.append((tuple(value.shape), _SIGNED.get(value.dtype, value.dtype)))
        if value.dtype in _SIGNED:
            users = list(placeholder.users)
            with graph.inserting_after(placeholder):
                unsigned = graph.call_function(torch.ops.aten.to.dtype, (placeholder, value.dtype))
            for user in users:
                user.replace_input_with(placeholder, unsigned)
    (output,) = graph.find_nodes(op="output")
    with graph.inserting_before(output):
        output.args = (tuple(_signed(graph, copy, n) for copy, n in zip(output.args[0], results, strict=True)),)
    module.recompile()
    return TorchCandidate(module, inputs)


def _signed(graph: fx.Graph, copy: fx.Node, result: fx.Node) -> fx.Node:
    dtype = result.meta["val"].dtype
    return graph.call_function(torch.ops.aten.to.dtype, (copy, _SIGNED[dtype])) if dtype in _SIGNED else copy


def _key(module: fx.GraphModule, node: fx.Node) -> bytes:
    """The same for nodes that differ in names and in the elements of large constants only."""
    numbers: dict[fx.Node, int] = {}

    def said(value: object) -> object:
        if not isinstance(value, fx.Node):
            return value
        number = numbers.setdefault(value, len(numbers))
        held = _attribute(module, str(value.target)) if value.op == "get_attr" else value.meta.get("val")
        return number, value.op == "get_attr", _type(held), _content(held) if value.op == "get_attr" else ""

    arguments = pytree.tree_map(said, (node.args, node.kwargs), is_leaf=lambda leaf: isinstance(leaf, fx.Node))
    results = [(str(r.target), r.args[1:] if r is not node else (), _type(r.meta["val"])) for r in _results(node)]
    return repr((str(node.target), arguments, results)).encode()


def _type(value: object) -> object:
    return (tuple(value.shape), value.dtype) if isinstance(value, Tensor) else type(value).__name__


def _content(value: object) -> str:
    if isinstance(value, fx.GraphModule):
        return value.code
    if isinstance(value, Tensor) and value.layout is torch.strided and value.nbytes <= _COUNTED_BYTES:
        return hashlib.sha256(repr(value.detach().flatten().tolist()).encode()).hexdigest()
    return ""


def _attribute(module: Any, target: str) -> Any:
    for name in target.split("."):
        module = getattr(module, name)
    return module
