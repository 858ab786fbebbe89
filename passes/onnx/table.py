"""Which ONNX ops are lowered here: op name → lowering, brought together from the modules of this folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tfmbs.passes.onnx import (
    batch_normalization,
    casts,
    control,
    dequantized_products,
    dropout,
    elementwise,
    integer_pools,
    integer_products,
    linear_algebra,
    losses,
    ngrams,
    normalizing,
    picking,
    quantization,
    ranges,
    rearrange,
    recurrent,
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
    batch_normalization.LOWERINGS,
    casts.LOWERINGS,
    control.LOWERINGS,
    dequantized_products.LOWERINGS,
    elementwise.LOWERINGS,
    dropout.LOWERINGS,
    integer_pools.LOWERINGS,
    integer_products.LOWERINGS,
    linear_algebra.LOWERINGS,
    losses.LOWERINGS,
    ngrams.LOWERINGS,
    normalizing.LOWERINGS,
    picking.LOWERINGS,
    ranges.LOWERINGS,
    quantization.LOWERINGS,
    rearrange.LOWERINGS,
    recurrent.LOWERINGS,
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

_MOVES = frozenset(
    {
        "Compress", "Concat", "Constant", "ConstantOfShape", "DepthToSpace", "Expand", "Flatten", "Gather",
        "GatherElements", "GatherND", "Identity", "If", "Loop", "Pad", "Reshape", "ReverseSequence", "Scan",
        "ScatterElements", "ScatterND", "Shape", "Size", "Slice", "SpaceToDepth", "Split", "Squeeze", "TensorScatter",
        "Tile", "Transpose", "Trilu", "Unsqueeze", "Where",
    }
)  # fmt: skip
"""ONNX ops that move elements and compute none, unless an attribute asks for a reduction."""

NARROW = _MOVES | {"BitCast", "Cast", "CastLike", "DequantizeLinear", "QuantizeLinear"}
"""ONNX ops that may have operands or results whose bytes stand for something else."""


def moves_only(node: Node) -> bool:
    """Whether an op does not care what its elements are."""
    return node.op in _MOVES and node.string("reduction", "none") == "none"
