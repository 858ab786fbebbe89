"""Element types that the IR knows as bytes: fp8, fp4 and integers of 4 or 2 bits, which torch has no types for.

Values of them become those of bytes, one per element, and each node that has one says by attributes what its operands'
and results' bytes stand for (`passes/onnx/node.py`). It is the last thing that happens to a model before it is IR.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, TypeProto, helper, numpy_helper

from tfmbs.passes.onnx.node import OPERAND_ELEMENTS, RESULT_ELEMENTS
from tfmbs.runtime.abi.types import Meaning


@dataclass(frozen=True)
class Narrow:
    """A narrow type: its name among torch's, the ONNX type of its bytes, and what a binary calls it."""

    element: str
    stored: int
    meaning: Meaning


NARROW: dict[int, Narrow] = {
    TensorProto.FLOAT8E4M3FN: Narrow("f8E4M3FN", TensorProto.UINT8, Meaning.F8E4M3FN),
    TensorProto.FLOAT8E4M3FNUZ: Narrow("f8E4M3FNUZ", TensorProto.UINT8, Meaning.F8E4M3FNUZ),
    TensorProto.FLOAT8E5M2: Narrow("f8E5M2", TensorProto.UINT8, Meaning.F8E5M2),
    TensorProto.FLOAT8E5M2FNUZ: Narrow("f8E5M2FNUZ", TensorProto.UINT8, Meaning.F8E5M2FNUZ),
    TensorProto.FLOAT8E8M0: Narrow("f8E8M0FNU", TensorProto.UINT8, Meaning.F8E8M0FNU),
    TensorProto.FLOAT4E2M1: Narrow("f4E2M1FN", TensorProto.UINT8, Meaning.F4E2M1FN),
    TensorProto.INT4: Narrow("si4", TensorProto.INT8, Meaning.I4),
    TensorProto.UINT4: Narrow("ui4", TensorProto.UINT8, Meaning.U4),
    TensorProto.INT2: Narrow("si2", TensorProto.INT8, Meaning.I2),
    TensorProto.UINT2: Narrow("ui2", TensorProto.UINT8, Meaning.U2),
}

_UNSIGNED = {TensorProto.UINT8: "u8", TensorProto.UINT16: "u16", TensorProto.UINT32: "u32", TensorProto.UINT64: "u64"}


def element_name(type_: TypeProto) -> str | None:
    """What `tfmbs.element` says of an input or output of this type (`dialect/elements.py`), None for nothing."""
    element = type_.tensor_type.elem_type
    return NARROW[element].meaning.name.lower() if element in NARROW else _UNSIGNED.get(element)


def store_as_bytes(model: onnx.ModelProto) -> None:
    """Rewrites a model, with the types of all its values recorded, in place."""
    _rewrite(model.graph, {})


def _rewrite(graph: onnx.GraphProto, outer: Mapping[str, Narrow]) -> None:
    values = (*graph.input, *graph.output, *graph.value_info)
    known = dict(outer)
    for value in values:
        if (narrow := NARROW.get(value.type.tensor_type.elem_type)) is not None:
            known[value.name] = narrow
            value.type.tensor_type.elem_type = narrow.stored
    for tensor in graph.initializer:
        if (narrow := NARROW.get(tensor.data_type)) is not None:
            known[tensor.name] = narrow
            tensor.CopyFrom(_as_bytes(tensor, narrow))
    for node in graph.node:
        _mark(node, known)
        for attribute in node.attribute:
            if (narrow := NARROW.get(attribute.t.data_type)) is not None:
                attribute.t.CopyFrom(_as_bytes(attribute.t, narrow))
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                _rewrite(inner, known)


def _mark(node: onnx.NodeProto, known: Mapping[str, Narrow]) -> None:
    """Says on the node what its narrow operands and results are."""
    operands, results = ([known[n].element if n in known else "" for n in names] for names in (node.input, node.output))
    if any((*operands, *results)):
        node.attribute.append(helper.make_attribute(OPERAND_ELEMENTS, operands, attr_type=onnx.AttributeProto.STRINGS))
        node.attribute.append(helper.make_attribute(RESULT_ELEMENTS, results, attr_type=onnx.AttributeProto.STRINGS))


def _as_bytes(tensor: TensorProto, narrow: Narrow) -> TensorProto:
    """The constant with one byte per element; ONNX packs types of less than eight bits."""
    array = numpy_helper.to_array(tensor)
    is_integer = narrow.element.startswith(("si", "ui"))
    dtype = np.int8 if narrow.stored == TensorProto.INT8 else np.uint8
    stored = array.astype(dtype) if is_integer else array.view(np.uint8)
    return numpy_helper.from_array(stored, tensor.name)
