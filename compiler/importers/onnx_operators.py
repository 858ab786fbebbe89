"""ONNX operators, and uses of them, that are refused whatever their operands are."""

from __future__ import annotations

from onnx import NodeProto

_CLASSICAL = "ai.onnx.ml"
"""The domain of trees, encoders of strings and the like; no operator of it is compiled."""

_RANDOM = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
)


def why_refused(node: NodeProto) -> tuple[str, ...]:
    """What is refused, what is expected and what is there, as far as there is more to say; empty for other nodes."""
    if node.domain == _CLASSICAL:
        return ("an operator of classical machine learning",)
    if node.domain not in ("", "ai.onnx"):
        return ()
    if node.op_type in _RANDOM:
        return ("a random op has no fixed result",)
    if node.op_type == "MaxPool" and len(node.output) > 1 and _integer(node, "storage_order"):
        return "order of indices", "storage_order 0, by rows", "storage_order 1, by columns"
    return ()


def _integer(node: NodeProto, name: str) -> int:
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == name), 0)
