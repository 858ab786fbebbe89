"""Scratch memory of whole blocks of networks: close to the least that this order of launches can do with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import helper

from tests.models import zoo
from tfmbs.compiler.compilation import Compilation, Options


def encoder_layer() -> onnx.ModelProto:
    """An encoder layer of the size of BERT base, sequence 128."""
    return zoo.transformer_block(128, 768, 12)


def inverted_residual() -> onnx.ModelProto:
    """A block of MobileNetV2: 24 channels at 56×56, expanded by 6, depthwise 3×3, projected, added to its input."""
    nodes = [
        helper.make_node("Conv", ["x", "expand"], ["a"]),
        helper.make_node("Clip", ["a", "low", "high"], ["b"]),
        helper.make_node("Conv", ["b", "depth"], ["c"], group=144, pads=[1, 1, 1, 1]),
        helper.make_node("Clip", ["c", "low", "high"], ["d"]),
        helper.make_node("Conv", ["d", "project"], ["e"]),
        helper.make_node("Add", ["x", "e"], ["y"]),
    ]
    arrays = {"expand": zoo.weights(0, 144, 24, 1, 1), "depth": zoo.weights(1, 144, 1, 3, 3)}
    arrays |= {"project": zoo.weights(2, 24, 144, 1, 1), "low": np.float32(0), "high": np.float32(6)}
    return zoo.build(nodes, (1, 24, 56, 56), **arrays)


@pytest.mark.parametrize("make", [encoder_layer, inverted_residual])
def test_scratch_is_close_to_the_least(make: Callable[[], onnx.ModelProto]) -> None:
    image = Compilation.of(make(), Options()).image()
    (live,) = image.meta["scratch_live_bytes"].values()
    (entry,) = image.entries
    assert 0 < live <= entry["scratch_bytes"] <= 1.2 * live
