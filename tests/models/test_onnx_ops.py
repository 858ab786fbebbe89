"""Every operator the front end promises, and small networks, compiled and run on the emulator beside onnxruntime."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

import tfmbs
from tests.models.zoo import NETWORKS, OPERATORS

TOLERANCE = 1e-4  # of the largest magnitude onnxruntime gives


def peer(model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """Output y of the model on onnxruntime."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["y"], inputs)[0]


def sample(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """A seeded normal input x."""
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    return {"x": np.random.default_rng(7).standard_normal(shape).astype(np.float32)}


@pytest.mark.parametrize("name", [*OPERATORS, *NETWORKS])
def test_fp32_matches_onnxruntime(name: str) -> None:
    model = (OPERATORS | NETWORKS)[name]()
    inputs = sample(model)
    expected = peer(model, inputs)
    actual = tfmbs.compile(model).run(inputs)["y"]
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE * float(np.abs(expected).max()))
