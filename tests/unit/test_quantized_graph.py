"""What the quantizing and fusing passes compute, by linalg: against numpy, onnxruntime and the graph before."""

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from tfmbs.compiler.diagnostics import Diagnostics
from tfmbs.compiler.driver import Driver
from tfmbs.compiler.jit import Reference
from tfmbs.compiler.source import Source, parse
from tfmbs.dialect.mlir import context
from tfmbs.passes.graph.kernels import constant_elements, ops_where
from tfmbs.passes.graph.quantization import quantize_weights

SEGMENTS = "operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>"
WINDOW = "dilations = array<i64: 1, 1>, groups = 1 : i64, pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 1, 1>"
LOW, HIGH = -1.5, 2.0


def after(text: str, *passes: str) -> Any:
    module = parse(Source("test.mlir", text.encode()), context(), Diagnostics())
    Driver(guard=False).run_text(module.operation, f"builtin.module({','.join(passes)})")
    return module


def compiled(module: Any) -> Reference:
    """What a module computes does not depend on how much it is optimised, and these run once."""
    return Reference(module, optimization=0)


def elements(array: np.ndarray) -> str:
    return f"dense<{np.asarray(array, np.float32).astype(np.float64).tolist()}>"


def conv_relu_pool_conv(weights: np.ndarray, bias: np.ndarray, ranges: tuple[float, float]) -> str:
    """Two convolutions with bias, ReLU and pooling between them; the input ranges are LOW…HIGH and `ranges`."""
    o, i = weights.shape[:2]
    four = '["parallel", "parallel", "parallel", "parallel"]'
    big, small = f"tensor<2x{o}x6x6xf32>", f"tensor<2x{o}x3x3xf32>"
    attributes = f"{WINDOW}, roles = [], {SEGMENTS}"
    return f"""
#id = affine_map<(a, b, c, d) -> (a, b, c, d)>
#channel = affine_map<(a, b, c, d) -> (b)>
func.func @main(%x: tensor<2x{i}x6x6xf32> {{tfmbs.name = "x"}}) -> ({small} {{tfmbs.name = "y"}}) {{
  %w = arith.constant {elements(weights)} : tensor<{o}x{i}x3x3xf32>
  %v = arith.constant {elements(np.eye(o).reshape(o, o, 1, 1))} : tensor<{o}x{o}x1x1xf32>
  %b = arith.constant {elements(bias)} : tensor<{o}xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : {big}
  %0 = "tfmbs.conv2d"(%x, %w) ({{}}) {{{attributes}, tfmbs.input_range = array<f32: {LOW}, {HIGH}>}}
      : (tensor<2x{i}x6x6xf32>, tensor<{o}x{i}x3x3xf32>) -> {big}
  %1 = linalg.generic {{indexing_maps = [#id, #channel, #id], iterator_types = {four}}}
      ins(%0, %b : {big}, tensor<{o}xf32>) outs(%e : {big}) {{
  ^bb0(%p: f32, %q: f32, %out: f32):
    %s = arith.addf %p, %q : f32
    linalg.yield %s : f32
  }} -> {big}
  %2 = linalg.generic {{indexing_maps = [#id, #id], iterator_types = {four}}} ins(%1 : {big}) outs(%e : {big}) {{
  ^bb0(%p: f32, %out: f32):
    %c = arith.cmpf ugt, %p, %zero : f32
    %s = arith.select %c, %p, %zero : f32
    linalg.yield %s : f32
  }} -> {big}
  %3 = "tfmbs.pool"(%2) {{kind = "max", kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>,
      dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, count_include_pad = false}} : ({big}) -> {small}
  %4 = "tfmbs.conv2d"(%3, %v) ({{}}) {{{attributes.replace("1, 1, 1, 1>, str", "0, 0, 0, 0>, str")},
      tfmbs.input_range = array<f32: {ranges[0]}, {ranges[1]}>}} : ({small}, tensor<{o}x{o}x1x1xf32>) -> {small}
  return %4 : {small}
}}"""


QUANTIZE = ("tfmbs-quantize", "tfmbs-fold-requantize")
FUSE = ("tfmbs-decompose", "func.func(linalg-fuse-elementwise-ops,canonicalize,cse)", "tfmbs-fuse", "canonicalize")


def sample(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((4, 3, 3, 3)).astype(np.float32)
    bias = rng.standard_normal(4).astype(np.float32)
    return weights, bias, rng.uniform(LOW, HIGH, (2, 3, 6, 6)).astype(np.float32)


def onnx_qlinear(weights: np.ndarray, bias: np.ndarray, scale: float, zero: int, out: float) -> onnx.ModelProto:
    """quantize → QLinearConv → MaxPool on integers, whose ReLU is the range of u8 with zero point 0."""
    stored, weight_scales = quantize_weights(weights)
    units = np.float32(scale) * weight_scales
    constants = {
        "sx": np.float32(scale),
        "zx": np.uint8(zero + 128),
        "w": stored,
        "sw": weight_scales,
        "zw": np.zeros(len(weights), np.int8),
        "sy": np.float32(out),
        "zy": np.uint8(0),
        "b": np.rint(bias.astype(np.float64) / units).astype(np.int32),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "sx", "zx"], ["q"]),
        helper.make_node("QLinearConv", ["q", "sx", "zx", "w", "sw", "zw", "sy", "zy", "b"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("MaxPool", ["c"], ["y"], kernel_shape=[2, 2], strides=[2, 2]),
    ]
    graph = helper.make_graph(
        nodes,
        "qlinear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (2, 3, 6, 6))],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


@pytest.mark.parametrize("seed", range(2))
def test_requantized_integers_are_those_of_onnxruntime(seed: int) -> None:
    weights, bias, x = sample(seed)
    module = after(conv_relu_pool_conv(weights, bias, (0.0, 12.0)), *QUANTIZE)
    (quantize,) = ops_where(module, lambda op: op.operation.name == "tfmbs.quantize")
    (requantize,) = ops_where(module, lambda op: op.operation.name == "tfmbs.requantize")
    inner, outer = quantize.result.type.element_type, requantize.result.type.element_type
    assert outer.zero_point == requantize.low == -128
    proto = onnx_qlinear(weights, bias, inner.scale, inner.zero_point, outer.scale)
    (expected,) = onnxruntime.InferenceSession(proto.SerializeToString()).run(None, {"x": x})
    # The second convolution is the identity, 127 of scale 1/127: it accumulates 127 · (q − zero point).
    got = compiled(module).run({"x": x})["y"]
    unit = np.float32(outer.scale) * np.float32(1 / 127)
    np.testing.assert_array_equal(got, (expected.astype(np.int32) * 127).astype(np.float32) * unit)


@pytest.mark.parametrize("passes", [(), ("tfmbs-quantize{precision=ternary}",), QUANTIZE])
def test_fusion_keeps_every_bit(passes: tuple[str, ...]) -> None:
    weights, bias, x = sample(7)
    text = conv_relu_pool_conv(weights, bias, (-3.0, 12.0))
    before, fused = after(text, *passes), after(text, *passes, *FUSE)
    assert len(ops_where(fused, lambda op: op.operation.name == "tfmbs.conv2d")) == 2
    assert compiled(before).run({"x": x})["y"].tobytes() == compiled(fused).run({"x": x})["y"].tobytes()


@pytest.mark.parametrize("zero", [-128, 3, 127])
def test_folding_is_exact_where_scales_are_powers_of_two(zero: int) -> None:
    kind = f"!quant.uniform<i8:f32, 0.5:{zero}>"
    text = f"""
#id = affine_map<(a, b, c, d) -> (a, b, c, d)>
func.func @main(%acc: tensor<1x2x4x4xi32> {{tfmbs.name = "acc"}}) -> (tensor<1x2x2x2xf32> {{tfmbs.name = "y"}}) {{
  %scale = arith.constant dense<[0.125, 0.03125]> : tensor<2xf32>
  %zero = arith.constant 0.0 : f32
  %0 = "tfmbs.dequantize"(%acc, %scale) {{axis = 1 : i64}} : (tensor<1x2x4x4xi32>, tensor<2xf32>) -> tensor<1x2x4x4xf32>
  %e = tensor.empty() : tensor<1x2x4x4xf32>
  %1 = linalg.generic {{indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}}
      ins(%0 : tensor<1x2x4x4xf32>) outs(%e : tensor<1x2x4x4xf32>) {{
  ^bb0(%in: f32, %out: f32):
    %m = arith.maximumf %zero, %in : f32
    linalg.yield %m : f32
  }} -> tensor<1x2x4x4xf32>
  %2 = "tfmbs.pool"(%1) {{kind = "max", kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>,
      dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, count_include_pad = false}}
      : (tensor<1x2x4x4xf32>) -> tensor<1x2x2x2xf32>
  %3 = "tfmbs.quantize"(%2) : (tensor<1x2x2x2xf32>) -> tensor<1x2x2x2x{kind}>
  %4 = "tfmbs.dequantize"(%3) {{axis = 0 : i64}} : (tensor<1x2x2x2x{kind}>) -> tensor<1x2x2x2xf32>
  return %4 : tensor<1x2x2x2xf32>
}}"""
    before, folded = after(text), after(text, "tfmbs-fold-requantize")
    assert not ops_where(folded, lambda op: op.operation.name == "tfmbs.quantize")
    references = compiled(before), compiled(folded)
    for seed in range(20):
        accumulators = np.random.default_rng(seed).integers(-4000, 4000, (1, 2, 4, 4)).astype(np.int32)
        first, second = (reference.run({"acc": accumulators})["y"].tobytes() for reference in references)
        assert first == second


def test_ternary_weights_stay_what_they_are() -> None:
    rng = np.random.default_rng(3)
    trits = rng.integers(-1, 2, (4, 3, 3, 3)).astype(np.int8)
    scales = rng.uniform(0.1, 2, 4).astype(np.float32)
    module = after(
        conv_relu_pool_conv(trits * scales[:, None, None, None], np.zeros(4), (0.0, 1.0)),
        "tfmbs-quantize{precision=ternary}",
    )
    filters = ops_where(module, lambda op: op.operation.name == "tfmbs.constant")
    np.testing.assert_array_equal(constant_elements(filters[0].result), trits)


@pytest.mark.parametrize("packing", ["pt5", "t2"])
def test_packing_keeps_every_bit(packing: str) -> None:
    weights, bias, x = sample(11)
    text, ternary = conv_relu_pool_conv(weights, bias, (0.0, 12.0)), "tfmbs-quantize{precision=ternary}"
    plain, packed = after(text, ternary), after(text, ternary, f"tfmbs-pack{{packing={packing}}}")
    assert compiled(plain).run({"x": x})["y"].tobytes() == compiled(packed).run({"x": x})["y"].tobytes()


def test_a_channel_of_zeros_keeps_its_bias() -> None:
    weights = sample(5)[0]
    weights[2] = 0
    text = conv_relu_pool_conv(weights, np.array([0.1, 0.2, 0.77, -0.3], np.float32), (0.0, 1.0))
    module = after(text, "tfmbs-quantize")
    (first, _) = ops_where(module, lambda op: op.operation.name == "tfmbs.dequantize")
    units = constant_elements(first.scale)
    assert units is not None
    assert units[2] == np.float32(0.77)
