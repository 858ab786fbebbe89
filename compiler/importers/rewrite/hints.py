"""Declared shapes carried backwards, through operators that keep the shape of their operand."""

from __future__ import annotations

from collections.abc import Sequence

from onnx import NodeProto, TensorProto, TypeProto

from tfmbs.compiler.importers.rewrite.types import static_shape, tensor_type

_KEEP = """Abs Acos Acosh Asin Asinh Atan Atanh Cast CastLike Ceil Celu Clip Cos Cosh Elu Erf Exp Floor Gelu HardSigmoid
HardSwish Identity IsInf IsNaN LeakyRelu Log LogSoftmax Mish Neg Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh
Softmax Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu"""

KEEPS_SHAPE = frozenset(_KEEP.split())
"""Operators whose result has the shape of their first operand."""


BROADCASTS = frozenset({"Add", "Div", "Max", "Min", "Mul", "Pow", "Sub", "Where"})
"""Operators whose operands all have size 1 where the result has."""


def hint_backwards(nodes: Sequence[NodeProto], declared: dict[str, TypeProto]) -> None:
    """Adds to `declared` the shapes of operands that follow from the declared shape of a result."""
    for node in reversed(nodes):
        if node.domain != "" or node.op_type not in KEEPS_SHAPE | BROADCASTS:
            continue
        shape = static_shape(declared.get(node.output[0]))
        kept = node.input[:1] if node.op_type in KEEPS_SHAPE else node.input
        if shape is None or (node.op_type in BROADCASTS and any(size != 1 for size in shape)):
            continue
        for name in kept:
            if static_shape(declared.get(name)) is None:
                declared[name] = tensor_type(TensorProto.UNDEFINED, shape)
