"""Builds the ONNX graphs of the two networks from their trained parameters, with a dynamic `batch` dimension."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

OPSET = 17
IR_VERSION = 9

Parameters = Mapping[str, NDArray[np.float32]]


def _layer(op: str, name: str, source: str, **attributes: object) -> onnx.NodeProto:
    """A node with weight and bias, named like its torch module."""
    return helper.make_node(op, [source, f"{name}.weight", f"{name}.bias"], [name], name=name, **attributes)


def _simple(op: str, name: str, source: str, **attributes: object) -> onnx.NodeProto:
    return helper.make_node(op, [source], [name], name=name, **attributes)


def cnn(parameters: Parameters) -> onnx.ModelProto:
    """input f32 (batch, 1, 8, 8) -> logits f32 (batch, 10)."""
    conv = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    pool = {"kernel_shape": [2, 2], "strides": [2, 2]}
    nodes = [
        _layer("Conv", "conv1", "input", **conv),
        _simple("Relu", "relu1", "conv1"),
        _simple("MaxPool", "pool1", "relu1", **pool),
        _layer("Conv", "conv2", "pool1", **conv),
        _simple("Relu", "relu2", "conv2"),
        _simple("MaxPool", "pool2", "relu2", **pool),
        _simple("Flatten", "flatten", "pool2"),
        _layer("Gemm", "fc1", "flatten", transB=1),
        _simple("Relu", "relu3", "fc1"),
        _layer("Gemm", "fc2", "relu3", transB=1),
    ]
    return _model("digits-cnn", ["batch", 1, 8, 8], nodes, parameters)


def ternary_mlp(parameters: Parameters) -> onnx.ModelProto:
    """input f32 (batch, 64) -> logits f32 (batch, 10)."""
    nodes = [
        _layer("Gemm", "fc1", "input", transB=1),
        _simple("Relu", "relu1", "fc1"),
        _layer("Gemm", "fc2", "relu1", transB=1),
        _simple("Relu", "relu2", "fc2"),
        _layer("Gemm", "fc3", "relu2", transB=1),
    ]
    return _model("digits-ternary-mlp", ["batch", 64], nodes, parameters)


def _model(name: str, shape: list[str | int], nodes: list[onnx.NodeProto], parameters: Parameters) -> onnx.ModelProto:
    nodes[-1].output[0] = "logits"
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["batch", 10])],
        [numpy_helper.from_array(np.ascontiguousarray(value), key) for key, value in parameters.items()],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="tfmbs examples/digits",
    )
    onnx.checker.check_model(model, full_check=True)
    return model
