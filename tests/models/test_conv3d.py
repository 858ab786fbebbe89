"""Convolutions of volumes from ONNX: one launch each, beside onnxruntime and the exact interpretation."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest

import tfmbs
from tests.models.zoo import build, node, weights
from tfmbs.compiler.api import lower
from tfmbs.compiler.jit import Reference

SAME = [1] * 6
CASES: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "same": ((1, 4, 5, 6, 7), (8, 4, 3, 3, 3), {"pads": SAME}),
    "groups": ((2, 4, 5, 6, 7), (6, 2, 3, 2, 3), {"pads": [1, 0, 2, 0, 1, 1], "strides": [2, 1, 2], "group": 2}),
    "depthwise": ((1, 4, 6, 5, 6), (4, 1, 3, 3, 3), {"pads": SAME, "dilations": [2, 1, 2], "group": 4}),
    "pointwise": ((1, 3, 2, 4, 4), (5, 3, 1, 1, 1), {}),
}


def model_of(name: str) -> tuple[Any, np.ndarray]:
    shape, filters, attributes = CASES[name]
    nodes = [node("Conv", "x w b", "c", **attributes), node("Relu", "c", "y")]
    x = np.random.default_rng(5).standard_normal(shape).astype(np.float32)
    return build(nodes, shape, w=weights(1, *filters), b=weights(2, filters[0])), x


@pytest.mark.parametrize("name", CASES)
def test_one_launch_with_bias_and_relu(name: str) -> None:
    model, x = model_of(name)
    context = tfmbs.compile(model).context()
    got = context.run({"x": x})["y"]
    assert [(launch.kind, launch.fused) for launch in context.stats.launches] == [("CONV3D", True)]
    (expected,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
    assert got.tobytes() == Reference(lower(model, "tfmbs")).run({"x": x})["y"].tobytes()


def test_int8_is_near() -> None:
    model, x = model_of("same")
    program = tfmbs.compile(model, precision="int8", calibration=[{"x": x}])
    got = program.run({"x": x})["y"]
    (expected,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    assert np.abs(got - expected).max() <= 0.03 * np.abs(expected).max()
    context = program.context()
    context.run({"x": x})
    assert "CONV3D" in [launch.kind for launch in context.stats.launches]


def test_computed_filters_stay_vector_code() -> None:
    nodes = [node("Mul", "x two", "d"), node("Conv", "x f", "c", pads=SAME), node("Add", "c d", "y")]
    nodes.insert(1, node("Slice", "d zero one axis", "f0"))
    nodes.insert(2, node("Reshape", "f0 filter", "f"))
    scalars = {"two": np.float32(2), "zero": np.array([0]), "one": np.array([1]), "axis": np.array([0])}
    model = build(nodes, (1, 1, 3, 3, 3), **scalars, filter=np.array([1, 1, 3, 3, 3]))
    x = np.random.default_rng(6).standard_normal((1, 1, 3, 3, 3)).astype(np.float32)
    context = tfmbs.compile(model).context()
    got = context.run({"x": x})["y"]
    assert "CONV3D" not in [launch.kind for launch in context.stats.launches]
    (expected,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)
