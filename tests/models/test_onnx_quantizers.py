"""Networks that onnxruntime's own quantizer made: they run on integer kernels, and give the same integers.

The reference is onnxruntime without optimizations, which computes QDQ models in floats (docs/quantization.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime.quantization as ort
import pytest
from onnx.reference import ReferenceEvaluator

import tfmbs
from examples.digits.data import split
from tests.models.integer_models import Arrays, by_linalg, by_onnxruntime, products
from tests.models.zoo import build, node, transformer_block, weights

CNN = Path(__file__).parents[2] / "examples" / "digits" / "cnn.onnx"
BATCH = 40
U8, I8 = ort.QuantType.QUInt8, ort.QuantType.QInt8
QDQ, OPERATOR = ort.QuantFormat.QDQ, ort.QuantFormat.QOperator


class Reader(ort.CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Samples for calibration."""

    def __init__(self, samples: list[Arrays]) -> None:
        self.samples: Iterator[Arrays] = iter(samples)

    def get_next(self) -> Arrays | None:
        return next(self.samples, None)


def quantized(made: onnx.ModelProto, folder: Path, samples: list[Arrays] | None, **options: Any) -> onnx.ModelProto:
    """The model as onnxruntime's quantizer writes it: static with samples, else dynamic."""
    before, after = folder / "float.onnx", folder / "quantized.onnx"
    onnx.save(made, before)
    if samples is None:
        ort.quantize_dynamic(before, after, **options)
    else:
        ort.quantize_static(before, after, Reader(samples), **options)
    return onnx.load(after)


def kernels(program: tfmbs.Program) -> set[tuple[str, str]]:
    """Element types of the operands of all products."""
    return {(lhs, rhs) for _, lhs, rhs in products(program)}


def digits() -> tuple[onnx.ModelProto, list[Arrays]]:
    """The CNN at a batch of `BATCH`, and the held-out digits in batches."""
    made = onnx.load(CNN)
    for value in (*made.graph.input, *made.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = BATCH
    images = split()[1].images
    name = made.graph.input[0].name
    shape = [d.dim_value for d in made.graph.input[0].type.tensor_type.shape.dim]
    return made, [{name: images[i : i + BATCH].reshape(shape)} for i in range(0, len(images), BATCH)]


@pytest.mark.parametrize(
    ("form", "activations", "dtype", "per_channel"),
    [
        (QDQ, U8, I8, False), (QDQ, U8, I8, True), (QDQ, I8, I8, True), (QDQ, U8, U8, False),
        (OPERATOR, U8, I8, True), (OPERATOR, I8, I8, False), (OPERATOR, U8, U8, False),
    ],
    ids=str,
)  # fmt: skip
def test_digits_by_the_static_quantizer(
    form: Any, activations: Any, dtype: Any, per_channel: bool, tmp_path: Path
) -> None:
    made, batches = digits()
    made = quantized(
        made, tmp_path, batches[:4],
        quant_format=form, activation_type=activations, weight_type=dtype, per_channel=per_channel,
    )  # fmt: skip
    program = tfmbs.compile(made)
    assert len(products(program)) == (8 if dtype == U8 else 4)  # weights of 9 bits are two products
    assert kernels(program) <= {("I8", "I8"), ("I8", "TRIT")}
    got = np.concatenate([program.run(dict(batch))["logits"] for batch in batches])
    wanted = np.concatenate([by_onnxruntime(made, batch)["logits"] for batch in batches])
    if form == OPERATOR:
        np.testing.assert_array_equal(got, wanted)
    else:  # where onnxruntime's sums of floats fall on the other side of a tie
        step = np.diff(np.unique(wanted)).min()
        assert (got != wanted).mean() < 0.001
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1.01 * step)
    assert program.run(dict(batches[0]))["logits"].tobytes() == by_linalg(made, batches[0])["logits"].tobytes()


@pytest.mark.parametrize("dtype", [I8, U8], ids=str)
def test_digits_by_the_dynamic_quantizer(dtype: Any, tmp_path: Path) -> None:
    made, batches = digits()
    made = quantized(made, tmp_path, None, weight_type=dtype)
    program = tfmbs.compile(made)
    assert kernels(program) <= {("I8", "I8"), ("I8", "TRIT")}
    for batch in batches[:3]:
        got = program.run(dict(batch))["logits"]
        np.testing.assert_array_equal(got, by_onnxruntime(made, batch)["logits"])
        np.testing.assert_array_equal(got, ReferenceEvaluator(made).run(None, dict(batch))[0])
    assert program.run(dict(batches[0]))["logits"].tobytes() == by_linalg(made, batches[0])["logits"].tobytes()


def residual() -> onnx.ModelProto:
    """Convolutions with strides and groups, a residual sum, means, a product of activations, a gate."""
    nodes = [
        node("Conv", "x w1 b1", "c", pads=[1, 1, 1, 1], strides=[2, 2]),
        node("Relu", "c", "r"),
        node("Conv", "r w2", "d", pads=[1, 1, 1, 1], group=8),
        node("Add", "d r", "s"),
        node("GlobalAveragePool", "s", "g"),
        node("Flatten", "g", "f"),
        node("Gemm", "f w3 b3", "h", transB=1),
        node("Sigmoid", "h", "t"),
        node("MatMul", "t w4", "y"),
    ]
    arrays = {
        "w1": weights(1, 8, 3, 3, 3),
        "w2": weights(2, 8, 1, 3, 3),
        "w3": weights(3, 12, 8),
        "w4": weights(4, 12, 5),
    }
    return build(nodes, (2, 3, 9, 8), **arrays, b1=weights(5, 8), b3=weights(6, 12))


@pytest.mark.parametrize("form", [QDQ, OPERATOR], ids=str)
def test_a_residual_network(form: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    samples = [{"x": rng.standard_normal((2, 3, 9, 8)).astype(np.float32)} for _ in range(12)]
    made = quantized(residual(), tmp_path, samples[:4], quant_format=form, weight_type=I8, per_channel=True)
    program = tfmbs.compile(made)
    assert kernels(program) == {("I8", "I8")}
    assert len(products(program)) == 4
    for sample in samples:
        np.testing.assert_array_equal(program.run(dict(sample))["y"], by_onnxruntime(made, sample)["y"])
    assert program.run(dict(samples[0]))["y"].tobytes() == by_linalg(made, samples[0])["y"].tobytes()


@pytest.mark.parametrize("form", [QDQ, OPERATOR, None], ids=str)
def test_a_transformer_block(form: Any, tmp_path: Path) -> None:
    """Static: its products of activations are integer kernels, too. Dynamic: those with weights, the rest in floats."""
    made = transformer_block()
    (value,) = made.graph.input
    shape = [d.dim_value for d in value.type.tensor_type.shape.dim]
    rng = np.random.default_rng(9)
    samples = [{value.name: rng.standard_normal(shape).astype(np.float32)} for _ in range(12)]
    options: dict[str, Any] = {} if form is None else {"quant_format": form, "per_channel": form == QDQ}
    made = quantized(made, tmp_path, None if form is None else samples[:4], weight_type=I8, **options)
    program = tfmbs.compile(made)
    assert len(products(program)) == 8
    assert sum(lhs == "I8" for _, lhs, _ in products(program)) == (6 if form is None else 8)
    name = made.graph.output[0].name
    for sample in samples:
        got, wanted = program.run(dict(sample))[name], by_onnxruntime(made, sample)[name]
        if form is None:
            np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-6 * np.abs(wanted).max())
        else:
            np.testing.assert_array_equal(got, wanted)
    assert program.run(dict(samples[0]))[name].tobytes() == by_linalg(made, samples[0])[name].tobytes()
