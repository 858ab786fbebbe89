"""MatMulNBits, and DequantizeLinear by blocks: weights of few bits with a scale for each block of a column."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime.quantization as ort
import pytest
from onnx import helper
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

import tfmbs
from tests.models.integer_models import by_linalg, by_onnxruntime, model, products
from tests.models.zoo import weights
from tfmbs.runtime.abi.errors import TfmbsError

X = {"x": np.random.default_rng(1).standard_normal((2, 5, 256)).astype(np.float32)}


def quantized(form: Any, bits: int, symmetric: bool, columns: int = 48) -> onnx.ModelProto:
    """A product with constant weights, by onnxruntime's quantizer; with 48 columns its constants are large."""
    node = helper.make_node("MatMul", ["x", "w"], ["y"], name="mm")
    made = model([node], X, {"y": np.float32}, {"w": weights(2, 256, columns)})
    quantizer = MatMulNBitsQuantizer(made, bits=bits, block_size=32, is_symmetric=symmetric, quant_format=form)
    quantizer.process()
    result: onnx.ModelProto = quantizer.model.model
    return result


@pytest.mark.parametrize(
    ("form", "bits", "symmetric", "columns", "kernel"),
    [
        (ort.QuantFormat.QOperator, 4, True, 48, ("GROUP_GEMM", "F32", "I4")),
        (ort.QuantFormat.QOperator, 4, True, 3, ("GROUP_GEMM", "F32", "I4")),
        (ort.QuantFormat.QOperator, 4, False, 48, ("GROUP_GEMM", "F32", "I8")),
        (ort.QuantFormat.QOperator, 8, True, 48, ("GROUP_GEMM", "F32", "I8")),
        (ort.QuantFormat.QOperator, 8, False, 48, ("GEMM", "F32", "F32")),  # differences of 9 bits
        (ort.QuantFormat.QDQ, 4, True, 48, ("GROUP_GEMM", "F32", "I4")),
        (ort.QuantFormat.QDQ, 4, False, 48, ("GROUP_GEMM", "F32", "I8")),
    ],
    ids=str,
)
def test_blocks(form: Any, bits: int, symmetric: bool, columns: int, kernel: tuple[str, str, str]) -> None:
    made = quantized(form, bits, symmetric, columns)
    program = tfmbs.compile(made)
    assert products(program) == [kernel]
    got, wanted = program.run(X)["y"], by_onnxruntime(made, X)["y"]
    np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-6 * np.abs(wanted).max())
    assert got.tobytes() == by_linalg(made, X)["y"].tobytes()


def test_what_has_no_such_form_is_refused_by_name() -> None:
    made = quantized(ort.QuantFormat.QOperator, 4, True)
    next(a for a in made.graph.node[0].attribute if a.name == "bits").i = 3
    with pytest.raises(TfmbsError, match=r"unknown op com\.microsoft\.MatMulNBits"):
        tfmbs.compile(made)
