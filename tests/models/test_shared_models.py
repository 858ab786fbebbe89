"""A real trained MNIST network on real digit images, where the folder with them lies beside the checkout.

The files are not part of the project. `TFMBS_EXTRA_MODELS` names the folder; without it and without the default folder
there is nothing to collect here.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

import tfmbs

FOLDER = Path(os.environ.get("TFMBS_EXTRA_MODELS", Path(__file__).parents[3] / "shared" / "models"))
IMAGES = sorted(FOLDER.glob("digit-?.jpg"))


@pytest.mark.parametrize("image", IMAGES, ids=lambda path: path.stem)
def test_mnist_recognizes_its_digits(image: Path) -> None:
    model = FOLDER / "mnist.onnx"
    pixels = np.asarray(Image.open(image).convert("L"), np.float32)[np.newaxis, np.newaxis]
    (expected,) = onnxruntime.InferenceSession(model).run(None, {"Input3": pixels})
    (actual,) = tfmbs.compile(model).run({"Input3": pixels}).values()
    assert actual.argmax() == int(image.stem[-1])
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
