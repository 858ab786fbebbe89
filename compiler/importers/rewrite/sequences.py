"""Sequences and optionals whose length and positions are known: only the tensors in them are left.

A sequence is no value of the device. Where the walk knows which tensors one holds, every operator on it is a renaming.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from onnx import NodeProto, TensorProto, TypeProto, helper

from tfmbs.compiler.importers.onnx_rules import NO_DATA, at_node
from tfmbs.compiler.importers.rewrite.builder import Builder, attribute, operand
from tfmbs.compiler.importers.rewrite.scope import Scope
from tfmbs.runtime.abi.errors import TfmbsError

Rule = Callable[[Builder, NodeProto, Scope], None]


def resolve_sequence(node: NodeProto, scope: Scope) -> list[NodeProto] | None:
    """What stands for an operator on sequences or optionals.

    Raises:
        TfmbsError: ``onnx.unsupported``, naming the node, where a length or position is only known at run time.
    """
    rule = RULES.get(node.op_type) if node.domain == "" else None
    if node.op_type == "Identity" and node.input[0] in scope.sequences:
        rule = _copied
    if rule is None:
        return None
    b = Builder(node, scope)
    rule(b, node, scope)
    return b.nodes


def _construct(b: Builder, node: NodeProto, scope: Scope) -> None:
    _hold(node, list(node.input), scope)


def _empty(b: Builder, node: NodeProto, scope: Scope) -> None:
    _hold(node, [], scope, attribute(node, "dtype", TensorProto.FLOAT))


def _copied(b: Builder, node: NodeProto, scope: Scope) -> None:
    scope.sequences[node.output[0]] = scope.sequences[node.input[0]]
    scope.types[node.output[0]] = scope.types[node.input[0]]


def _insert(b: Builder, node: NodeProto, scope: Scope) -> None:
    items = list(_items(node, scope))
    place = _place(node, 2, len(items), scope, past=True) if operand(node, 2) else len(items)
    _hold(node, [*items[:place], node.input[1], *items[place:]], scope)


def _erase(b: Builder, node: NodeProto, scope: Scope) -> None:
    items = list(_items(node, scope))
    del items[_place(node, 1, len(items), scope) if operand(node, 1) else -1]
    _hold(node, items, scope)


def _at(b: Builder, node: NodeProto, scope: Scope) -> None:
    items = _items(node, scope)
    b.give(items[_place(node, 1, len(items), scope)], node.output[0])


def _length(b: Builder, node: NodeProto, scope: Scope) -> None:
    b.give(b.tensor(np.array(len(_items(node, scope)), np.int64)), node.output[0])


def _concat(b: Builder, node: NodeProto, scope: Scope) -> None:
    items, axis = list(_items(node, scope)), attribute(node, "axis")
    if attribute(node, "new_axis", 0):
        items = [b("Unsqueeze", item, b.ints(axis)) for item in items]
    b.give(b("Concat", *items, axis=axis), node.output[0])


def _split(b: Builder, node: NodeProto, scope: Scope) -> None:
    axis, shape = attribute(node, "axis", 0), scope.shape(node.input[0])
    if shape is None:
        raise _refuse(node, scope, "shape")
    size, sizes = shape[axis], scope.known.get(operand(node, 1))
    if operand(node, 1) and sizes is None:
        raise _refuse(node, scope, "split")
    if sizes is not None and sizes.ndim:
        lengths = [int(length) for length in sizes]
    else:
        step = 1 if sizes is None else int(sizes)
        lengths = [min(step, size - start) for start in range(0, size, step)]
    parts = b.many("Split", len(lengths), node.input[0], b.ints(*lengths), axis=axis)
    if sizes is None and not attribute(node, "keepdims", 1):
        parts = [b("Squeeze", part, b.ints(axis)) for part in parts]
    _hold(node, parts, scope, scope.types[node.input[0]].tensor_type.elem_type)


def _optional(b: Builder, node: NodeProto, scope: Scope) -> None:
    """An optional is what is in it."""
    if not operand(node, 0):
        scope.absent.add(node.output[0])
    elif node.input[0] in scope.sequences:
        _copied(b, node, scope)
    else:
        b.give(node.input[0], node.output[0])


def _has_element(b: Builder, node: NodeProto, scope: Scope) -> None:
    """An optional that nobody gives has none; one that is an input of the model must be given."""
    given = operand(node, 0)
    b.give(b.tensor(np.array(bool(given) and given not in scope.absent)), node.output[0])


def _get_element(b: Builder, node: NodeProto, scope: Scope) -> None:
    if node.input[0] in scope.absent:
        at = at_node(node, scope.where)
        raise TfmbsError("onnx.invalid", at, "optional", "one with an element", "none")
    b.give(node.input[0], node.output[0])


RULES: dict[str, Rule] = {
    "ConcatFromSequence": _concat,
    "Optional": _optional,
    "OptionalGetElement": _get_element,
    "OptionalHasElement": _has_element,
    "SequenceAt": _at,
    "SequenceConstruct": _construct,
    "SequenceEmpty": _empty,
    "SequenceErase": _erase,
    "SequenceInsert": _insert,
    "SequenceLength": _length,
    "SplitToSequence": _split,
}
"""By operator: what writes it."""


def _items(node: NodeProto, scope: Scope) -> Sequence[str]:
    if node.input[0] not in scope.sequences:
        raise _refuse(node, scope, "length of the sequence")
    return scope.sequences[node.input[0]]


def _place(node: NodeProto, index: int, size: int, scope: Scope, past: bool = False) -> int:
    """A position in a sequence of `size` tensors, counted from the front; `past` admits the one behind the last."""
    known = scope.known.get(operand(node, index))
    if known is None:
        raise _refuse(node, scope, "position")
    place = int(known.reshape(()))
    if not -size <= place < size + past:
        at = at_node(node, scope.where)
        raise TfmbsError("onnx.invalid", at, "position", f"one of {size}", place)
    return place + size if place < 0 else place


def _hold(node: NodeProto, items: list[str], scope: Scope, element: int = TensorProto.UNDEFINED) -> None:
    """Notes which tensors a sequence holds, and its type: that of tensors of one element type."""
    name = node.output[0]
    known = [scope.types[item].tensor_type.elem_type for item in items if item in scope.types]
    inherited = scope.types[node.input[0]] if node.input and node.input[0] in scope.sequences else TypeProto()
    element = element or next(iter(known), inherited.sequence_type.elem_type.tensor_type.elem_type)
    scope.sequences[name] = items
    scope.types[name] = helper.make_sequence_type_proto(helper.make_tensor_type_proto(element, None))


def _refuse(node: NodeProto, scope: Scope, what: str) -> TfmbsError:
    at = at_node(node, scope.where)
    return TfmbsError("onnx.unsupported", at, what, "known at compile time", "depends on values", help=NO_DATA)
