"""The committed digit networks on every held-out digit: against onnxruntime, and byte for byte against linalg."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper

import tfmbs
from examples.digits import data
from tfmbs.compiler.api import lower
from tfmbs.compiler.jit import Reference
from tfmbs.runtime.abi.types import DType

DIGITS = Path(__file__).parents[2] / "examples" / "digits"
NETWORKS = ("cnn", "mlp_ternary")
PRECISIONS = ("fp32", "int8", "ternary", "ternary+int8")

Feeds = list[dict[str, NDArray[np.float32]]]


@cache
def feeds(network: str, part: int = 1) -> Feeds:
    """The training (part 0) or held-out (part 1) images one by one."""
    shape = onnxruntime.InferenceSession(DIGITS / f"{network}.onnx").get_inputs()[0].shape
    return [{"input": image.reshape(1, *shape[1:])} for image in data.split()[part].images]


def options(network: str, precision: str) -> dict[str, Any]:
    """Ternary weights meet f32 activations where there is no calibration, int8 ones where there is."""
    name, _, activations = precision.partition("+")
    calibration = feeds(network, 0)[:128] if "int8" in (name, activations) else None
    return {"precision": name, "dims": {"batch": 1}, "calibration": calibration}


@cache
def ours(network: str, precision: str) -> NDArray[np.float32]:
    """Logits (360, 10) of the compiled network on the emulator."""
    program = tfmbs.compile(DIGITS / f"{network}.onnx", **options(network, precision))
    return stacked(program.run, feeds(network))


@cache
def onnxruntimes(network: str) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(DIGITS / f"{network}.onnx")
    return stacked(lambda feed: {"logits": session.run(["logits"], feed)[0]}, feeds(network))


def stacked(run: Callable[[dict[str, Any]], dict[str, Any]], inputs: Feeds) -> NDArray[np.float32]:
    return np.concatenate([run(feed)["logits"] for feed in inputs])


def accuracy(logits: NDArray[np.float32]) -> float:
    return float(np.mean(logits.argmax(axis=1) == data.split()[1].labels))


@pytest.mark.parametrize("network", NETWORKS)
def test_fp32_is_onnxruntime_within_1e4_on_every_digit(network: str) -> None:
    expected = onnxruntimes(network)
    assert np.abs(ours(network, "fp32") - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("network", NETWORKS)
def test_emulator_has_the_bytes_of_linalg_on_every_digit(network: str, precision: str) -> None:
    reference = Reference(lower(DIGITS / f"{network}.onnx", "linalg", **options(network, precision)))
    assert ours(network, precision).tobytes() == stacked(reference.run, feeds(network)).tobytes()


def test_int8_cnn_keeps_its_accuracy() -> None:
    assert accuracy(ours("cnn", "int8")) >= accuracy(ours("cnn", "fp32")) - 0.005


@pytest.mark.parametrize("precision", ["ternary", "ternary+int8"])
def test_ternary_mlp_keeps_the_accuracy_of_its_float_evaluation(precision: str) -> None:
    expected = accuracy(onnxruntimes("mlp_ternary"))
    assert expected >= 0.97
    assert abs(accuracy(ours("mlp_ternary", precision)) - expected) <= 0.005


def test_ternary_weights_with_f32_activations_only_round_differently() -> None:
    """The weights are ternary already, so scaling behind the product instead of in the weights is all that changes."""
    expected = onnxruntimes("mlp_ternary")
    assert np.abs(ours("mlp_ternary", "ternary") - expected).max() <= 1e-5 * np.abs(expected).max()


def test_ternary_cnn_differs_from_its_float_evaluation() -> None:
    """Ternarizing weights that were trained as floats must change the logits: the precision option does something."""
    assert np.abs(ours("cnn", "ternary") - onnxruntimes("cnn")).max() > 0.1


def test_committed_weights_of_the_mlp_are_ternary_per_output_channel() -> None:
    model = onnx.load(DIGITS / "mlp_ternary.onnx")
    weights = [array for array in map(numpy_helper.to_array, model.graph.initializer) if array.ndim == 2]
    assert len(weights) == 3
    for row in (row for weight in weights for row in weight):
        magnitude = np.abs(row.astype(np.float64))
        selected = magnitude > 0.7 * magnitude.mean()
        assert len(np.unique(magnitude[selected])) == 1
        assert not row[~selected].any()


def test_split_is_the_documented_one() -> None:
    seen, held_out = data.split()
    assert (len(seen), len(held_out)) == (1437, 360)
    assert {image.tobytes() for image in held_out.images}.isdisjoint(image.tobytes() for image in seen.images)
    assert (held_out.images.min(), held_out.images.max()) == (0, 1)
    assert np.bincount(held_out.labels).tolist() == [36, 36, 35, 37, 36, 37, 36, 36, 35, 36]


def test_example_models_are_small() -> None:
    assert sum(path.stat().st_size for path in DIGITS.glob("*.onnx")) < 300_000


@pytest.mark.parametrize("precision", ["fp32", "ternary", "ternary+int8"])
def test_trained_ternary_cnn_classifies_as_well_as_was_promised(precision: str) -> None:
    assert accuracy(ours("cnn_ternary", precision)) >= 0.975


def test_trained_ternary_cnn_has_the_bytes_of_linalg_on_integers() -> None:
    reference = Reference(lower(DIGITS / "cnn_ternary.onnx", "linalg", **options("cnn_ternary", "ternary+int8")))
    assert ours("cnn_ternary", "ternary+int8").tobytes() == stacked(reference.run, feeds("cnn_ternary")).tobytes()


def test_trained_ternary_cnn_is_trits_in_the_binary() -> None:
    program = tfmbs.compile(DIGITS / "cnn_ternary.onnx", **options("cnn_ternary", "fp32"))
    packed = [t for t in program.image.tensors if t["dtype"] == DType.TRIT]
    assert sorted(t["dims"][0] for t in packed) == [10, 16, 32, 64]
