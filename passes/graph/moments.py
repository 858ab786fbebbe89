"""Second moments of what products see: Σ x·xᵀ over the vectors x that a product multiplies with its weights.

Of a linear layer these are the rows of its input. Of a convolution they are the patches below its window, ordered like
the weights of an output channel (channel of the group, then kernel planes, rows, columns; padding counts as 0), and
each group of channels has a moment of its own.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from tfmbs.dialect.attributes import INPUT_MEAN, SECOND_MOMENT
from tfmbs.dialect.graph_windows import ConvolutionOp
from tfmbs.dialect.resources import read_elements, resource_attr
from tfmbs.dialect.shapes import Window, shape_of
from tfmbs.passes.graph.grids import F64
from tfmbs.passes.graph.kernels import refusal, right

Array = npt.NDArray[Any]


def second_moment(op: Any, values: Array) -> F64:
    """Σ x·xᵀ of a product on one value of its left operand, G×K×K with G = 1 but for grouped convolutions, in f64."""
    rows = vectors(op, values)
    moment: F64 = np.swapaxes(rows, 1, 2) @ rows
    return moment


def vectors(op: Any, values: Array) -> F64:
    """The vectors that a product multiplies of one value of its left operand, G×R×K."""
    if isinstance(op, ConvolutionOp):
        return _patches(values.astype(np.float64), op.window, op.groups)
    return values.reshape(1, -1, values.shape[-1]).astype(np.float64)


def vectors_of(op: Any) -> object:
    """What of the left operand a product multiplies: products of one operand for which it is equal share a moment."""
    return (op.window, op.groups) if isinstance(op, ConvolutionOp) else None


def _patches(values: F64, window: Window, groups: int) -> F64:
    """The patches of N×C×spatial values, G×(N·positions)×(C/G·taps)."""
    rank = len(window.kernel)
    batch, channels, *size = values.shape
    pads = list(zip(window.pads[:rank], window.pads[rank:], strict=True))
    padded = np.pad(values, [(0, 0), (0, 0), *pads])
    positions = window.output(tuple(size))
    taps = []
    for tap in product(*(range(length) for length in window.kernel)):
        starts = [at * dilation for at, dilation in zip(tap, window.dilations, strict=True)]
        cuts = zip(starts, window.strides, positions, strict=True)
        spatial = tuple(slice(at, at + (n - 1) * stride + 1, stride) for at, stride, n in cuts)
        whole = (slice(None), slice(None))
        taps.append(padded[whole + spatial])
    # taps × N × C × positions → groups × N × positions × channels of a group × taps
    stacked = np.stack(taps).reshape(len(taps), batch, groups, channels // groups, -1)
    return np.transpose(stacked, (2, 1, 4, 3, 0)).reshape(groups, -1, channels // groups * len(taps))


def set_moment(op: Any, moment: F64) -> None:
    """Gives a product the moment of its inputs, divided by the mean of its diagonal and rounded to f32."""
    mean = np.einsum("gkk->", moment) / moment[:, 0].size
    scaled = (moment / mean if mean > 0 else moment).astype(np.float32)
    op.attributes[SECOND_MOMENT] = resource_attr(scaled, "second_moment")


def set_mean(op: Any, mean: F64) -> None:
    """Gives a product the mean of its vectors, G×K, rounded to f32."""
    op.attributes[INPUT_MEAN] = resource_attr(mean.astype(np.float32), "input_mean")


def mean_of(op: Any) -> F64:
    """The mean that a product has, G×K in f64.

    Raises:
        TfmbsError: ``quantize``, it does not fit the weights.
    """
    found = read_elements(op.attributes[INPUT_MEAN])
    groups = op.groups if isinstance(op, ConvolutionOp) else 1
    width = int(np.prod(shape_of(right(op).type)[1:]))
    if found.dtype != np.float32 or found.shape != (groups, width) or not np.isfinite(found).all():
        raise refusal(op, "quantize", INPUT_MEAN, f"finite f32 of {(groups, width)}", f"{found.dtype} of {found.shape}")
    return found.astype(np.float64)


def moment_of(op: Any) -> F64 | None:
    """The moment that a product has, G×K×K in f64, None where it has none.

    Raises:
        TfmbsError: ``quantize``, it does not fit the weights.
    """
    if SECOND_MOMENT not in op.attributes:
        return None
    found = read_elements(op.attributes[SECOND_MOMENT])
    groups = op.groups if isinstance(op, ConvolutionOp) else 1
    width = int(np.prod(shape_of(right(op).type)[1:]))
    if found.dtype != np.float32 or found.shape != (groups, width, width):
        expected = f"f32 of {(groups, width, width)}"
        raise refusal(op, "quantize", SECOND_MOMENT, expected, f"{found.dtype} of {found.shape}")
    return found.astype(np.float64)
