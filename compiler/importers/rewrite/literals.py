"""The tensor that a Constant node holds, however it is written."""

from __future__ import annotations

from onnx import AttributeProto, NodeProto, TensorProto, helper

_ELEMENTS = {
    AttributeProto.INT: TensorProto.INT64,
    AttributeProto.INTS: TensorProto.INT64,
    AttributeProto.FLOAT: TensorProto.FLOAT,
    AttributeProto.FLOATS: TensorProto.FLOAT,
}


def literal(node: NodeProto) -> TensorProto | None:
    """The value of a Constant node; None where it is text or sparse."""
    (attribute,) = node.attribute
    if attribute.type == AttributeProto.TENSOR:
        return attribute.t
    if attribute.type not in _ELEMENTS:
        return None
    value = helper.get_attribute_value(attribute)
    dims, values = ([len(value)], value) if isinstance(value, list) else ([], [value])
    return helper.make_tensor(node.output[0], _ELEMENTS[attribute.type], dims, values)
