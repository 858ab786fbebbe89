"""How a product is to be quantized: what its own attributes say, else what the options of a pass say.

`tfmbs.precision` on a product is one of `LADDER`. `tfmbs.weight_scales`, an f32 array N×G, says that its weights are to
be stored as the nearest integers in units of these scales, one for each K/G weights of an output channel; weights that
are on that grid already are stored exactly. Of a product whose weights stay floats they mean nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tfmbs.dialect.attributes import INPUT_CHANNELS, INPUT_MEAN, INPUT_RANGE, PRECISION, SECOND_MOMENT, WEIGHT_SCALES
from tfmbs.dialect.mlir import ir
from tfmbs.dialect.resources import read_elements
from tfmbs.passes.graph.grids import F32, Grid
from tfmbs.passes.graph.kernels import refusal
from tfmbs.passes.graph.quantization import INT4_MAX, WEIGHT_MAX
from tfmbs.runtime.abi.errors import TfmbsError

LADDER = ("ternary", "int4", "int8", "bf16", "fp32")
"""The precisions of a product, cheapest first."""

MIXED = "mixed"
"""The precision of a compilation whose products have their own; one that has none stays f32."""

MOST = {"ternary": 1, "int4": INT4_MAX, "int8": WEIGHT_MAX}
"""The largest stored weight of each precision that stores integers."""

GROUPED = ("ternary", "int4")
"""Precisions that can have a scale for each group of weights; int8 has one where its scales are given so."""

DEFAULT_GROUP = {"int4": 32}
"""Weights of a linear layer that have a scale of their own, where nobody says; other precisions: the whole channel."""

PER_CHANNEL = "channel"
DEFAULT = "default"
OWN = (PRECISION, WEIGHT_SCALES, SECOND_MOMENT, INPUT_RANGE, INPUT_CHANNELS, INPUT_MEAN)
"""Attributes that say how a product is to be quantized, which it has not any more when it is."""


@dataclass(frozen=True)
class Settings:
    """Options that the quantizing passes share. `group_size` is a number, "channel" or "default"."""

    precision: str
    group_size: str = DEFAULT

    def check(self, where: str) -> None:
        """Raises TfmbsError ``usage`` for a group size that is none."""
        number = int(self.group_size) if self.group_size.isdecimal() else 0
        if number < 1 and self.group_size not in (DEFAULT, PER_CHANNEL):
            expected = f"at least 1, {PER_CHANNEL} or {DEFAULT}"
            raise TfmbsError("usage", where, "group-size", expected, self.group_size)

    def grouped(self, precision: str, weights: F32) -> int | None:
        """The size of the groups of a product's weights, None where each channel has one scale: in convolutions, and
        in linear layers whose rows are not several whole groups.
        """
        if self.group_size == PER_CHANNEL:
            return None
        default = DEFAULT_GROUP.get(precision)
        group = default if self.group_size == DEFAULT else int(self.group_size)
        if not group or precision not in GROUPED or weights.ndim != 2:
            return None
        width = weights.shape[1]
        return group if width % group == 0 and group < width else None


@dataclass(frozen=True)
class Choice:
    """What one product becomes: `group` weights have a scale, or a channel of them; `scales` N×G where they are given.

    `own` says whether the product itself has the precision, by its attribute.
    """

    precision: str
    group: int | None
    scales: F32 | None = None
    own: bool = False

    @property
    def grid(self) -> Grid:
        """The grid of the weights, of a precision that stores integers."""
        return Grid(MOST[self.precision], self.group, signed=self.precision == "int4" and self.group is not None)


def choice_of(op: Any, weights: F32, settings: Settings) -> Choice:
    """What a product with these constant weights is to become.

    Raises:
        TfmbsError: ``quantize``, an attribute of the product is malformed or does not fit its weights.
    """
    own = PRECISION in op.attributes
    precision = _own_precision(op) if own else settings.precision
    precision = "fp32" if precision == MIXED else precision
    if WEIGHT_SCALES not in op.attributes or precision not in MOST:
        return Choice(precision, settings.grouped(precision, weights), own=own)
    scales = _own_scales(op, weights)
    width = weights[0].size
    return Choice(precision, None if scales.shape[1] == 1 else width // scales.shape[1], scales, own)


def _own_precision(op: Any) -> str:
    found = op.attributes[PRECISION]
    if not isinstance(found, ir.StringAttr) or found.value not in LADDER:
        raise refusal(op, "quantize", PRECISION, f"one of {', '.join(LADDER)}", found)
    return str(found.value)


def _own_scales(op: Any, weights: F32) -> F32:
    scales = read_elements(op.attributes[WEIGHT_SCALES])
    rows, width = len(weights), weights[0].size
    most = width if weights.ndim == 2 else 1
    fits = scales.dtype == np.float32 and scales.ndim == 2 and scales.shape[0] == rows
    if not fits or not 0 < scales.shape[1] <= most or width % scales.shape[1]:
        expected = f"f32 of {rows}×G, G a divisor of {most}"
        raise refusal(op, "quantize", WEIGHT_SCALES, expected, f"{scales.dtype} {scales.shape}")
    if not np.isfinite(scales).all() or (scales.shape[1] == 1 and (scales < 0).any()):
        raise refusal(op, "quantize", WEIGHT_SCALES, "finite scales, of whole channels at least 0", "others")
    return np.asarray(scales, np.float32)


def forget(op: Any) -> None:
    """Removes what said how a product is to be quantized."""
    for name in OWN:
        if name in op.attributes:
            del op.attributes[name]
