"""Models whose weights are on a grid already: packed without calibration, named by the report, right to f32."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper

import tfmbs
from tests.models.integer_models import by_linalg, by_onnxruntime, model, products
from tests.models.zoo import weights
from tests.unit.test_found_grids import on_grid
from tfmbs.compiler.compilation import Compilation, Options
from tfmbs.compiler.report import html_report


def linear(most: int, group: int, groups: int) -> onnx.ModelProto:
    """A layer of 16 outputs, called "fc"."""
    w, _ = on_grid(1, most, group, groups, rows=16)
    node = helper.make_node("Gemm", ["x", "fc.weight", "b"], ["y"], name="fc", transB=1)
    inputs = {"x": np.zeros((5, group * groups), np.float32)}
    return model([node], inputs, {"y": np.float32}, {"fc.weight": w, "b": weights(2, 16)})


@pytest.mark.parametrize(
    ("most", "groups", "kernel"),
    [
        (1, 1, ("GEMM", "F32", "TRIT")), (7, 1, ("GEMM", "F32", "I4")), (127, 1, ("GROUP_GEMM", "F32", "I8")),
        (1, 4, ("GROUP_GEMM", "F32", "TRIT")), (7, 4, ("GROUP_GEMM", "F32", "I4")),
        (127, 4, ("GROUP_GEMM", "F32", "I8")),
    ],
)  # fmt: skip
def test_linear_layers(most: int, groups: int, kernel: tuple[str, str, str]) -> None:
    made = linear(most, 64, groups)
    program = tfmbs.compile(made)
    assert products(program) == [kernel]
    inputs = {"x": np.random.default_rng(3).standard_normal((5, 64 * groups)).astype(np.float32)}
    got = program.run(inputs)["y"]
    wanted = by_onnxruntime(made, inputs)["y"]
    np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-6 * np.abs(wanted).max())
    assert got.tobytes() == by_linalg(made, inputs)["y"].tobytes()


def test_packing_passes_the_check_of_each_pass() -> None:
    image = Compilation.of(linear(1, 64, 1), Options(verify_numerically=True)).image()
    assert image.weights == tfmbs.compile(linear(1, 64, 1)).image.weights


def test_the_report_names_what_was_found() -> None:
    program = tfmbs.compile(linear(1, 64, 1))
    assert len(program.image.weights) < 16 * 64  # not four bytes to a weight
    assert any("fc" in line and "f32 × trit" in line for line in html_report(program.image, "fc", {}).splitlines())


def convolution(quantized: bool) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """Weights of 4 bits in a convolution, as floats or as integers that are dequantized."""
    rng = np.random.default_rng(4)
    integers = rng.integers(-7, 8, (6, 3, 3, 3)).astype(np.int8)
    scales = rng.uniform(0.01, 0.1, 6).astype(np.float32)
    constants: dict[str, Any] = {"q": integers, "s": scales, "w": integers * scales[:, None, None, None]}
    nodes = [helper.make_node("DequantizeLinear", ["q", "s"], ["w"], axis=0)] if quantized else []
    used = ("q", "s") if quantized else ("w",)
    inputs = {"x": rng.standard_normal((1, 3, 6, 6)).astype(np.float32)}
    nodes.append(helper.make_node("Conv", ["x", "w"], ["y"], name="c", pads=[1, 1, 1, 1]))
    return model(nodes, inputs, {"y": np.float32}, {name: constants[name] for name in used}), inputs


@pytest.mark.parametrize("quantized", [False, True])
def test_weights_alone_are_quantized(quantized: bool) -> None:
    made, inputs = convolution(quantized)
    program = tfmbs.compile(made)
    assert products(program) == [("CONV2D", "F32", "I4")]
    wanted = by_onnxruntime(made, inputs)["y"]
    np.testing.assert_allclose(program.run(inputs)["y"], wanted, rtol=0, atol=2e-6 * np.abs(wanted).max())


def test_trained_trits_stay_trits_beside_int8_activations() -> None:
    made = linear(1, 64, 1)
    samples = [{"x": np.random.default_rng(n).standard_normal((5, 64)).astype(np.float32)} for n in range(3)]
    program = tfmbs.compile(made, precision="int8", calibration=samples)
    assert products(program) == [("GEMM", "I8", "TRIT")]


def test_weights_of_a_torch_module() -> None:
    layer = torch.nn.Linear(64, 16)
    w, _ = on_grid(5, 1, 64, rows=16)
    layer.weight.data = torch.from_numpy(w)
    x = torch.from_numpy(np.random.default_rng(6).standard_normal((3, 64)).astype(np.float32))
    program = tfmbs.compile(layer.eval(), example_inputs=(x,))
    assert products(program) == [("GEMM", "F32", "TRIT")]
    (got,) = program(x.numpy()).values()
    np.testing.assert_allclose(got, layer(x).detach().numpy(), rtol=0, atol=1e-4)


def test_fewer_bits_that_are_asked_for_are_what_there_is() -> None:
    assert products(tfmbs.compile(linear(127, 64, 1), precision="ternary")) == [("GEMM", "F32", "TRIT")]
