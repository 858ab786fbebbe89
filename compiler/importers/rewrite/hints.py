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


def hint_backwards(nodes: Sequence[NodeProto], declared: dict[str, TypeProto]) -> None:
    """Adds to `declared` the shapes of operands that follow from the declared shape of a result."""
    for node in reversed(nodes):
        if node.domain != "" or node.op_type not in KEEPS_SHAPE:
            continue
        shape = static_shape(declared.get(node.output[0]))
        if shape is not None and static_shape(declared.get(node.input[0])) is None:
            declared[node.input[0]] = tensor_type(TensorProto.UNDEFINED, shape)
