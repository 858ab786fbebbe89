"""SmoothQuant's migration: no bit of the products in f32 changes, and integers of inputs with outliers get nearer."""

from typing import Any

import numpy as np
import pytest

from tests.models.graphs import graph, normal, weights
from tfmbs.compiler.calibration.collect import Observation, calibrate
from tfmbs.compiler.driver import Driver
from tfmbs.compiler.jit import Reference
from tfmbs.dialect import graph as ops
from tfmbs.dialect.mlir import ir
from tfmbs.dialect.resources import read_elements
from tfmbs.passes.graph.kernels import left, ops_of
from tfmbs.passes.tfmbs_migrate_outliers import scalings
from tfmbs.runtime.abi.errors import TfmbsError

OUTLIERS = np.where(np.arange(24) % 8 == 3, 60, 1).astype(np.float32)


def network(x: np.ndarray) -> Any:
    """Two products of one input, and one of another; calibrated on `x`."""

    def build(x: Any) -> list[Any]:
        first, second = (ops.matmul(x, weights(normal(10, 24, seed=seed))).result for seed in (1, 2))
        return [ops.matmul(first, weights(normal(5, 10, seed=3))).result, second]

    module = graph({"x": (x.shape, "f32")}, build)
    calibrate(module, [{"x": x}], Observation(moments=True, channels=True))
    return module


def migrated(x: np.ndarray, alpha: float = 0.5) -> Any:
    module = network(x)
    Driver().run_text(module, f"builtin.module(tfmbs-migrate-outliers{{alpha={alpha}}})")
    return module


def outliers(rows: int, seed: int) -> np.ndarray:
    return np.asarray(normal(rows, 24, seed=seed) * OUTLIERS)


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_no_bit_changes_in_f32(alpha: float) -> None:
    x = outliers(7, 4)
    before, after = (Reference(module).run({"x": x}) for module in (network(x), migrated(x, alpha)))
    for name in before:
        assert before[name].tobytes() == after[name].tobytes()


def test_products_of_one_input_share_its_scaling_and_ranges_follow() -> None:
    x = outliers(7, 4)
    module, scaled = migrated(x), migrated(x)
    first, second, _ = ops_of(module, ops.MatmulOp)
    assert left(first) == left(second)
    for op in ops_of(module, ops.MatmulOp):
        assert "tfmbs.input_channels" not in op.attributes
    # The moment of the scaled input is what a calibration of the scaled graph finds.
    calibrate(module, [{"x": x}], Observation(moments=True))
    for found, expected in zip(ops_of(scaled, ops.MatmulOp), ops_of(module, ops.MatmulOp), strict=True):
        ends = [list(op.attributes["tfmbs.input_range"]) for op in (found, expected)]
        np.testing.assert_allclose(ends[0], ends[1])
        ours, theirs = (read_elements(op.attributes["tfmbs.second_moment"])[0] for op in (found, expected))
        np.testing.assert_allclose(ours / np.trace(ours), theirs / np.trace(theirs), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("activations", ["int8", "dynamic"])
def test_integers_of_inputs_with_outliers_are_nearer(activations: str) -> None:
    x = outliers(50, 4)
    expected = Reference(network(x)).run({"x": x})["y1"].astype(np.float64)
    errors = []
    for module in (network(x), migrated(x)):
        Driver().run_text(module, f"builtin.module(tfmbs-quantize{{precision=int8 activations={activations}}})")
        errors.append(((Reference(module).run({"x": x})["y1"] - expected) ** 2).mean())
    assert errors[1] < 0.5 * errors[0]


def test_scalings_are_those_of_the_formula() -> None:
    inputs, tops = np.array([64.0, 1, 0, 4]), np.array([0.25, 1, 1, 0])
    np.testing.assert_array_equal(scalings(inputs, tops, 0.5), [4, 0, 0, 0])
    np.testing.assert_array_equal(scalings(inputs, tops, 1.0), [6, 0, 0, 0])
    np.testing.assert_array_equal(scalings(inputs, tops, 0.0), [2, 0, 0, 0])


def test_channels_of_another_size_are_refused() -> None:
    module = network(outliers(7, 4))
    (op, *_) = ops_of(module, ops.MatmulOp)
    with module.context, ir.Location.unknown():
        op.attributes["tfmbs.input_channels"] = ir.DenseElementsAttr.get(np.zeros((2, 3), np.float32))
    with pytest.raises(
        TfmbsError, match=r"tfmbs\.input_channels, expected finite f32 of 2×24, got float32 of \(2, 3\)"
    ):
        Driver().run_text(module, "builtin.module(tfmbs-migrate-outliers)")
