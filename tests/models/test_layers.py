"""A BERT encoder layer and a MobileNetV2 block from the binary: torch's results, linalg's bytes, little memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tfmbs
from tests.models.layers import Layer, encoder, inverted_residual
from tfmbs.compiler.api import lower
from tfmbs.compiler.jit import Reference
from tfmbs.dialect.attributes import SCRATCH_LIVE_BYTES

SMALL: dict[str, Callable[[], Layer]] = {
    "encoder": lambda: encoder(sequence=16, hidden=96, heads=3, inner=160),
    "inverted_residual": lambda: inverted_residual(channels=8, size=9),
}
WHOLE: dict[str, Callable[[], Layer]] = {"encoder": encoder, "inverted_residual": inverted_residual}
MOST_SCRATCH = 1.2
"""Times the bytes that are in use at the busiest moment of the same order of execution."""


def assert_like_torch(layer: Layer, got: np.ndarray) -> None:
    expected = layer.expected(layer.x)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_whole_layer(name: str, tmp_path: Path) -> None:
    layer = WHOLE[name]()
    tfmbs.compile(layer.model).save(tmp_path / "layer.tfb")
    assert_like_torch(layer, tfmbs.load(tmp_path / "layer.tfb").run({"x": layer.x})["y"])


@pytest.mark.parametrize("name", SMALL)
def test_bytes_of_linalg(name: str) -> None:
    layer = SMALL[name]()
    got = tfmbs.compile(layer.model).run({"x": layer.x})["y"]
    expected = Reference(lower(layer.model, "tfmbs"), optimization=0).run({"x": layer.x})["y"]
    np.testing.assert_array_equal(got.view(np.uint32), expected.view(np.uint32))
    assert_like_torch(layer, got)


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_scratch_is_close_to_the_least_possible(name: str) -> None:
    model = WHOLE[name]().model
    module = lower(model, "kernel")  # its operations do not keep it alive
    (function,) = (op for op in module.body.operations if op.operation.name == "func.func")
    least = function.attributes[SCRATCH_LIVE_BYTES].value
    used = tfmbs.compile(model).image.entries[0]["scratch_bytes"]  # with what programs spill
    assert 0 < least <= used <= MOST_SCRATCH * least
