"""Which ONNX ops are lowered here: op name → lowering, brought together from the modules of this folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tfmbs.passes.onnx import (
    control,
    linear_algebra,
    losses,
    normalizing,
    picking,
    rearrange,
    reductions,
    regions,
    resize,
    sampling,
    scans,
    scatters,
    slices,
    spectral,
    suppression,
    windows,
)
from tfmbs.passes.onnx.node import Node, Results

Lowering = Callable[[Node], Results | None]
"""Builds what an op computes; None leaves the op to torch-mlir. Raises `Node.refuse` for what nobody can compile."""

_FAMILIES = (
    control.LOWERINGS,
    linear_algebra.LOWERINGS,
    losses.LOWERINGS,
    normalizing.LOWERINGS,
    picking.LOWERINGS,
    rearrange.LOWERINGS,
    reductions.LOWERINGS,
    regions.LOWERINGS,
    resize.LOWERINGS,
    sampling.LOWERINGS,
    scans.LOWERINGS,
    scatters.LOWERINGS,
    slices.LOWERINGS,
    spectral.LOWERINGS,
    suppression.LOWERINGS,
    windows.LOWERINGS,
)


def _merged(families: tuple[Mapping[str, Lowering], ...]) -> dict[str, Lowering]:
    result: dict[str, Lowering] = {}
    for family in families:
        if twice := result.keys() & family.keys():
            raise ValueError(f"lowered twice: {', '.join(sorted(twice))}")
        result |= family
    return result


LOWERINGS: Mapping[str, Lowering] = _merged(_FAMILIES)
"""ONNX op → its lowering."""

_TRAINING = "a training optimizer has no place in a compiled network"
_STRINGS = "strings are no tensors of the device"
_RANDOM = "a random op has no fixed result"

REFUSALS: Mapping[str, str] = {
    **dict.fromkeys(("Adagrad", "Adam", "Gradient", "Momentum"), _TRAINING),
    **dict.fromkeys(("RegexFullMatch", "StringConcat", "StringNormalizer", "StringSplit"), _STRINGS),
    **dict.fromkeys(
        ("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"), _RANDOM
    ),
    "ImageDecoder": "image files are decoded before a network, not in it",
}
"""ONNX op → why no fabric computes it."""
