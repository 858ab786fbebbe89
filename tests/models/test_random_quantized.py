"""Random quantized networks: calibrated, folded, fused and on the emulator they give the bytes of linalg."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.models.graphs import add, assert_same_bytes, elementwise, graph, normal, weights
from tfmbs.compiler.calibration.collect import calibrate
from tfmbs.compiler.driver import Driver
from tfmbs.dialect import graph as ops
from tfmbs.dialect.mlir import arith, ir, tensor
from tfmbs.dialect.shapes import elements
from tfmbs.passes.linalg import scalar

AXES = (0, 1, 2, 3)
IMAGE = (1, 2, 6, 6)


def _relu(value: Any) -> Any:
    shape = tuple(value.type.shape)
    return elementwise(lambda a: arith.MaximumFOp(a, scalar.f32(0.0)).result, shape, AXES[: len(shape)])(value)


def network(seed: int) -> Any:
    """Two convolutions with or without bias, ReLU, residual and pooling, then one to three sibling products."""
    rng = np.random.default_rng(seed)
    bias, relu, residual, second_relu, pool, maximum = (bool(choice) for choice in rng.integers(0, 2, 6))
    channels, siblings = int(rng.integers(2, 5)), int(rng.integers(1, 4))
    dead = (rng.random((channels, 1, 1, 1)) > 0.2).astype(np.float32)  # some channels have no weights
    filters = (normal(channels, 2, 3, 3, seed=seed) * dead, normal(channels, channels, 3, 3, seed=seed + 1))

    def build(x: Any) -> Any:
        shape = (1, channels, 6, 6)
        first = ops.conv2d(x, weights(filters[0]), pads=(1, 1, 1, 1)).result
        if bias:
            first = elementwise(add, shape, AXES, (1,))(first, weights(normal(channels, seed=seed + 2)))
        first = _relu(first) if relu else first
        value = ops.conv2d(first, weights(filters[1]), pads=(1, 1, 1, 1)).result
        value = elementwise(add, shape, AXES, AXES)(value, first) if residual else value
        value = _relu(value) if second_relu else value
        if pool:
            value = ops.pool(value, "max" if maximum else "avg", (2, 2), strides=(2, 2)).result
        size = elements(tuple(value.type.shape))
        row = ir.RankedTensorType.get([1, size], ir.F32Type.get())
        flat = tensor.CollapseShapeOp(row, value, ir.Attribute.parse("[[0], [1, 2, 3]]")).result
        return [ops.matmul(flat, weights(normal(3 + i, size, seed=i))).result for i in range(siblings)]

    return graph({"x": (IMAGE, "f32")}, build)


@pytest.mark.parametrize("precision", ["int8", "int4", "int4 group-size=2", "ternary"])
@pytest.mark.parametrize("seed", range(4))
def test_quantized_networks_keep_every_bit(seed: int, precision: str) -> None:
    module = network(seed)
    calibrate(module, [{"x": normal(*IMAGE, seed=sample)} for sample in range(3)])
    quantize = f"tfmbs-quantize{{precision={precision}}}"
    Driver().run_text(module, f"builtin.module(tfmbs-telemetry,{quantize},tfmbs-fold-requantize)")
    assert_same_bytes(module)
