"""Scan: over which axes and in which directions it walks, and short ones written out."""

from __future__ import annotations

from dataclasses import dataclass

from onnx import NodeProto, TypeProto

from tfmbs.compiler.importers.onnx_rules import at_node
from tfmbs.compiler.importers.rewrite.builder import Builder, attribute, result
from tfmbs.compiler.importers.rewrite.control import graph_of
from tfmbs.compiler.importers.rewrite.loops import is_short, iterate
from tfmbs.compiler.importers.rewrite.scope import Scope
from tfmbs.runtime.abi.errors import TfmbsError


@dataclass(frozen=True)
class Scanned:
    """One sequence that a Scan takes apart or puts together: its name, axis and direction."""

    name: str
    axis: int
    backwards: bool

    def place(self, step: int, steps: int) -> int:
        """Which part belongs to a step."""
        return steps - 1 - step if self.backwards else step


def scanned_inputs(node: NodeProto, scope: Scope) -> list[Scanned]:
    """The sequences that a Scan takes apart, axes counted from the front."""
    count = int(attribute(node, "num_scan_inputs"))
    names = list(node.input[len(node.input) - count :])
    ranks = [len(shape) if (shape := scope.shape(name)) else 0 for name in names]
    return _sequences(node, "input", names, ranks, scope)


def scanned_outputs(node: NodeProto, states: int, ranks: list[int], scope: Scope) -> list[Scanned]:
    """The sequences that a Scan puts together, of these ranks."""
    return _sequences(node, "output", [result(node, i) for i in range(states, len(node.output))], ranks, scope)


def _sequences(node: NodeProto, kind: str, names: list[str], ranks: list[int], scope: Scope) -> list[Scanned]:
    axes = attribute(node, f"scan_{kind}_axes") or [0] * len(names)
    directions = attribute(node, f"scan_{kind}_directions") or [0] * len(names)
    if not len(axes) == len(directions) == len(names):
        at = at_node(node, scope.where)
        raise TfmbsError("onnx.invalid", at, f"axes and directions of {kind}s", len(names), len(axes))
    return [
        Scanned(name, axis % rank if rank else axis, bool(backwards))
        for name, axis, rank, backwards in zip(names, axes, ranks, directions, strict=True)
    ]


def write_out_scan(node: NodeProto, scope: Scope) -> list[NodeProto] | None:
    """The iterations of a short Scan, one behind the other."""
    if node.op_type != "Scan" or node.domain != "":
        return None
    body, inputs = graph_of(node, "body"), scanned_inputs(node, scope)
    shape = scope.shape(inputs[0].name) if inputs else None
    if shape is None or not (steps := shape[inputs[0].axis]) or not is_short(steps, body, scope):
        return None
    b = Builder(node, scope)
    carried = list(node.input[: len(node.input) - len(inputs)])
    collected: list[list[str]] = []
    for step in range(steps):
        parts = [b.part(given.name, given.axis, given.place(step, steps)) for given in inputs]
        results = iterate(b, body, [*carried, *parts])
        carried = results[: len(carried)]
        collected.append(results[len(carried) :])
    for index, value in enumerate(carried):
        b.give(value, result(node, index))
    for index, sequence in enumerate(scanned_outputs(node, len(carried), [0] * len(collected[0]), scope)):
        at = {sequence.place(step, steps): collected[step][index] for step in range(steps)}
        values = [b("Unsqueeze", at[place], b.ints(sequence.axis)) for place in range(steps)]
        b.give(b("Concat", *values, axis=sequence.axis), sequence.name)
    return b.nodes


def body_types(node: NodeProto, scope: Scope) -> list[TypeProto | None]:
    """Types of the inputs of a Scan's body: the states', and those of single parts of the sequences."""
    inputs = scanned_inputs(node, scope)
    types = [scope.types.get(name) for name in node.input[: len(node.input) - len(inputs)]]
    return [*types, *(_part_type(scope.types.get(given.name), given.axis) for given in inputs)]


def _part_type(whole: TypeProto | None, axis: int) -> TypeProto | None:
    if whole is None or not whole.tensor_type.HasField("shape"):
        return None
    part = TypeProto()
    part.CopyFrom(whole)
    del part.tensor_type.shape.dim[axis]
    return part
