"""The geometry of BitNet b1.58 2B4T (Ma et al., 2025), without its weights: random trits, an int8 embedding."""

from __future__ import annotations

from gguf.constants import GGMLQuantizationType

from examples.bitnet.model_file import Geometry

FULL = Geometry(
    width=2560,
    inner=6912,
    layers=30,
    heads=20,
    groups=5,
    vocabulary=128256,
    context=4096,
    kind=GGMLQuantizationType.TQ2_0,
    table=GGMLQuantizationType.Q8_0,
    scale=0.03,
    extra={"bitnet-b1.58.rope.freq_base": 500000.0},
)
