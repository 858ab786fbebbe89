"""Products between DequantizeLinear and QuantizeLinear: what is promised of them (docs/quantization.md)."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper
from onnx.reference import ReferenceEvaluator

import tfmbs
from tests.models.integer_models import by_linalg, by_onnxruntime, model, products


def layer(scales: np.ndarray, w: np.ndarray, zero: int, bias: np.ndarray, batch: int) -> onnx.ModelProto:
    """DequantizeLinear of both operands and a bias, Gemm, QuantizeLinear."""
    sx, sy = np.float32(scales[0]), np.float32(scales[1])
    sw = scales[2:].astype(np.float32)
    constants = {
        "sx": sx,
        "zx": np.uint8(13),
        "w": w,
        "sw": sw,
        "b": bias,
        "sb": sx * sw,
        "sy": sy,
        "zy": np.uint8(zero),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "sx", "zx"], ["a"]),
        helper.make_node("DequantizeLinear", ["w", "sw"], ["v"], axis=0),
        helper.make_node("DequantizeLinear", ["b", "sb"], ["c"], axis=0),
        helper.make_node("Gemm", ["a", "v", "c"], ["g"], transB=1),
        helper.make_node("QuantizeLinear", ["g", "sy", "zy"], ["y"]),
    ]
    return model(nodes, {"x": np.zeros((batch, w.shape[1]), np.uint8)}, {"y": np.uint8}, constants)


@pytest.mark.parametrize("bias", ["float", "units"])
@pytest.mark.parametrize("op", ["Gemm", "MatMul", "Conv"])
def test_products_as_other_tools_write_them(op: str, bias: str) -> None:
    """Weights dequantized before a Transpose, a bias of floats or of other units; scales are powers of two."""
    rng = np.random.default_rng(10)
    w = rng.integers(-127, 128, (8, 24)).astype(np.int8)
    x = rng.integers(0, 256, (16, 24)).astype(np.uint8)
    constants: dict[str, Any] = {
        "sx": np.float32(0.25), "zx": np.uint8(13), "w": w, "sw": np.exp2(rng.integers(-9, -5, 8)).astype(np.float32),
        "b": rng.integers(-90, 90, 8).astype(np.int32), "sb": np.float32(0.5), "sy": np.float32(0.5), "zy": np.int8(-3),
        "f": rng.integers(-90, 90, 8).astype(np.float32),
    }  # fmt: skip
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "sx", "zx"], ["a"]),
        helper.make_node("DequantizeLinear", ["w", "sw"], ["v"], axis=0),
        helper.make_node("DequantizeLinear", ["b", "sb"], ["u"]),
        helper.make_node("Transpose", ["v"], ["t"], perm=[1, 0]),
    ]
    added = "f" if bias == "float" else "u"
    if op == "Conv":
        constants["w"], x = w.reshape(8, 3, 8), x.reshape(2, 3, 64)
        nodes[3:] = [helper.make_node("Conv", ["a", "v", added], ["g"], pads=[3, 2], strides=[2])]
    elif op == "Gemm":
        nodes.append(helper.make_node("Gemm", ["a", "t", added], ["g"]))
    else:
        nodes += [helper.make_node("MatMul", ["a", "t"], ["m"]), helper.make_node("Add", ["m", added], ["g"])]
    nodes.append(helper.make_node("QuantizeLinear", ["g", "sy", "zy"], ["y"]))
    made = model(nodes, {"x": x}, {"y": np.int8}, constants)
    program = tfmbs.compile(made)
    assert [(lhs, rhs) for _, lhs, rhs in products(program)] == [("I8", "I8")]
    got = program.run({"x": x})["y"]
    np.testing.assert_array_equal(got, by_onnxruntime(made, {"x": x})["y"])
    assert got.tobytes() == by_linalg(made, {"x": x})["y"].tobytes()
    assert len(np.unique(got)) > 20


@settings(max_examples=12)
@given(seed=st.integers(0, 2**32 - 1), zero=st.sampled_from([0, 127, 128, 255]), exact=st.booleans())
def test_a_layer_is_right_up_to_ties(seed: int, zero: int, exact: bool) -> None:
    """Every result is the exact real value, rounded, unless that lies within 2⁻²² of itself from a tie.

    Scales that are powers of two leave no such doubt: results are those of onnxruntime and ONNX's evaluator, ties too.
    """
    rng = np.random.default_rng(seed)
    n, k, batch = 8, 24, 64
    scales = np.exp2(rng.integers(-9, 0, n + 2)) if exact else rng.uniform(0.001, 0.05, n + 2)
    scales[1] = 2.0 ** -rng.integers(0, 4) if exact else rng.uniform(0.05, 0.5)
    w = rng.integers(-127, 128, (n, k)).astype(np.int8)
    bias = rng.integers(-2000, 2000, n).astype(np.int32)
    x = rng.integers(0, 256, (batch, k)).astype(np.uint8)
    made = layer(scales, w, zero, bias, batch)
    program = tfmbs.compile(made)
    assert [kind for kind, lhs, _ in products(program) if lhs == "I8"] == ["GEMM"]
    got = program.run({"x": x})["y"].astype(np.int64)
    sums = (x.astype(np.int64) - 13) @ w.T.astype(np.int64) + bias
    wide = scales.astype(np.float32).astype(np.float64)
    real = sums * wide[0] * wide[2:] / wide[1]
    wanted = np.clip(np.rint(real) + zero, 0, 255).astype(np.int64)
    doubtful = np.abs(np.abs(real - np.floor(real)) - 0.5) <= np.abs(real) * 2.0**-22
    if exact:
        np.testing.assert_array_equal(got, wanted)
        np.testing.assert_array_equal(got, by_onnxruntime(made, {"x": x})["y"])
        np.testing.assert_array_equal(got, ReferenceEvaluator(made).run(None, {"x": x})[0])
    else:
        np.testing.assert_array_equal(got[~doubtful], wanted[~doubtful])
        assert np.abs(got - wanted).max() <= 1
        assert doubtful.mean() < 0.01
