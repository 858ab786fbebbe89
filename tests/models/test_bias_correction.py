"""Bias correction: outputs of rounded weights keep their mean over the samples, by channel."""

from typing import Any

import numpy as np
import onnx
import pytest

import tfmbs
from tests.models.zoo import build, node, weights
from tfmbs.compiler.compilation import Options
from tfmbs.compiler.quantization import Quantization
from tfmbs.runtime.abi.errors import TfmbsError

LINEAR = build([node("Gemm", "x w b", "y", transB=1)], (64, 24), w=weights(1, 10, 24), b=weights(2, 10))
WITHOUT = build([node("Gemm", "x w", "y", transB=1)], (64, 24), w=weights(1, 10, 24))
GROUPED = build(
    [node("Conv", "x w b", "y", pads=[1, 1, 1, 1], group=2)], (8, 4, 6, 6), w=weights(3, 6, 2, 3, 3), b=weights(4, 6)
)


def samples(model: onnx.ModelProto) -> np.ndarray:
    """Inputs whose mean is far from 0, as behind a ReLU."""
    shape = [size.dim_value for size in model.graph.input[0].type.tensor_type.shape.dim]
    return np.abs(np.random.default_rng(5).standard_normal(shape)).astype(np.float32)


def means(model: onnx.ModelProto, x: np.ndarray, precision: str, **knobs: Any) -> np.ndarray:
    """Of each output channel, over all samples and places."""
    given = {} if precision == "fp32" else {"calibration": {"x": x}, "quantization": knobs}
    (y,) = tfmbs.compile(model, precision=precision, **given).context().run({"x": x}).values()
    return y.astype(np.float64).mean(axis=tuple(axis for axis in range(y.ndim) if axis != 1))


@pytest.mark.parametrize("model", [LINEAR, WITHOUT, GROUPED], ids=["linear", "without bias", "grouped convolution"])
@pytest.mark.parametrize("precision", ["int4", "ternary"])
def test_means_of_outputs_stay(model: onnx.ModelProto, precision: str) -> None:
    x = samples(model)
    exact = means(model, x, "fp32")
    kept = np.abs(means(model, x, precision, group_size="channel") - exact).max()
    corrected = np.abs(means(model, x, precision, group_size="channel", biases="corrected") - exact).max()
    assert corrected < 0.15 * kept


def test_it_needs_samples_and_rounding_to_nearest() -> None:
    with pytest.raises(TfmbsError, match="samples for calibration"):
        Options(precision="int8", quantization=Quantization(biases="corrected"))
    with pytest.raises(TfmbsError, match="expected nearest, got gptq"):
        Quantization(biases="corrected", rounding="gptq")
