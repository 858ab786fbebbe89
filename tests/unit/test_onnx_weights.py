"""Weights of ONNX models: not copied on the way in, stored as they were, whatever their element type."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

import tfmbs
from tfmbs.compiler.importers.onnx import import_parts
from tfmbs.compiler.importers.onnx_model import parts_of, prepare
from tfmbs.compiler.importers.onnx_opset import OPSET
from tfmbs.dialect.mlir import context, ir
from tfmbs.dialect.resources import read_elements

SHAPE = (80, 64)  # more elements than a small constant has


def model(tensor: TensorProto) -> ModelProto:
    """x · w, as f32 whatever the type of w."""
    nodes = [
        helper.make_node("Cast", ["w"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["x", "f"], ["y"]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, (2, SHAPE[0]))]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "g", inputs, outputs, [tensor])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])


def values(dtype: Any) -> np.ndarray:
    return np.random.default_rng(1).integers(-9, 9, SHAPE).astype(dtype)


TENSORS = {
    "f32": lambda: numpy_helper.from_array(values(np.float32), "w"),
    "f32 typed": lambda: helper.make_tensor("w", TensorProto.FLOAT, SHAPE, values(np.float32).ravel()),
    "f16": lambda: numpy_helper.from_array(values(np.float16), "w"),
    "bf16": lambda: numpy_helper.from_array(values(ml_dtypes.bfloat16), "w"),
    "f64": lambda: numpy_helper.from_array(values(np.float64), "w"),
    "i8": lambda: numpy_helper.from_array(values(np.int8), "w"),
    "i64": lambda: numpy_helper.from_array(values(np.int64), "w"),
    "bool": lambda: numpy_helper.from_array(values(np.float32) > 0, "w"),
}


@pytest.mark.parametrize("name", TENSORS)
def test_weights_of_every_kind_mean_what_they_did(name: str) -> None:
    tensor = TENSORS[name]()
    x = np.random.default_rng(2).integers(-4, 4, (2, SHAPE[0])).astype(np.float32)
    got = tfmbs.compile(model(tensor)).run({"x": x})["y"]
    np.testing.assert_array_equal(got, x @ numpy_helper.to_array(tensor).astype(np.float32))


def test_constants_share_the_memory_of_the_model_s_arrays() -> None:
    parts = parts_of(model(TENSORS["f32"]()))
    module = import_parts(parts, context=context())
    found: list[Any] = []

    def collect(op: Any) -> Any:
        if op.name == "torch.vtensor.literal":
            found.append(read_elements(op.attributes["value"]))
        return ir.WalkResult.ADVANCE

    module.operation.walk(collect)
    assert any(np.shares_memory(array, parts.arrays["w"]) for array in found)


def test_a_prepared_model_has_its_weights() -> None:
    given = model(TENSORS["f32"]())
    prepared = prepare(given, {})
    (got,) = (tensor for tensor in prepared.graph.initializer if tensor.name == "w")
    assert got == given.graph.initializer[0]
