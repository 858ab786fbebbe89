"""Dropout: the identity, unless it is asked to draw random numbers."""

from __future__ import annotations

from collections.abc import Callable

from tfmbs.passes.linalg.structured import filled
from tfmbs.passes.onnx.node import Node, Results


def dropout(node: Node) -> Results | None:
    """Dropout in training mode with a constant ratio of 0: everything is kept. Outside of training torch-mlir has it.

    A training mode or ratio that is only known at run time may ask for random numbers, and is refused like these.
    """
    training = node.constant(2)
    if not node.has(2) or (training is not None and not training.any()):
        return None
    ratio = node.constant(1)
    if training is None or ratio is None or ratio.any():
        got = "a mode or ratio of run time" if training is None or (node.has(1) and ratio is None) else "training"
        raise node.refuse("random numbers have no fixed result", "no training, or a constant ratio of 0", got)
    keep = filled(node.shape(0), node.scalar(1, node.result_element(1)).type, 1) if node.results > 1 else None
    return [node.tensor(0), keep][: node.results]


LOWERINGS: dict[str, Callable[[Node], Results | None]] = {"Dropout": dropout}
