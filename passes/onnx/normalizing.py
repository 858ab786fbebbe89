"""Softmax and LogSoftmax of the element types that torch-mlir's path has no kernel for: f16, bf16 and f64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfmbs.dialect import graph
from tfmbs.dialect.mlir import arith, ir, math
from tfmbs.dialect.shapes import element_of, shape_of
from tfmbs.passes.linalg.scalar import constant
from tfmbs.passes.onnx import build
from tfmbs.passes.onnx.node import Node, Results

Value = Any


def softmax(node: Node) -> Results | None:
    """Softmax: exp(x − max) / Σ exp(x − max) along `axis`; f16 and bf16 in f32, rounded once."""
    if node.element(0).name == "f32":
        return None
    value = _wide(node)
    axis = _axis(node)
    if isinstance(element_of(value), ir.F32Type):
        normalized = graph.softmax(value, axis).result
    else:
        _, powers, total = _powers(value, axis)
        normalized = _each([powers, total], lambda e, s: arith.DivFOp(e, s).result)
    return build.converted(normalized, node.result_element().mlir)


def log_softmax(node: Node) -> Results | None:
    """LogSoftmax: (x − max) − log Σ exp(x − max) along `axis`; f16 and bf16 in f32, rounded once."""
    if node.element(0).name == "f32":
        return None
    shifted, _, total = _powers(_wide(node), _axis(node))
    normalized = _each([shifted, total], lambda x, s: arith.SubFOp(x, math.LogOp(s).result).result)
    return build.converted(normalized, node.result_element().mlir)


def _axis(node: Node) -> int:
    axis, rank = node.integer("axis", -1), len(node.shape(0))
    if not -rank <= axis < rank:
        raise node.refuse("axis", f"one of {rank} axes", axis)
    return axis % rank


def _wide(node: Node) -> Value:
    """The operand in f32, or in f64 where it is."""
    element = node.element(0).mlir
    return build.converted(node.tensor(0), element if isinstance(element, ir.F64Type) else ir.F32Type.get())


def _powers(value: Value, axis: int) -> tuple[Value, Value, Value]:
    """x − max, exp(x − max), and the sum of the latter, which keeps the axis with size 1."""
    most = _kept(value, axis, -float("inf"), lambda x, m: arith.MaximumFOp(m, x).result)
    shifted = _each([value, most], lambda x, m: arith.SubFOp(x, m).result)
    powers = _each([shifted], lambda x: math.ExpOp(x).result)
    total = _kept(powers, axis, 0.0, lambda e, s: arith.AddFOp(s, e).result)
    return shifted, powers, total


def _kept(value: Value, axis: int, init: float, body: Callable[[Value, Value], Value]) -> Value:
    """A reduction along `axis` that keeps it, with size 1."""
    sizes = list(shape_of(value.type))
    sizes[axis] = 1
    return build.reshape(build.reduce(value, [axis], constant(element_of(value), init), body), tuple(sizes))


def _each(values: list[Value], body: Callable[..., Value]) -> Value:
    return build.broadcasting(values, shape_of(values[0].type), element_of(values[0]), body)


LOWERINGS: dict[str, Callable[[Node], Results | None]] = {"LogSoftmax": log_softmax, "Softmax": softmax}
