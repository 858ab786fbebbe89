"""Models of older opsets brought to one that the compiler knows well, by onnx's own version converter."""

from __future__ import annotations

import onnx
import onnx.version_converter

from tfmbs.compiler.importers.messages import first_line
from tfmbs.compiler.importers.onnx_rules import at_node
from tfmbs.runtime.abi.errors import TfmbsError

OPSET = 21
"""The opset models are converted to when theirs is older: the newest that torch-mlir covers well."""

_CHANNEL_SLOPES = 7
"""The opset from which on the slopes of PRelu broadcast as numpy does; before, a vector of them was one per channel."""

_SCANS_WITHOUT_BATCH = 9
"""The opset from which on Scan has no axis of batches, which the converter drops from the types of inputs."""


def convert_opset(model: onnx.ModelProto, where: str) -> onnx.ModelProto:
    """The model at an opset of at least `OPSET`; models that are newer stay as they are. May change `model`.

    Raises:
        TfmbsError: ``onnx.unsupported``, where onnx cannot convert it.
    """
    version = next((e.version for e in model.opset_import if e.domain in ("", "ai.onnx")), OPSET)
    if version >= OPSET:
        return model
    if version < _SCANS_WITHOUT_BATCH:
        _refuse_scans(model.graph, version, where)
    if version < _CHANNEL_SLOPES:
        _align_slopes(model)
    try:
        return onnx.version_converter.convert_version(model, OPSET)
    except (RuntimeError, onnx.version_converter.ConvertError, IndexError) as error:
        raise TfmbsError(
            "onnx.unsupported", where, f"opset {version} cannot be converted to {OPSET}", got=first_line(error)
        ) from error


def _refuse_scans(graph: onnx.GraphProto, version: int, where: str) -> None:
    for node in graph.node:
        if node.op_type == "Scan" and node.domain in ("", "ai.onnx"):
            expected = f"one without an axis of batches, of opset {_SCANS_WITHOUT_BATCH} or later"
            raise TfmbsError("onnx.unsupported", at_node(node, where), "Scan", expected, f"opset {version}")


def _align_slopes(model: onnx.ModelProto) -> None:
    """Gives vectors of slopes the axis of channels, which the converter forgets."""
    inferred = onnx.shape_inference.infer_shapes(model).graph
    ranks = {
        value.name: len(value.type.tensor_type.shape.dim)
        for value in (*inferred.input, *inferred.value_info, *inferred.output)
    } | {tensor.name: len(tensor.dims) for tensor in inferred.initializer}
    nodes = []
    for node in model.graph.node:
        rank = ranks.get(node.input[0], 0) if node.op_type == "PRelu" else 0
        if rank > 2 and ranks.get(node.input[1]) == 1:
            name = f"{node.output[0]}.slope"
            nodes.append(onnx.helper.make_node("Unsqueeze", [node.input[1]], [name], axes=list(range(1, rank - 1))))
            node.input[1] = name
        nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
