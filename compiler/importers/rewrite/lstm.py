"""Which LSTM nodes of a model stay whole, to become `tfmbs.lstm`."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto, TensorProto

from tfmbs.compiler.importers.rewrite.builder import Builder, attribute, operand
from tfmbs.compiler.importers.rewrite.scope import Scope

X, W, R, _, LENGTHS, _, _, PEEPHOLES = range(8)
ACTIVATIONS = ("sigmoid", "tanh", "tanh")
RESULTS = 3
WAYS = {"forward": 1, "reverse": 1, "bidirectional": 2}


def is_launch(node: NodeProto, scope: Scope) -> bool:
    """Whether the kernel computes a node: f32 of known sizes, whole sequences, the usual gates, nothing clipped."""
    if node.op_type != "LSTM" or operand(node, PEEPHOLES) or attribute(node, "clip") is not None:
        return False
    if attribute(node, "input_forget", 0) or not _has_usual_activations(node):
        return False
    shapes = [scope.shape(operand(node, index)) for index in (X, W, R)]
    if any(shape is None or len(shape) != 3 or 0 in shape for shape in shapes):
        return False
    names = [name for index, name in enumerate(node.input) if name and index != LENGTHS]
    elements = {scope.types[name].tensor_type.elem_type for name in names}
    return elements == {TensorProto.FLOAT} and _is_whole(node, scope)


def with_all_results(node: NodeProto, scope: Scope) -> list[NodeProto] | None:
    """The node with a name for each result, which is how it stays whole; None where it has them."""
    if len(node.output) == RESULTS and all(node.output):
        return None
    b, named = Builder(node, scope), NodeProto()
    named.CopyFrom(node)
    outputs = [*node.output, *[""] * (RESULTS - len(node.output))]
    del named.output[:]
    named.output.extend(name or b.fresh("unused") for name in outputs)
    return [named]


def _has_usual_activations(node: NodeProto) -> bool:
    """Whether each direction, if it is one, has sigmoid, tanh and tanh: functions without parameters."""
    ways = WAYS.get(attribute(node, "direction", "forward"), 0)
    names = [name.lower() for name in attribute(node, "activations") or ACTIVATIONS * ways]
    return ways > 0 and tuple(names[: 3 * ways]) == ACTIVATIONS * ways


def _is_whole(node: NodeProto, scope: Scope) -> bool:
    """Whether every sequence has all steps."""
    lengths = operand(node, LENGTHS)
    if not lengths:
        return True
    shape = scope.shape(operand(node, X))
    steps = shape[1 if attribute(node, "layout", 0) else 0] if shape else None
    known = scope.known.get(lengths)
    return known is not None and bool(np.all(known == steps))
