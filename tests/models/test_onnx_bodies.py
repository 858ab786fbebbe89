"""Operators that are compiled from ONNX's own function bodies, on random inputs beside ONNX's reference evaluator."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import parser
from onnx.reference import ReferenceEvaluator

import tfmbs
from tfmbs.runtime.abi.records import Kind

MODELS = {
    "grouped queries, causal, float mask": """(float[2,6,5,8] q, float[2,2,7,8] k, float[2,2,7,4] v, float[5,7] m)
        => (float[2,6,5,4] y) { y = Attention<is_causal = 1, softcap = 3.0>(q, k, v, m) }""",
    "heads in one axis, past and present": """(float[2,3,12] q, float[2,5,12] k, float[2,5,12] v,
        float[2,3,2,4] pk, float[2,3,2,4] pv) => (float[2,3,12] y, float[2,3,7,4] nk, float[2,3,7,4] nv)
        { y, nk, nv = Attention<q_num_heads = 3, kv_num_heads = 3>(q, k, v, "", pk, pv) }""",
    "masks by number": """(float[1,2,4,8] q, float[1,2,4,8] k, float[1,2,4,8] v, float[4,4] m) => (float[1,2,4,8] y)
        { zero = Constant<value = float {0.0}>() b = Less(m, zero) y = Attention(q, k, v, b) }""",
    "rotation of interleaved pairs": """(float[2,4,3,8] x, float[2,3,4] c, float[2,3,4] s) => (float[2,4,3,8] y)
        { y = RotaryEmbedding<interleaved = 1>(x, c, s) }""",
    "root mean square over two axes": """(float[3,4,5] x, float[4,5] g) => (float[3,4,5] y)
        { y = RMSNormalization<axis = 1, epsilon = 0.01>(x, g) }""",
    "mean and deviation are results": """(float[3,4,5] x, float[5] g, float[5] b)
        => (float[3,4,5] y, float[3,4,1] m, float[3,4,1] d) { y, m, d = LayerNormalization<axis = -1>(x, g, b) }""",
    "no bias": """(float[3,4,5] x, float[4,5] g) => (float[3,4,5] y)
        { y = LayerNormalization<axis = 1, epsilon = 0.01>(x, g) }""",
    "groups": """(float[2,6,3,3] x, float[6] g, float[6] b) => (float[2,6,3,3] y)
        { y = GroupNormalization<num_groups = 3>(x, g, b) }""",
    "mean and variance": "(float[2,3,4,4] x) => (float[2,3,4,4] y) { y = MeanVarianceNormalization(x) }",
    "rows of f64": """(double[3,4,5] x) => (double[3,4,5] y, double[3,4,5] z)
        { y = Softmax<axis = 1>(x) z = LogSoftmax(x) }""",
    "rows of f16": """(float[3,40] x) => (float[3,40] y, float[3,40] z)
        { h = Cast<to = 10>(x) s = Softmax(h) l = LogSoftmax(h) y = Cast<to = 1>(s) z = Cast<to = 1>(l) }""",
    "products of f16": """(float[3,40] a, float[40,5] b) => (float[3,5] y)
        { h = Cast<to = 10>(a) g = Cast<to = 10>(b) p = MatMul(h, g) y = Cast<to = 1>(p) }""",
    "products of bf16 with a constant": """(float[3,2] a) => (float[3,3] y) {
        w = Constant<value = bfloat16[2,3] {16320, 49152, 16000, 16448, 16128, 49024}>()
        h = Cast<to = 16>(a) p = MatMul(h, w) y = Cast<to = 1>(p) }""",
}  # fmt: skip
TOLERANCES = {"f16": 2e-3, "bf16": 1e-2}


@pytest.mark.parametrize("name", MODELS)
def test_beside_the_reference_evaluator(name: str) -> None:
    opset = 21 if "mean and variance" in name else 24
    model = parser.parse_model(f'<ir_version: 10, opset_import: ["": {opset}]>\ng {MODELS[name]}')
    rng = np.random.default_rng(5)
    inputs = {}
    for value in model.graph.input:
        dtype = np.float64 if value.type.tensor_type.elem_type == 11 else np.float32
        inputs[value.name] = rng.standard_normal([d.dim_value for d in value.type.tensor_type.shape.dim]).astype(dtype)
    actual = tfmbs.compile(model).run(inputs)
    tolerance = next((bound for key, bound in TOLERANCES.items() if key in name), 2e-6)
    for value, expected in zip(model.graph.output, ReferenceEvaluator(model).run(None, inputs), strict=True):
        assert actual[value.name].shape == expected.shape
        np.testing.assert_allclose(actual[value.name], expected, rtol=tolerance, atol=tolerance, err_msg=value.name)


def test_large_means_do_not_cancel() -> None:
    """In f32 the mean square of numbers around 1000 has no digits left for their variance."""
    text = "(float[2,3,2,2] x) => (float[2,3,2,2] y, float[2,3,2,2] z, float[2,3,2,1] m)"
    nodes = """{ n = Constant<value = int64[1] {2}>() g = ConstantOfShape<value = float[1] {1.0}>(n)
        z, m = LayerNormalization(x, g) y = MeanVarianceNormalization(x) }"""
    x = 1000 + np.random.default_rng(3).standard_normal((2, 3, 2, 2)).astype(np.float32)
    outputs = tfmbs.compile(parser.parse_model(f'<ir_version: 10, opset_import: ["": 21]>\ng {text} {nodes}')).run(
        {"x": x}
    )
    for name, axes, epsilon in (("y", (0, 2, 3), 0.0), ("z", (3,), 1e-5)):
        centered = x.astype(np.float64) - x.mean(axes, np.float64, keepdims=True)
        expected = centered / np.sqrt((centered**2).mean(axes, keepdims=True) + epsilon)
        np.testing.assert_allclose(outputs[name], expected, atol=2e-3, err_msg=name)


def test_attention_products_are_kernels() -> None:
    """Both products of an attention are launches of the matrix unit, not vector code."""
    model = parser.parse_model(f'<ir_version: 10, opset_import: ["": 24]>\ng {next(iter(MODELS.values()))}')
    assert [row["kind"] for row in tfmbs.compile(model).image.descriptors].count(Kind.GEMM) == 2


def test_range_of_f16_known_at_run_time() -> None:
    """The model says how many there are; each is rounded once."""
    text = "g (float16 s, float16 l, float16 d) => (float16[5] y) { y = Range(s, l, d) }"
    program = tfmbs.compile(parser.parse_model(f'<ir_version: 10, opset_import: ["": 27]>\n{text}'))
    start, delta = np.float16(0.3), np.float16(-0.7)
    actual = program.run({"s": np.array(start), "l": np.array(-3.1, np.float16), "d": np.array(delta)})["y"]
    exact = np.float32(start) + np.arange(5, dtype=np.float32) * np.float32(delta)
    np.testing.assert_array_equal(actual, exact.astype(np.float16))
