"""What would help where an ONNX model is refused: suggestions about a node are tried on that node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import onnx
import onnx.version_converter
from onnx import ModelProto, TensorProto, helper, numpy_helper

from tfmbs.compiler.check.attempt import WHERE
from tfmbs.compiler.check.subject import Attempt, Remedy
from tfmbs.compiler.compilation import Options
from tfmbs.compiler.jit import Slot
from tfmbs.compiler.verify.inputs import slots_of

_OTHER_FLOATS = (TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
_MOST_ELEMENTS = 16  # an operand with more is data, no list of axes or sizes


HELP_OF_CODE = {
    "quantize": "--calibrate DATA.npz, samples of the inputs",
    "onnx.external-data": "put the file with the tensor's data into the folder of the model",
}
"""What would help wherever an error has a code."""


@dataclass(frozen=True)
class OnnxCandidate:
    """A model of one node; see `Candidate`."""

    proto: ModelProto

    def model(self) -> ModelProto:
        """See `Candidate`."""
        return self.proto

    def slots(self, options: Options) -> tuple[Slot, ...]:
        """See `Candidate`."""
        return slots_of(self.proto, options.dims, WHERE)


def remedies() -> list[Remedy]:
    """What is tried on a node that is refused, in its own form."""
    return [
        Remedy("elements of type float (32 bits)", _changing(_with_f32)),
        Remedy(f"opset {onnx.defs.onnx_opset_version()}: use onnx.version_converter", _changing(_newest)),
        Remedy("constant operands for axes and sizes: fold constants in the exporter", _changing(_with_constants)),
    ]


def _changing(change: Callable[[ModelProto], ModelProto | None]) -> Callable[[Attempt], Attempt | None]:
    def changed(attempt: Attempt) -> Attempt | None:
        assert isinstance(attempt.candidate, OnnxCandidate)
        proto = change(attempt.candidate.proto)
        return None if proto is None else replace(attempt, candidate=OnnxCandidate(proto))

    return changed


def _with_f32(proto: ModelProto) -> ModelProto | None:
    model = ModelProto.FromString(proto.SerializeToString())
    changed = False
    for value in (*model.graph.input, *model.graph.output):
        if value.type.tensor_type.elem_type in _OTHER_FLOATS:
            value.type.tensor_type.elem_type = TensorProto.FLOAT
            changed = True
    for tensor in model.graph.initializer:
        if tensor.data_type in _OTHER_FLOATS:
            wide = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(wide, tensor.name))
            changed = True
    return model if changed else None


def _newest(proto: ModelProto) -> ModelProto | None:
    newest = onnx.defs.onnx_opset_version()
    if any(entry.version >= newest for entry in proto.opset_import if entry.domain in ("", "ai.onnx")):
        return None
    try:
        return onnx.version_converter.convert_version(proto, newest)
    except (RuntimeError, onnx.version_converter.ConvertError, IndexError):
        return None  # the node has no form there


def _with_constants(proto: ModelProto) -> ModelProto | None:
    """The operands behind the first that are short lists of integers become constants: the output's sizes, or zeros."""
    model = ModelProto.FromString(proto.SerializeToString())
    graph = model.graph
    output = [dim.dim_value for value in graph.output[:1] for dim in value.type.tensor_type.shape.dim]
    first = graph.node[-1].input[0] if graph.node[-1].input else ""
    changed = False
    for index in reversed(range(len(graph.input))):
        value = graph.input[index]
        tensor = value.type.tensor_type
        sizes = [dim.dim_value for dim in tensor.shape.dim]
        count = int(np.prod(sizes))
        if (
            value.name == first
            or tensor.elem_type not in (TensorProto.INT64, TensorProto.INT32)
            or count > _MOST_ELEMENTS
        ):
            continue
        array = np.zeros(sizes, helper.tensor_dtype_to_np_dtype(tensor.elem_type))
        if sizes == [len(output)]:
            array[:] = output
        graph.initializer.append(numpy_helper.from_array(array, value.name))
        del graph.input[index]
        changed = True
    return model if changed else None
