"""Which node of a model a walk of onnx over the whole stumbles over: its message names it only sometimes."""

from __future__ import annotations

from collections.abc import Callable

import onnx

from tfmbs.compiler.importers.onnx_rules import at_node, at_value
from tfmbs.runtime.abi.errors import At

Kinds = tuple[type[Exception], ...]


def blamed(model: onnx.ModelProto, walk: Callable[[onnx.ModelProto], object], kinds: Kinds, where: str) -> At | str:
    """The subject of the error that `walk` raises of `model`: the first node with which it does, else a tensor.

    `walk` is called with models that end behind a node, log2 of their number times; it may refuse those for being cut,
    which is another error. `kinds` are the exceptions by which it refuses a model. Where it says the same of the model
    without nodes and no tensor is at fault, the subject is `where`.
    """

    def error(count: int) -> str:
        part = onnx.ModelProto()
        part.CopyFrom(model)
        del part.graph.node[count:]
        try:
            walk(part)
        except kinds as refusal:
            return str(refusal)
        return ""

    def fails(count: int) -> bool:
        return bool(said := error(count)) and whole.startswith(said)  # some walks go on, and say more of more nodes

    good, bad = 0, len(model.graph.node)
    whole = error(bad)
    if not fails(bad) or fails(0):
        return _bad_tensor(model, where)
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (good, middle) if fails(middle) else (middle, bad)
    return at_node(model.graph.node[good], where)


def _bad_tensor(model: onnx.ModelProto, where: str) -> At | str:
    bad = (tensor.name for tensor in model.graph.initializer if not _is_valid(tensor))
    name = next(bad, None)
    return where if name is None else at_value("tensor", name, where)


def _is_valid(tensor: onnx.TensorProto) -> bool:
    try:
        onnx.checker.check_tensor(tensor)
    except (onnx.checker.ValidationError, ValueError):
        return False
    return True
