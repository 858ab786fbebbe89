"""Softmax and LogSoftmax of the element types that torch-mlir's path has no kernel for: f16, bf16 and f64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfmbs.dialect import graph
from tfmbs.dialect.mlir import arith, math
from tfmbs.dialect.shapes import element_of, shape_of
from tfmbs.passes.linalg.scalar import constant
from tfmbs.passes.onnx import build
from tfmbs.passes.onnx.elements import Element
from tfmbs.passes.onnx.node import Node, Results

Value = Any


def softmax(node: Node) -> Results | None:
    """Softmax: exp(x − max) / Σ exp(x − max) along `axis`; f16 rounds each step, bf16 is f32 rounded once."""
    if (element := node.element(0)).name == "f32":
        return None
    if element.name == "bf16":
        wide = build.cast_all(node.tensor(0), element, Element("f32"))
        return build.cast_all(graph.softmax(wide, _axis(node)).result, Element("f32"), element)
    _, powers, total = _powers(node.tensor(0), node.element(0), _axis(node))
    return _each([powers, total], lambda e, s: arith.DivFOp(e, s).result)


def log_softmax(node: Node) -> Results | None:
    """LogSoftmax: (x − max) − log Σ exp(x − max) along `axis`, rounded as Softmax."""
    if node.element(0).name == "f32":
        return None
    shifted, _, total = _powers(node.tensor(0), node.element(0), _axis(node))
    return _each([shifted, total], lambda x, s: arith.SubFOp(x, math.LogOp(s).result).result)


def _axis(node: Node) -> int:
    axis, rank = node.integer("axis", -1), len(node.shape(0))
    if not -rank <= axis < rank:
        raise node.refuse("axis", f"one of {rank} axes", axis)
    return axis % rank


def _powers(value: Value, element: Element, axis: int) -> tuple[Value, Value, Value]:
    """x − max, exp(x − max), and the sum of the latter, which keeps the axis with size 1."""
    most = _kept(value, axis, -float("inf"), lambda x, m: arith.MaximumFOp(m, x).result)
    shifted = _each([value, most], lambda x, m: arith.SubFOp(x, m).result)
    powers = _each([shifted], lambda x: math.ExpOp(x).result)
    wide = element if element.name == "f64" else Element("f32")
    terms = build.cast_all(powers, element, wide)
    total = _kept(terms, axis, 0.0, lambda e, s: arith.AddFOp(s, e).result)
    return shifted, powers, build.cast_all(total, wide, element)


def _kept(value: Value, axis: int, init: float, body: Callable[[Value, Value], Value]) -> Value:
    """A reduction along `axis` that keeps it, with size 1."""
    sizes = list(shape_of(value.type))
    sizes[axis] = 1
    return build.reshape(build.reduce(value, [axis], constant(element_of(value), init), body), tuple(sizes))


def _each(values: list[Value], body: Callable[..., Value]) -> Value:
    return build.broadcasting(values, shape_of(values[0].type), element_of(values[0]), body)


LOWERINGS: dict[str, Callable[[Node], Results | None]] = {"LogSoftmax": log_softmax, "Softmax": softmax}
