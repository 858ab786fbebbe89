"""4-bit weights: scales of groups and channels, against their definition, and the graph that the pass makes."""

from typing import Any

import numpy as np
import pytest

from tests.models.graphs import graph, normal, weights
from tfmbs.compiler.driver import Driver
from tfmbs.compiler.jit import Reference
from tfmbs.dialect import graph as ops
from tfmbs.passes.graph.kernels import ops_of
from tfmbs.passes.graph.quantization import quantize_int4
from tfmbs.runtime.abi.errors import TfmbsError


@pytest.mark.parametrize("group", [4, 12, None])
def test_weights_are_within_half_a_step_of_their_group(group: int | None) -> None:
    array = normal(5, 12, seed=3)
    stored, scales = quantize_int4(array, group)
    length = group or 12
    assert scales.shape == (5, 12 // length)
    assert np.abs(stored.reshape(5, -1, length)).max(axis=2).tolist() == np.full(scales.shape, 7).tolist()
    real = stored.reshape(5, -1, length) * scales[:, :, None].astype(np.float64)
    error = np.abs(real - array.reshape(5, -1, length))
    assert (error <= 0.5001 * scales[:, :, None]).all()


def test_weights_on_the_grid_come_out_exactly() -> None:
    stored = np.random.default_rng(1).integers(-7, 8, (6, 8)).astype(np.int8)
    stored[:, ::4] = 7
    scales = np.float32(2.0) ** np.arange(12, dtype=np.float32).reshape(6, 2)
    array = (stored.reshape(6, 2, 4) * scales[:, :, None]).reshape(6, 8).astype(np.float32)
    again, found = quantize_int4(array, 4)
    np.testing.assert_array_equal(again, stored)
    np.testing.assert_array_equal(found, scales)


def test_zeros_have_scale_one_and_nan_is_refused() -> None:
    stored, scales = quantize_int4(np.zeros((2, 4), np.float32), 2)
    assert not stored.any()
    assert (scales == 1).all()
    with pytest.raises(ValueError, match="not finite"):
        quantize_int4(np.full((1, 2), np.nan, np.float32))


def quantized(array: Any, options: str) -> Any:
    module = graph({"x": ((3, array.shape[1]), "f32")}, lambda x: ops.matmul(x, weights(array)).result)
    Driver().run_text(module, f"builtin.module(tfmbs-quantize{{{options}}})")
    return module


def test_linear_layers_of_whole_groups_have_a_scale_for_each() -> None:
    array, x = normal(5, 64, seed=2), normal(3, 64, seed=9)
    module = quantized(array, "precision=int4")
    (op,) = ops_of(module, ops.GroupMatmulOp)
    assert op.scales.type.shape == [5, 2]
    stored, scales = quantize_int4(array, 32)
    real = (stored.reshape(5, 2, 32) * scales[:, :, None]).reshape(5, 64)
    (result,) = Reference(module).run({"x": x}).values()
    np.testing.assert_allclose(result, x.astype(np.float64) @ real.T.astype(np.float64), rtol=1e-4, atol=1e-4)


def test_other_layers_have_a_scale_for_each_channel() -> None:
    array, x = normal(5, 33, seed=2), normal(3, 33, seed=9)
    module = quantized(array, "precision=int4")
    assert not ops_of(module, ops.GroupMatmulOp)
    stored, scales = quantize_int4(array)
    (result,) = Reference(module).run({"x": x}).values()
    np.testing.assert_allclose(
        result, x.astype(np.float64) @ (stored * scales).T.astype(np.float64), rtol=1e-4, atol=1e-4
    )


def test_groups_of_nothing_are_refused() -> None:
    with pytest.raises(TfmbsError, match="expected at least 1"):
        quantized(normal(2, 4), "precision=int4 group-size=0")
