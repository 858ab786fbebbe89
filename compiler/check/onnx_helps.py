"""What would help where an ONNX model is refused: suggestions about a node are tried on that node."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import onnx
import onnx.version_converter
from onnx import ModelProto, TensorProto, helper, numpy_helper

from tfmbs.compiler.check.attempt import WHERE
from tfmbs.compiler.check.problem import Problem
from tfmbs.compiler.check.subject import Attempt, Remedy
from tfmbs.compiler.compilation import Options
from tfmbs.compiler.jit import Slot
from tfmbs.compiler.verify.inputs import slots_of

_OTHER_FLOATS = (TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
_MOST_ELEMENTS = 16  # an operand with more is data, no list of axes or sizes


def general_help(problem: Problem, model: ModelProto) -> list[str]:
    """What the refusal of a model, input or dimension itself says would help."""
    if problem.code == "onnx.dim" and (match := re.fullmatch(r"dimension '(.*)'", problem.where)):
        return [f"--dim {match[1]}=N"] if "no size" in problem.message else ["leave that --dim out"]
    if "depends on values" in problem.message:
        return ["fold constants in the exporter, or declare the shape in the model: sizes must not depend on data"]
    if problem.code == "quantize" or "needs calibration" in problem.message:
        return ["--calibrate DATA.npz, samples of the inputs"]
    if problem.code == "onnx.external-data":
        return ["put the file with the tensor's data into the folder of the model"]
    if match := re.match(r"unknown op ([\w.]+)", problem.message):
        return list(_for_unknown_op(match[1], model))
    return []


def _for_unknown_op(name: str, model: ModelProto) -> Iterator[str]:
    domain, _, op = name.rpartition(".")
    imported = {entry.domain: entry.version for entry in model.opset_import}
    if domain == "" and onnx.defs.has(op):
        since = onnx.defs.get_schema(op).since_version
        if since > imported.get("", 0):
            yield f"opset {since}, which has that op: export again, or use onnx.version_converter"
    elif domain == "com.microsoft":
        yield "export without onnxruntime's graph optimizations: that is one of its own fused ops"
    elif domain:
        yield f"write {name} as a function of the model, of standard ops"


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
