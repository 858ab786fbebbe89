"""Int8 quantization costs no accuracy: the CNN, trained anew for each fold of a 5-fold cross-validation."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

import tfmbs
from examples.digits import data
from examples.digits.train import RECIPES, cross_validate

FOLDS = 5
TOLERANCE = 0.005


def accuracy(model: onnx.ModelProto, precision: str, seen: data.Digits, unseen: data.Digits) -> float:
    """Fraction of the fold's unseen digits that the compiled model classifies right, in one batch."""
    inputs: dict[str, Any] = {"input": unseen.images}
    calibration = [{"input": seen.images[: len(unseen)]}]
    program = tfmbs.compile(model, precision=precision, dims={"batch": len(unseen)}, calibration=calibration)
    return float(np.mean(program.run(inputs)["logits"].argmax(axis=1) == unseen.labels))


@pytest.mark.slow
def test_int8_accuracy_is_that_of_fp32_in_the_mean_of_five_folds() -> None:
    splits = data.folds(FOLDS)
    models = [model for model, _ in cross_validate(RECIPES["cnn"], FOLDS)]
    scores = {
        precision: np.mean([accuracy(model, precision, *split) for model, split in zip(models, splits, strict=True)])
        for precision in ("fp32", "int8")
    }
    assert scores["fp32"] >= 0.97
    assert scores["int8"] >= scores["fp32"] - TOLERANCE
