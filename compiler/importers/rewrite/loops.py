"""Loops of few iterations written out, so that each iteration's products are kernels and its sizes may differ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, numpy_helper

from tfmbs.compiler.importers.rewrite.builder import Builder, operand, result
from tfmbs.compiler.importers.rewrite.control import graph_of, spliced
from tfmbs.compiler.importers.rewrite.literals import literal
from tfmbs.compiler.importers.rewrite.scope import Scope
from tfmbs.compiler.importers.rewrite.types import static_shape, tensor_type

MOST_ITERATIONS = 32
"""The longest loop that is written out."""

MOST_NODES = 2048
"""Nodes that writing out one loop may make."""

LOOP_COUNTER, LOOP_CONDITION = tensor_type(TensorProto.INT64, ()), tensor_type(TensorProto.BOOL, ())
"""Types of the first two inputs of a Loop's body."""


def write_out_loop(node: NodeProto, scope: Scope) -> list[NodeProto] | None:
    """The iterations of a Loop that runs a known, small number of times, one behind the other."""
    if node.op_type != "Loop" or node.domain != "":
        return None
    body, trips = graph_of(node, "body"), known_trips(node, scope)
    carried, collects = list(node.input[2:]), len(node.output) - len(node.input[2:])
    if trips is None or not is_short(trips, body, scope) or (trips == 0 and collects):
        return None
    b = Builder(node, scope)
    collected: list[list[str]] = [[] for _ in range(collects)]
    going = b.tensor(np.array(True))
    for step in range(trips):
        _, *results = iterate(b, body, [b.tensor(np.array(step, np.int64)), going, *carried])
        for found, value in zip(collected, results[len(carried) :], strict=True):
            found.append(b("Unsqueeze", value, b.ints(0)))
        carried = results[: len(carried)]
    for index, value in enumerate((*carried, *(b("Concat", *found, axis=0) for found in collected))):
        b.give(value, result(node, index))
    return b.nodes


def is_short(steps: int, body: GraphProto, scope: Scope) -> bool:
    """Whether a loop is written out."""
    return scope.names.has_room and steps <= MOST_ITERATIONS and steps * len(body.node) <= MOST_NODES


def iterate(b: Builder, body: GraphProto, operands: Sequence[str]) -> list[str]:
    """Copies a body behind what `b` holds; returns its results."""
    results = [b.fresh(value.name) for value in body.output]
    inputs = dict(zip((value.name for value in body.input), operands, strict=True))
    b.nodes.extend(spliced(body, inputs, results, b.scope))
    return results


def known_trips(node: NodeProto, scope: Scope) -> int | None:
    """How often a Loop runs, where its trip count is known and nothing else may end it; else None."""
    count, going = scope.known.get(operand(node, 0)), operand(node, 1)
    if count is None or (going and not _stays_true(node, scope)):
        return None
    return max(0, int(count.reshape(())))


def settle_loop(node: NodeProto, scope: Scope) -> NodeProto:
    """A Loop that stays: without its condition where that is always true.

    Notes the shapes of what is carried, where an iteration keeps them, and of what is collected by a known count.
    """
    settled = NodeProto()
    settled.CopyFrom(node)
    if operand(node, 1) and _stays_true(node, scope):
        settled.input[1] = ""
    trips = known_trips(settled, scope)
    outputs = graph_of(settled, "body").output[1:]
    for name, value, start in zip(node.output, outputs, node.input[2:], strict=False):
        if static_shape(value.type) is not None and static_shape(value.type) == scope.shape(start):
            scope.declared.setdefault(name, value.type)
    for name, value in list(zip(node.output, outputs, strict=False))[len(node.input) - 2 :]:
        shape = static_shape(value.type)
        if trips is not None and shape is not None and name not in scope.outputs:
            scope.declared[name] = tensor_type(value.type.tensor_type.elem_type, (trips, *shape))
    return settled


def _stays_true(node: NodeProto, scope: Scope) -> bool:
    known = scope.known.get(operand(node, 1))
    return known is not None and bool(np.all(known)) and keeps_condition(graph_of(node, "body"), scope)


def keeps_condition(body: GraphProto, scope: Scope) -> bool:
    """Whether the condition that a Loop's body hands on is the one that it got, or true."""
    made = {name: inner for inner in body.node for name in inner.output}
    name = body.output[0].name
    while name in made and made[name].op_type in ("Identity", "Cast"):
        name = made[name].input[0]
    if name == body.input[1].name:
        return True
    constants = {tensor.name: tensor for tensor in body.initializer}
    written = name in made and made[name].op_type == "Constant"
    tensor = literal(made[name]) if written else constants.get(name)
    known = scope.known.get(name) if tensor is None else numpy_helper.to_array(tensor)
    return known is not None and bool(np.all(known))
