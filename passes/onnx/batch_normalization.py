"""BatchNormalization with statistics of run time: given ones, or in training mode those of the batch."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from tfmbs.dialect.mlir import math
from tfmbs.passes.linalg.structured import elementwise, identity, mapping
from tfmbs.passes.onnx import build
from tfmbs.passes.onnx.arithmetic import Arithmetic, accumulator, cast
from tfmbs.passes.onnx.node import Node, Results

Value = Any


def batch_normalization(node: Node) -> Results | None:
    """BatchNormalization: (x − mean) / √(variance + ε) · scale + bias, by channel (axis 1).

    In training mode mean and variance are those of the batch (the variance divides by the number of elements), and
    results 1 and 2 are running·momentum + batch·(1 − momentum). Constant statistics stay with torch-mlir, whose form
    becomes one multiplication and one addition.
    """
    training = bool(node.integer("training_mode"))
    if not training and all(node.constant(operand) is not None for operand in range(1, 5)):
        return None
    shape, element = node.shape(0), node.element(0)
    wide = accumulator(element)
    a, rank = Arithmetic(wide), len(node.shape(0))
    whole, channel = identity(rank), mapping(rank, [1])
    value = build.cast_all(node.tensor(0), element, wide)
    scale, bias, mean, variance = (build.cast_all(node.tensor(i), node.element(i), wide) for i in range(1, 5))
    running: list[Value] = []
    if training:
        axes = [axis for axis in range(rank) if axis != 1]
        count = a.constant(prod(shape) // shape[1])

        def average(tensor: Value) -> Value:
            total = build.reduce(tensor, axes, a.constant(0), lambda x, sum_: a.add(sum_, x))
            return build.broadcasting([total], (shape[1],), wide.mlir, lambda x: a.divide(x, count))

        batch_mean = average(value)
        centered = elementwise([(value, whole), (batch_mean, channel)], shape, wide.mlir, a.subtract)
        squares = elementwise([(centered, whole)], shape, wide.mlir, lambda x: a.multiply(x, x))
        batch_variance = average(squares)
        running = [_moved(node, a, old, new) for old, new in ((mean, batch_mean), (variance, batch_variance))]
        mean, variance = batch_mean, batch_variance
    epsilon = a.constant(node.number("epsilon", 1e-5))

    def normalized(x: Value, center: Value, spread: Value, factor: Value, offset: Value) -> Value:
        unit = a.divide(a.subtract(x, center), math.SqrtOp(a.add(spread, epsilon)).result)
        return cast(a.add(a.multiply(unit, factor), offset), wide, element)

    inputs = [(value, whole), *((vector, channel) for vector in (mean, variance, scale, bias))]
    result = elementwise(inputs, shape, element.mlir, normalized)
    narrow = [build.cast_all(vector, wide, node.result_element(i + 1)) for i, vector in enumerate(running)]
    return [result, *narrow][: node.results]


def _moved(node: Node, a: Arithmetic, old: Value, new: Value) -> Value:
    """A running statistic after one more batch."""
    momentum = node.number("momentum", 0.9)

    def blend(x: Value, y: Value) -> Value:
        return a.add(a.multiply(x, a.constant(momentum)), a.multiply(y, a.constant(1 - momentum)))

    return build.broadcasting([old, new], tuple(old.type.shape), a.element.mlir, blend)


LOWERINGS: dict[str, Callable[[Node], Results | None]] = {"BatchNormalization": batch_normalization}
