"""Operators of com.microsoft beside onnxruntime: equal integers, but for a unit where floats round otherwise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import helper

import tfmbs
from tests.models.integer_models import by_linalg, by_onnxruntime, model, products
from tfmbs.compiler.importers.microsoft import DOMAIN, OPERATORS
from tfmbs.runtime.abi.errors import TfmbsError

SCALES = {
    "xs": np.float32(0.021), "xz": np.uint8(120), "ws": np.float32(0.013), "wz": np.uint8(131),
    "ys": np.float32(0.037), "yz": np.uint8(77),
}  # fmt: skip
X, Y = ("x", "xs", "xz"), ("ys", "yz")
W = ("w", "ws", "wz")
SHAPE = (2, 4, 6, 6)

CASES: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "QLinearAdd": ((*X, *W, *Y), {}),
    "QLinearMul": ((*X, *W, *Y), {}),
    "QLinearSigmoid": ((*X, *Y), {}),
    "QLinearLeakyRelu": ((*X, *Y), {"alpha": 0.125}),
    "QLinearAveragePool": ((*X, *Y), {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]}),
    "QLinearGlobalAveragePool": ((*X, *Y), {"channels_last": 0}),
    "QLinearConcat": ((*Y, *X, *W), {"axis": 1}),
    "QLinearSoftmax": ((*X, *Y), {"axis": -1, "opset": 13}),
    "QuantizeLinear": (("f", *Y), {}),
    "DequantizeLinear": (X, {}),
    "QLinearWhere": (("c", *X, *W, *Y), {}),
}


@pytest.mark.parametrize("op", CASES)
def test_operators_beside_onnxruntime(op: str) -> None:
    rng = np.random.default_rng(11)
    names, attributes = CASES[op]
    arrays = {
        "x": rng.integers(0, 256, SHAPE).astype(np.uint8), "w": rng.integers(0, 256, SHAPE).astype(np.uint8),
        "f": rng.standard_normal(SHAPE).astype(np.float32), "c": rng.random(SHAPE) < 0.5,
    }  # fmt: skip
    inputs = {name: arrays[name] for name in names if name in arrays}
    constants = {name: SCALES[name] for name in names if name in SCALES}
    if op == "QLinearSoftmax":
        constants["ys"], constants["yz"] = np.float32(1 / 256), np.uint8(0)
    node = helper.make_node(op, names, ["y"], domain=DOMAIN, name="n", **attributes)
    made = model([node], inputs, {"y": np.float32 if op == "DequantizeLinear" else np.uint8}, constants)
    got, wanted = tfmbs.compile(made).run(inputs)["y"], by_onnxruntime(made, inputs)["y"]
    assert got.shape == wanted.shape
    assert got.tobytes() == by_linalg(made, inputs)["y"].tobytes()
    difference = np.abs(got.astype(np.int64) - wanted.astype(np.int64))
    assert difference.max() <= 1
    assert np.count_nonzero(difference) <= max(1, difference.size // 100)


@pytest.mark.parametrize("op", ["QGemm", "MatMulIntegerToFloat", "DynamicQuantizeMatMul"])
def test_products_beside_onnxruntime(op: str) -> None:
    rng = np.random.default_rng(12)
    b = rng.integers(-127, 128, (16, 8)).astype(np.int8)
    scales = rng.uniform(0.01, 0.02, 8).astype(np.float32)
    constants: dict[str, Any] = {**SCALES, "b": b, "bs": scales, "bz": np.zeros(8, np.int8)}
    constants["i"] = rng.integers(-99, 99, 8).astype(np.int32)
    constants["r"] = rng.standard_normal(8).astype(np.float32)
    names = {
        "QGemm": (*X, "b", "bs", "bz", "i", *Y),
        "MatMulIntegerToFloat": ("x", "b", "xs", "bs", "xz", "bz", "r"),
        "DynamicQuantizeMatMul": ("f", "b", "bs", "bz", "r"),
    }[op]
    arrays = {"x": rng.integers(0, 256, (5, 16)).astype(np.uint8), "f": rng.standard_normal((5, 16)).astype(np.float32)}
    inputs = {name: arrays[name] for name in names if name in arrays}
    node = helper.make_node(op, names, ["y"], domain=DOMAIN, name="n")
    used = {name: constants[name] for name in names if name in constants}
    made = model([node], inputs, {"y": np.uint8 if op == "QGemm" else np.float32}, used)
    program = tfmbs.compile(made)
    assert products(program) == [("GEMM", "I8", "I8")]
    got, wanted = program.run(inputs)["y"], by_onnxruntime(made, inputs)["y"]
    np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=0 if op == "QGemm" else 1e-6)
    assert got.tobytes() == by_linalg(made, inputs)["y"].tobytes()


def test_every_operator_has_a_case() -> None:
    assert {*CASES, "QGemm", "MatMulIntegerToFloat", "DynamicQuantizeMatMul"} == OPERATORS


def test_other_layouts_are_refused_by_name() -> None:
    node = helper.make_node("QLinearGlobalAveragePool", (*X, *Y), ["y"], domain=DOMAIN, name="n", channels_last=1)
    x = {"x": np.zeros(SHAPE, np.uint8)}
    made = model([node], x, {"y": np.uint8}, {name: SCALES[name] for name in (*X[1:], *Y)})
    with pytest.raises(TfmbsError, match=r"unknown op com\.microsoft\.QLinearGlobalAveragePool"):
        tfmbs.compile(made)
