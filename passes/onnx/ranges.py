"""Range of f16 and bf16, whose operands may be known at run time only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tfmbs.dialect.mlir import arith, ir
from tfmbs.dialect.shapes import shape_of
from tfmbs.passes.onnx import build
from tfmbs.passes.onnx.arithmetic import cast
from tfmbs.passes.onnx.elements import Element
from tfmbs.passes.onnx.node import Node, Results

Value = Any


def range_(node: Node) -> Results | None:
    """Range: start + i · delta, for as many i as the result's type says; computed in f32 and rounded once."""
    narrow, wide = node.element(0), Element("f32")
    if narrow.name not in ("f16", "bf16"):
        return None

    def scalar(operand: int) -> Value:
        value = node.tensor(operand)
        return cast(build.extract(value, [build.index(0)] * len(shape_of(value.type))), narrow, wide)

    start, delta = scalar(0), scalar(2)

    def element(at: Sequence[Value]) -> Value:
        number = arith.IndexCastOp(ir.IntegerType.get_signless(64), at[0]).result
        steps = cast(number, Element("si64"), wide)
        return cast(arith.AddFOp(start, arith.MulFOp(steps, delta).result).result, wide, narrow)

    return build.at_places(node.result_shape(), narrow.mlir, element)


LOWERINGS: dict[str, Callable[[Node], Results | None]] = {"Range": range_}
