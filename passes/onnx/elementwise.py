"""Elementwise ops over unsigned integers, which torch-mlir takes for signed ones: arithmetic, comparisons, bits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

from tfmbs.dialect.mlir import arith, math
from tfmbs.passes.linalg.scalar import bits_constant
from tfmbs.passes.onnx import build
from tfmbs.passes.onnx.arithmetic import Arithmetic, cast
from tfmbs.passes.onnx.node import Node, Results

Value = Any
Scalars = Callable[[Arithmetic], Callable[..., Value]]


def _over_unsigned(scalars: Scalars) -> Callable[[Node], Results | None]:
    """Lowers an op to `scalars` of its operands' arithmetic, each broadcast; leaves what is not unsigned."""

    def lower(node: Node) -> Results | None:
        if not node.element(0).is_unsigned:
            return None
        body = scalars(Arithmetic(node.element(0)))
        return _broadcast(node, body)

    return lower


def _broadcast(node: Node, body: Callable[..., Value]) -> Value:
    operands = [node.tensor(index) for index in range(len(node))]
    return build.broadcasting(operands, node.result_shape(), node.result_element().mlir, body)


def _variadic(scalars: Scalars) -> Scalars:
    """Of any number of operands, from left to right."""

    def every(kind: Arithmetic) -> Callable[..., Value]:
        step = scalars(kind)
        return lambda *values: reduce(step, values)

    return every


def _remainder(kind: Arithmetic) -> Callable[..., Value]:
    """a − (a / b)·b, for either `fmod`: nothing is negative."""
    return lambda a, b: arith.RemUIOp(a, b).result


def _negated(kind: Arithmetic) -> Callable[..., Value]:
    return lambda a: arith.XOrIOp(a, bits_constant(a.type, -1)).result


def _swapped(compare: Callable[[Value, Value], Value]) -> Callable[..., Value]:
    return lambda a, b: compare(b, a)


def bit_shift(node: Node) -> Results | None:
    """BitShift: by as many bits as there are, or more, gives 0; to the right, of a signed integer, its sign."""
    right = arith.ShRUIOp if node.element(0).is_unsigned else arith.ShRSIOp
    shift = {"LEFT": arith.ShLIOp, "RIGHT": right}.get(node.string("direction"))
    if shift is None:
        raise node.refuse("direction", "LEFT or RIGHT", node.string("direction"))
    return _broadcast(node, lambda a, b: shift(a, b).result)


def power(node: Node) -> Results | None:
    """Pow of a float with an unsigned exponent, which is converted to the float's type."""
    base, exponent = node.element(0), node.element(1)
    if not (base.is_float and exponent.is_unsigned):
        return None
    return _broadcast(node, lambda a, b: math.PowFOp(a, cast(b, exponent, base)).result)


def clip(node: Node) -> Results | None:
    """Clip: the greater of x and the least value, then the less of that and the greatest; an absent limit is none."""
    if not node.element(0).is_unsigned:
        return None
    kind = Arithmetic(node.element(0))
    limits = [(index, limit) for index, limit in ((1, kind.maximum), (2, kind.minimum)) if node.has(index)]
    operands = [node.tensor(0), *(node.tensor(index) for index, _ in limits)]

    def body(x: Value, *bounds: Value) -> Value:
        steps: Sequence[tuple[Any, Value]] = list(zip((limit for _, limit in limits), bounds, strict=True))
        return reduce(lambda value, step: step[0](value, step[1]), steps, x)

    return build.broadcasting(operands, node.result_shape(), node.result_element().mlir, body)


LOWERINGS: dict[str, Callable[[Node], Results | None]] = {
    "Add": _over_unsigned(lambda kind: kind.add),
    "Sub": _over_unsigned(lambda kind: kind.subtract),
    "Mul": _over_unsigned(lambda kind: kind.multiply),
    "Div": _over_unsigned(lambda kind: kind.divide),
    "Mod": _over_unsigned(_remainder),
    "Max": _over_unsigned(_variadic(lambda kind: kind.maximum)),
    "Min": _over_unsigned(_variadic(lambda kind: kind.minimum)),
    "Equal": _over_unsigned(lambda kind: kind.equal),
    "Less": _over_unsigned(lambda kind: kind.less),
    "LessOrEqual": _over_unsigned(lambda kind: kind.at_most),
    "Greater": _over_unsigned(lambda kind: _swapped(kind.less)),
    "GreaterOrEqual": _over_unsigned(lambda kind: _swapped(kind.at_most)),
    "BitwiseAnd": _over_unsigned(lambda kind: lambda a, b: arith.AndIOp(a, b).result),
    "BitwiseOr": _over_unsigned(lambda kind: lambda a, b: arith.OrIOp(a, b).result),
    "BitwiseXor": _over_unsigned(lambda kind: lambda a, b: arith.XOrIOp(a, b).result),
    "BitwiseNot": _over_unsigned(_negated),
    "Abs": _over_unsigned(lambda kind: lambda a: a),
    "Sign": _over_unsigned(lambda kind: lambda a: kind.minimum(a, kind.constant(1))),
    "BitShift": bit_shift,
    "Clip": clip,
    "Pow": power,
}
