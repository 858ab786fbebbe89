"""8-bit integers of ONNX as tensors of quantized type, which hold i8: unsigned ones, and zero points, lie 128 lower."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tfmbs.dialect.mlir import arith, ir
from tfmbs.dialect.shapes import element_of, shape_of, tensor_type
from tfmbs.dialect.types import is_quantized, quantized
from tfmbs.passes.graph.quantization import SMALLEST_NORMAL
from tfmbs.passes.linalg.generics import as_elementwise
from tfmbs.passes.linalg.scalar import constant
from tfmbs.passes.linalg.structured import elementwise, identity
from tfmbs.passes.onnx.elements import Element
from tfmbs.passes.onnx.node import Node

Value = Any
Array = npt.NDArray[Any]

BYTES = frozenset({"si8", "ui8"})
"""Element types that are stored so, by name."""

_LOWEST = -128


def lowered(element: Element) -> int:
    """How much lower an integer of this type is stored."""
    return -_LOWEST if element.is_unsigned else 0


def as_quantized(value: Value, element: Element, scale: float = 1.0, zero_point: int = 0) -> Value:
    """A builtin tensor of 8-bit ONNX integers as one of quantized type; `zero_point` is the model's.

    What was made by `as_stored` from a tensor of this type is that tensor.
    """
    type_ = quantized(scale, zero_point - lowered(element))
    stored = _flipped_back(value) if element.is_unsigned else value
    made = None if isinstance(stored.owner, ir.Block) else stored.owner.operation
    if made is not None and made.name == "quant.scast" and element_of(made.operands[0]) == type_:
        return made.operands[0]
    return _cast(stored, type_)


def as_any_quantized(value: Value, element: Element) -> Value:
    """`as_quantized` for ops that only compare: of the type that it was stored from, if any, else of scale 1."""
    stored = _flipped_back(value) if element.is_unsigned else value
    made = None if isinstance(stored.owner, ir.Block) else stored.owner.operation
    if made is not None and made.name == "quant.scast" and is_quantized(element_of(made.operands[0])):
        return made.operands[0]
    return _cast(stored, quantized(1.0))


def as_stored(value: Value, element: Element) -> Value:
    """A tensor of quantized type as a builtin tensor of 8-bit ONNX integers."""
    stored = _cast(value, ir.IntegerType.get_signless(8))
    return _flipped(stored) if element.is_unsigned else stored


def stored_bytes(array: Array, element: Element) -> npt.NDArray[np.int8]:
    """Elements of a constant as they are stored."""
    return (array.astype(np.int32) - lowered(element)).astype(np.int8)


def scale_of(node: Node, index: int) -> float | None:
    """A scale for all elements that a quantized type can hold: a constant, normal f32. None for any other operand."""
    if node.element(index).name != "f32":
        return None
    given = node.constant(index)
    if given is None or given.size != 1:
        return None
    scale = float(given.reshape(()))
    return scale if SMALLEST_NORMAL <= scale < float("inf") else None


def zero_point_of(node: Node, index: int) -> int | None:
    """A constant zero point for all elements, 0 where the operand is absent. None for any other operand."""
    if not node.has(index):
        return 0
    given = node.constant(index)
    return int(given.reshape(())) if given is not None and given.size == 1 else None


def _cast(value: Value, element: Any) -> Value:
    type_ = tensor_type(shape_of(value.type), element)
    return ir.Operation.create("quant.scast", results=[type_], operands=[value]).result


def _flipped(value: Value) -> Value:
    """Each byte 128 lower or higher, which of an i8 is the same: its highest bit is another."""
    sizes, i8 = shape_of(value.type), ir.IntegerType.get_signless(8)
    return elementwise(
        [(value, identity(len(sizes)))], sizes, i8, lambda x: arith.XOrIOp(x, constant(i8, _LOWEST)).result
    )


def _flipped_back(value: Value) -> Value:
    """`_flipped`, or what this value is `_flipped` of."""
    view = None if isinstance(value.owner, ir.Block) else as_elementwise(value.owner.opview)
    if (
        view is not None
        and view.maps == (identity(len(view.shape)),)
        and [type(op) for op in view.body] == [arith.ConstantOp, arith.XOrIOp]
    ):
        number, flip = view.body
        if number.literal_value == _LOWEST and list(flip.operands) == [view.block.arguments[0], number.result]:
            return view.inputs[0]
    return _flipped(value)
