"""Large constants of a model: literals of the torch level that share the resource, before torch-mlir copies it."""

from __future__ import annotations

from typing import Any

from tfmbs.dialect.attributes import as_elements
from tfmbs.dialect.mlir import ir
from tfmbs.dialect.shapes import elements, shape_of
from tfmbs.passes.onnx.node import OPERATOR, is_op

LARGE = 4096
"""Elements from which on no rule of torch-mlir looks at the values of a constant."""

_VALUE = "torch.onnx.value"


def keep_resources(module: Any) -> None:
    """Turns each `onnx.Constant` of more than `LARGE` floats in a resource into a `torch.vtensor.literal` of it."""
    found: list[Any] = []

    def collect(op: Any) -> Any:
        if op.name == OPERATOR and is_op(op, "Constant") and _is_large(op):
            found.append(op)
        return ir.WalkResult.ADVANCE

    module.operation.walk(collect)
    for op in found:
        with op.location, ir.InsertionPoint(op):
            value = {"value": op.attributes[_VALUE]}
            literal = ir.Operation.create("torch.vtensor.literal", [op.results[0].type], [], value)
        op.results[0].replace_all_uses_with(literal.results[0])
        op.erase()


def _is_large(op: Any) -> bool:
    if _VALUE not in op.attributes:
        return False
    value = as_elements(op.attributes[_VALUE])
    if not isinstance(value, ir.DenseResourceElementsAttr):
        return False
    return isinstance(value.type.element_type, ir.FloatType) and elements(shape_of(value.type)) > LARGE
