"""Models of integer arithmetic, run on the emulator beside the ONNX reference, onnxruntime and exact linalg."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

import tfmbs
from tfmbs.compiler.api import lower
from tfmbs.compiler.jit import Reference
from tfmbs.runtime.abi.records import Kind
from tfmbs.runtime.abi.types import DType

Arrays = Mapping[str, np.ndarray]

OPSET = 21


def model(
    nodes: Sequence[onnx.NodeProto], inputs: Arrays, outputs: Mapping[str, np.dtype | type], constants: Arrays
) -> onnx.ModelProto:
    """A graph whose inputs are like these arrays, with outputs of these types and initializers."""
    values = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in inputs.items()
    ]
    results = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(np.dtype(t)), None) for n, t in outputs.items()
    ]
    initializers = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    graph = helper.make_graph(list(nodes), "integers", values, results, initializers)
    domains = {node.domain for node in nodes if node.domain}
    opsets = [helper.make_opsetid("", OPSET), *(helper.make_opsetid(domain, 1) for domain in domains)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    return onnx.shape_inference.infer_shapes(made)


def by_onnxruntime(made: onnx.ModelProto, inputs: Arrays) -> dict[str, np.ndarray]:
    """The outputs by onnxruntime, which optimizes nothing."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip([value.name for value in session.get_outputs()], session.run(None, dict(inputs)), strict=True))


def by_linalg(made: onnx.ModelProto, inputs: Arrays) -> dict[str, np.ndarray]:
    """The outputs by the exact linalg interpretation of the compilation."""
    return Reference(lower(made, "linalg"), optimization=0).run(dict(inputs))


def products(program: tfmbs.Program) -> list[tuple[str, str, str]]:
    """The products among a program's launches: kernel, and the element types of its left and right operand."""
    image = program.image
    kinds = (Kind.GEMM, Kind.GEMV, Kind.CONV2D, Kind.CONV3D, Kind.GROUP_GEMM)

    def element(row: Any, side: str) -> str:
        return DType(image.tensors[row[side]]["dtype"]).name

    rows = [row for row in image.descriptors if Kind(row["kind"]) in kinds]
    return [(Kind(row["kind"]).name, element(row, "lhs"), element(row, "rhs")) for row in rows]
