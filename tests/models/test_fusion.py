"""Whole networks after optimisation: which kernels are left, and what the binary says of their weights."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

import tfmbs
from tests.models import zoo
from tfmbs.compiler.api import lower
from tfmbs.compiler.jit import Reference
from tfmbs.dialect.telemetry import telemetry_of
from tfmbs.passes.graph.kernels import ops_where

CNN = Path(__file__).parents[2] / "examples" / "digits" / "cnn.onnx"
KERNELS = {"tfmbs.conv2d": 2, "tfmbs.pool": 2, "tfmbs.gemv": 2}
LAYERS = ("conv1", "conv2", "fc1", "fc2")


def options(precision: str) -> dict[str, Any]:
    images = np.random.default_rng(1).random((4, 1, 8, 8)).astype(np.float32)
    samples = [{"input": images}] if precision == "int8" else None
    return {"precision": precision, "dims": {"batch": 1}, "calibration": samples}


def kernels_and_code(module: Any) -> Counter[str]:
    """How often each kernel, and code beside kernels, occurs."""
    wanted = ("linalg.", "tfmbs.")
    ops = ops_where(module, lambda op: op.operation.name.startswith(wanted) and "tfmbs.schedule" in op.attributes)
    code = ops_where(module, lambda op: op.operation.name.startswith("linalg.") and op.operation.name != "linalg.yield")
    return Counter(op.operation.name for op in (*ops, *code))


@pytest.mark.parametrize(("precision", "code"), [("fp32", {}), ("int8", {"linalg.generic": 1}), ("ternary", {})])
def test_nothing_is_left_beside_the_kernels_of_the_cnn(precision: str, code: dict[str, int]) -> None:
    """Of int8, the quantization of the input is left."""
    assert kernels_and_code(lower(CNN, "tfmbs", **options(precision))) == Counter(KERNELS | code)


def test_projections_of_one_token_are_one_launch() -> None:
    module = lower(zoo.transformer_block(tokens=1), "tfmbs")
    assert kernels_and_code(module)["tfmbs.fused_gemv"] == 1
    (fused,) = ops_where(module, lambda op: op.operation.name == "tfmbs.fused_gemv")
    assert fused.has_epilogue
    telemetry = telemetry_of(fused)
    assert telemetry is not None
    assert [member.fusion_order for member in telemetry.members] == [0, 1, 2]
    assert sum(member.total for member in telemetry.members) == telemetry.total == 3 * 32 * 32


def stored(weights: NDArray[np.float32], precision: str) -> NDArray[np.float64]:
    """The weights that the kernels of a precision see, up to their scale."""
    rows = weights.reshape(len(weights), -1).astype(np.float64)
    if precision == "ternary":
        return rows * (np.abs(rows) > 0.7 * np.abs(rows).mean(axis=1, keepdims=True))
    if precision == "int8":
        scale = (np.abs(rows).max(axis=1, keepdims=True) / 127).astype(np.float32).astype(np.float64)
        return np.rint(rows / scale)
    return rows


@pytest.mark.parametrize("precision", ["fp32", "int8", "ternary"])
def test_the_binary_counts_the_real_weights(precision: str) -> None:
    """Every layer's telemetry survives to the binary, and its counts are those of the ONNX weights."""
    image = tfmbs.compile(CNN, **options(precision)).image
    found = {image.strings[row["layer"]]: row for row in image.telemetry}
    arrays = {init.name: numpy_helper.to_array(init) for init in onnx.load(CNN).graph.initializer}
    for layer in LAYERS:
        weights = stored(arrays[f"{layer}.weight"], precision)
        row = found[layer]
        assert (row["total"], row["zero_count"]) == (weights.size, weights.size - np.count_nonzero(weights))
        assert row["sparsity"] == np.float32(row["zero_count"] / row["total"])
        assert row["fusion_order"] == -1


def test_a_transposition_between_integer_products_moves_stored_integers() -> None:
    nodes = [
        zoo.node("Conv", "x w", "c"),
        zoo.node("Relu", "c", "r"),
        zoo.node("Transpose", "r", "t", perm=[0, 2, 3, 1]),
        zoo.node("MatMul", "t v", "y"),
    ]
    model = zoo.build(nodes, (1, 3, 5, 5), w=zoo.weights(1, 4, 3, 3, 3), v=zoo.weights(2, 4, 6))
    x = np.random.default_rng(2).standard_normal((1, 3, 5, 5)).astype(np.float32)
    settings: dict[str, Any] = {"precision": "int8", "calibration": [{"x": x}]}
    expected = Reference(lower(model, "linalg", **settings)).run({"x": x})["y"]
    got = tfmbs.compile(model, **settings).run({"x": x})["y"]
    assert got.tobytes() == expected.tobytes()
    np.testing.assert_allclose(got, tfmbs.compile(model).run({"x": x})["y"], atol=0.1)
