from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tfmbs.compiler.calibration.collect import Observation, calibrate
from tfmbs.compiler.diagnostics import Diagnostics
from tfmbs.compiler.samples import batches_of
from tfmbs.compiler.source import Source, parse
from tfmbs.dialect.mlir import context
from tfmbs.dialect.resources import read_elements
from tfmbs.passes.graph.kernels import ops_where
from tfmbs.runtime.abi.errors import TfmbsError

NETWORK = """
#id = affine_map<(d0, d1) -> (d0, d1)>
func.func @main(%x: tensor<2x3xf32> {tfmbs.name = "x"}, %y: tensor<2x3xf32> {tfmbs.name = "y"})
    -> (tensor<2x2xf32> {tfmbs.name = "z"}) {
  %w = arith.constant dense<[[1.0, 2.0, 3.0], [-1.0, 0.0, 1.0]]> : tensor<2x3xf32>
  %v = arith.constant dense<[[1.0, 0.0], [0.0, 1.0]]> : tensor<2x2xf32>
  %0 = "tfmbs.matmul"(%x, %w) ({}) ATTRS : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x2xf32> loc("first")
  %1 = "tfmbs.matmul"(%0, %v) ({}) ATTRS : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32> loc("second")
  %2 = "tfmbs.matmul"(%x, %w) ({}) ATTRS : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x2xf32> loc("third")
  %3 = "tfmbs.matmul"(%x, %y) ({}) ATTRS : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x2xf32> loc("free")
  return %1 : tensor<2x2xf32>
}
""".replace("ATTRS", "{operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []}")

W = np.array([[1, 2, 3], [-1, 0, 1]], np.float32)


def network() -> Any:
    return parse(Source("network.mlir", NETWORK.encode()), context(), Diagnostics())


def ranges(module: Any) -> dict[str, tuple[float, float] | None]:
    products = ops_where(module, lambda op: op.operation.name == "tfmbs.matmul")
    key = "tfmbs.input_range"
    return {op.location.name_str: tuple(op.attributes[key]) if key in op.attributes else None for op in products}


def batches(count: int) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(7)
    return [
        {name: rng.standard_normal((2, 3)).astype(np.float32) * (i + 1) for name in ("x", "y")} for i in range(count)
    ]


def test_ranges_are_those_that_numpy_sees() -> None:
    module, samples = network(), batches(4)
    calibrate(module, samples)
    inputs = np.concatenate([sample["x"] for sample in samples])
    hidden = (inputs.astype(np.float64) @ W.T.astype(np.float64)).astype(np.float32)
    found = ranges(module)
    assert found["first"] == found["third"] == (inputs.min(), inputs.max())
    assert found["second"] == pytest.approx((hidden.min(), hidden.max()), rel=1e-6)
    assert found["free"] is None


def test_the_module_stays_as_it_was_but_for_the_ranges() -> None:
    module = network()
    before = str(module)
    calibrate(module, batches(1))
    for op in ops_where(module, lambda op: "tfmbs.input_range" in op.operation.attributes):
        del op.attributes["tfmbs.input_range"]
    assert str(module) == before


def test_batches_may_come_from_a_generator() -> None:
    module, other = network(), network()
    calibrate(module, (sample for sample in batches(2)))
    calibrate(other, batches(2))
    assert ranges(module) == ranges(other)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_name_the_layer(bad: float) -> None:
    samples = batches(3)
    samples[1]["x"][0, 0] = bad
    with pytest.raises(TfmbsError, match=r"first: 'tfmbs.matmul' op input on the samples") as caught:
        calibrate(network(), samples)
    assert caught.value.code == "quantize"


def test_no_batches_are_refused() -> None:
    with pytest.raises(TfmbsError, match="number of sample batches, expected at least 1, got 0"):
        calibrate(network(), [])


@pytest.mark.parametrize(
    ("sample", "code"),
    [
        ({"x": np.zeros((2, 3), np.float32)}, "input.name"),
        ({"x": np.zeros((2, 4), np.float32), "y": np.zeros((2, 3), np.float32)}, "input.shape"),
        ({"x": np.zeros((2, 3), np.float64), "y": np.zeros((2, 3), np.float32)}, "input.dtype"),
    ],
)
def test_samples_that_do_not_fit_are_refused(sample: dict[str, np.ndarray], code: str) -> None:
    with pytest.raises(TfmbsError) as caught:
        calibrate(network(), [sample])
    assert caught.value.code == code


def test_samples_may_be_a_file_or_one_mapping(tmp_path: Path) -> None:
    arrays = {"x": np.arange(6, dtype=np.float32)}
    np.savez(tmp_path / "samples.npz", **arrays)
    for given in (tmp_path / "samples.npz", str(tmp_path / "samples.npz"), arrays, iter([arrays])):
        (batch,) = batches_of(given)
        np.testing.assert_array_equal(batch["x"], arrays["x"])


def test_rows_that_a_mask_leaves_out_do_not_count() -> None:
    text = NETWORK.replace(
        '%y: tensor<2x3xf32> {tfmbs.name = "y"})',
        '%y: tensor<2x3xf32> {tfmbs.name = "y"}, %m: tensor<1x2xi64> {tfmbs.name = "m"})',
    )
    module = parse(Source("network.mlir", text.encode()), context(), Diagnostics())
    samples = [{**sample, "m": np.array([[1, 0]])} for sample in batches(3)]
    calibrate(module, samples, Observation(moments=True, mask="m"))
    rows = np.stack([sample["x"][0] for sample in samples]).astype(np.float64)
    assert ranges(module)["first"] == (np.float32(rows.min()), np.float32(rows.max()))
    found = moments(module)["first"]
    expected = rows.T @ rows
    np.testing.assert_allclose(found, expected / np.diag(expected).mean(), rtol=1e-6)
    with pytest.raises(TfmbsError, match="calibration mask: input of the model, expected x, y, m, got mask"):
        calibrate(module, samples, Observation(mask="mask"))


def test_batches_that_are_held_out_count_in_ranges_only() -> None:
    module, samples = network(), batches(5)
    calibrate(module, samples, Observation(moments=True, held_out=2))
    inputs = np.concatenate([sample["x"] for sample in samples])
    assert ranges(module)["first"] == (inputs.min(), inputs.max())
    rows = np.concatenate([samples[i]["x"] for i in (0, 2, 4)]).astype(np.float64)
    expected = rows.T @ rows
    np.testing.assert_allclose(moments(module)["first"], expected / np.diag(expected).mean(), rtol=1e-6)


def moments(module: Any) -> dict[str, np.ndarray]:
    products = ops_where(module, lambda op: "tfmbs.second_moment" in op.operation.attributes)
    return {op.location.name_str: read_elements(op.attributes["tfmbs.second_moment"])[0] for op in products}
