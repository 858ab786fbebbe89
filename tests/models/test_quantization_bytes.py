"""What quantization makes of a network, on the emulator and through linalg: the same bytes for each precision."""

from itertools import product
from typing import Any

import numpy as np
import onnx
import pytest

import tfmbs
from tests.models.zoo import build, node, weights
from tfmbs.compiler.api import lower
from tfmbs.compiler.jit import Reference
from tfmbs.runtime.abi.errors import TfmbsError


def network() -> onnx.ModelProto:
    """A convolution, then linear layers of whole groups and of none."""
    nodes = [
        node("Conv", "x w1 b1", "c", pads=[1, 1, 1, 1]),
        node("Relu", "c", "r"),
        node("Flatten", "r", "f"),
        node("Gemm", "f w2 b2", "g", transB=1),
        node("Tanh", "g", "t"),
        node("Gemm", "t w3 b3", "y", transB=1),
    ]
    arrays = {"w1": weights(1, 8, 3, 3, 3), "w2": weights(2, 33, 256), "w3": weights(3, 7, 33)}
    biases = {"b1": weights(4, 8), "b2": weights(5, 33), "b3": weights(6, 7)}
    return build(nodes, (2, 3, 4, 8), **arrays, **biases)


def samples(count: int, seed: int) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    return [{"x": rng.standard_normal((2, 3, 4, 8)).astype(np.float32)} for _ in range(count)]


CASES = [
    ("bf16", {}),
    *(
        (precision, {"group_size": group, "activations": activations, "rounding": rounding})
        for (precision, activations, rounding), group in zip(
            product(("int4", "ternary"), ("int8", "bf16"), ("gptq", "nearest")),
            ("channel", 32, 64, 128, 128, "channel", 32, 64),
            strict=True,
        )
    ),
    *(
        (precision, {"group_size": group, "activations": "dynamic"})
        for precision, group in (("int8", "channel"), ("int4", 32), ("int4", "channel"), ("ternary", "channel"))
    ),
]


@pytest.mark.parametrize(("precision", "knobs"), CASES, ids=str)
def test_emulator_and_linalg_give_the_same_bytes(precision: str, knobs: dict[str, Any]) -> None:
    (inputs,) = samples(1, seed=2)
    options: Any = {"precision": precision, "quantization": knobs}
    if not {"int8", "dynamic", "gptq"}.isdisjoint(knobs.values()):
        options["calibration"] = samples(4, seed=1)
    result = tfmbs.compile(network(), **options).run(inputs)["y"]
    reference = Reference(lower(network(), "linalg", **options), optimization=0).run(inputs)["y"]
    assert result.tobytes() == reference.tobytes()
    exact = tfmbs.compile(network()).run(inputs)["y"]
    cosine = float((result * exact).sum() / np.linalg.norm(result) / np.linalg.norm(exact))
    assert cosine > {"bf16": 0.9999, "int8": 0.999, "int4": 0.97, "ternary": 0.75}[precision]
    assert result.tobytes() != exact.tobytes()


def test_bf16_weights_take_two_bytes() -> None:
    sizes = {p: len(tfmbs.compile(network(), precision=p).image.weights) for p in ("fp32", "bf16")}
    assert sizes["bf16"] < 0.6 * sizes["fp32"]


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"rounding": "gptq"}, "expected samples for calibration"),
        ({"rounding": "up"}, "expected one of nearest, gptq"),
        ({"activations": "fp8"}, "expected one of int8, dynamic, bf16"),
        ({"group_size": -3}, "expected at least 1, channel or default, got -3"),
        ({"groups": 3}, "unknown option, expected one of group_size"),
    ],
)
def test_knobs_that_mean_nothing_are_refused(knobs: dict[str, Any], message: str) -> None:
    with pytest.raises(TfmbsError, match=message) as caught:
        tfmbs.compile(network(), precision="int4", quantization=knobs)
    assert caught.value.code == "usage"
