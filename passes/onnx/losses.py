"""Losses of classification: negative log likelihood, and the cross entropy that takes scores for probabilities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from tfmbs.dialect.mlir import arith, math
from tfmbs.dialect.shapes import shape_of
from tfmbs.passes.linalg.scalar import compare, select
from tfmbs.passes.linalg.structured import elementwise, identity, mapping
from tfmbs.passes.onnx import build
from tfmbs.passes.onnx.arithmetic import Arithmetic, accumulator, cast
from tfmbs.passes.onnx.elements import Element
from tfmbs.passes.onnx.node import Node, Results

Value = Any


def likelihood(node: Node) -> Results:
    """NegativeLogLikelihoodLoss of log-probabilities N×C×D… and classes N×D…, f16 in f32."""
    wide = accumulator(node.element(0))
    scores = build.cast_all(node.tensor(0), node.element(0), wide)
    return _loss(node, scores, wide)


def cross_entropy(node: Node) -> Results:
    """SoftmaxCrossEntropyLoss: the same of log-softmax over axis 1, (x − m) − log Σ exp(x − m); it is result 1."""
    source = node.element(0)
    wide = accumulator(source)
    logs = log_softmax(build.cast_all(node.tensor(0), source, wide), 1, wide)
    loss = _loss(node, logs, wide)
    return [loss, build.cast_all(logs, wide, source)][: node.results]


def log_softmax(value: Value, axis: int, element: Element) -> Value:
    """(x − m) − log Σ exp(x − m) along an axis, m the maximum there."""
    a, sizes = Arithmetic(element), shape_of(value.type)
    rank = len(sizes)
    whole, outer = identity(rank), mapping(rank, [i for i in range(rank) if i != axis])
    peak = build.reduce(value, [axis], a.constant(element.lowest), a.maximum)
    moved = elementwise([(value, whole), (peak, outer)], sizes, element.mlir, a.subtract)
    powers = elementwise([(moved, whole)], sizes, element.mlir, lambda x: math.ExpOp(x).result)
    total = build.reduce(powers, [axis], a.constant(0), lambda x, sum_: a.add(sum_, x))

    def normalized(x: Value, sum_: Value) -> Value:
        return a.subtract(x, math.LogOp(sum_).result)

    return elementwise([(moved, whole), (total, outer)], sizes, element.mlir, normalized)


def _loss(node: Node, logs: Value, wide: Element) -> Value:
    """Weights and reduction: `mean` divides by the sum of the weights that took part.

    A class outside of the axis that is not `ignore_index` has no meaning in ONNX; the nearest one is read.
    """
    a, places = Arithmetic(wide), node.shape(1)
    reduction = node.string("reduction", "mean")
    if reduction not in ("none", "sum", "mean"):
        raise node.refuse("reduction", "none, sum or mean", reduction)
    weighted = node.has(2) or node.attribute("ignore_index") is not None
    weights = _weights(node, wide) if weighted else None

    def place(target: Value, weight: Value | None = None) -> Value:
        at = [build.loop_index(loop) for loop in range(len(places))]
        likely = build.extract(logs, [at[0], _class(node, target), *at[1:]])
        # What is ignored may be infinite: it is left out, not multiplied by zero.
        negated = arith.NegFOp(likely).result
        return negated if weight is None else _ignored(node, target, a, a.multiply(weight, negated))

    whole = identity(len(places))
    inputs = [(node.tensor(1), whole), *([(weights, whole)] if weighted else [])]
    losses = elementwise(inputs, places, wide.mlir, place)
    if reduction != "none":
        losses = _total(losses, a)
        divisor = _total(weights, a) if weighted else None
        if reduction == "mean":
            count = prod(places)
            inputs = [(losses, identity(0)), *([(divisor, identity(0))] if weighted else [])]
            losses = elementwise(inputs, (), wide.mlir, lambda x, n=None: a.divide(x, n or a.constant(count)))
    return build.cast_all(losses, wide, node.result_element())


def _weights(node: Node, wide: Element) -> Value:
    """The weight of each place: its class's, or 1, and 0 where the class is the ignored one."""
    a, places = Arithmetic(wide), node.shape(1)
    table = node.tensor(2) if node.has(2) else None

    def weight(target: Value) -> Value:
        one = a.constant(1) if table is None else build.extract(table, [_class(node, target)])
        given = one if table is None else cast(one, node.element(2), wide)
        return _ignored(node, target, a, given)

    return elementwise([(node.tensor(1), identity(len(places)))], places, wide.mlir, weight)


def _ignored(node: Node, target: Value, a: Arithmetic, value: Value) -> Value:
    """`value`, zero where the class is the one to ignore."""
    if node.attribute("ignore_index") is None:
        return value
    ignored = compare("eq", target, Arithmetic(node.element(1)).constant(node.integer("ignore_index")))
    return select(ignored, a.constant(0), value)


def _class(node: Node, target: Value) -> Value:
    """A class as an index inside of its axis."""
    a = Arithmetic(node.element(1))
    inside = a.minimum(a.maximum(target, a.constant(0)), a.constant(node.shape(0)[1] - 1))
    return build.as_index(inside)


def _total(value: Value, a: Arithmetic) -> Value:
    axes: Sequence[int] = range(len(shape_of(value.type)))
    return build.reduce(value, axes, a.constant(0), lambda x, sum_: a.add(sum_, x))


LOWERINGS: dict[str, Callable[[Node], Results | None]] = {
    "NegativeLogLikelihoodLoss": likelihood,
    "SoftmaxCrossEntropyLoss": cross_entropy,
}
