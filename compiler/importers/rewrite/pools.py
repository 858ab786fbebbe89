"""AveragePool in ceil mode: means over whole windows of the padded input, times the share of places that count.

A padded place counts in a window's mean where `count_include_pad` says so; one behind the padding, which only ceil mode
brings in, never does.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import NodeProto

from tfmbs.compiler.importers.rewrite.builder import Builder, attribute
from tfmbs.compiler.importers.rewrite.scope import Scope


def write_out_ceil_pool(node: NodeProto, scope: Scope) -> list[NodeProto] | None:
    """An average pool that divides as ceil mode does; None for any other node."""
    if node.domain != "" or node.op_type != "AveragePool" or not attribute(node, "ceil_mode", 0):
        return None
    shape = scope.shape(node.input[0])
    if shape is None or attribute(node, "auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return None
    kernel = list(attribute(node, "kernel_shape"))
    rank = len(kernel)
    strides, dilations = (list(attribute(node, name, [1] * rank)) for name in ("strides", "dilations"))
    pads = list(attribute(node, "pads", [0] * 2 * rank))
    axes = [
        _Axis(*sizes) for sizes in zip(shape[2:], kernel, strides, dilations, pads[:rank], pads[rank:], strict=True)
    ]
    places = range(2, 2 + rank)
    amounts = [*(axis.before for axis in axes), *(axis.reach for axis in axes)]
    b = Builder(node, scope)
    padded = b("Pad", node.input[0], b.ints(*amounts), "", b.ints(*places)) if any(amounts) else node.input[0]
    pooled = b("AveragePool", padded, kernel_shape=kernel, strides=strides, dilations=dilations)
    counts = np.ones(())
    for axis in axes:
        counts = np.multiply.outer(counts, axis.counted(pads=bool(attribute(node, "count_include_pad", 0))))
    if np.any(counts != np.prod(kernel)):
        element = scope.types[node.input[0]].tensor_type.elem_type
        factors = np.prod(kernel) / counts
        pooled = b("Mul", pooled, b.tensor(factors.astype(onnx.helper.tensor_dtype_to_np_dtype(element))))
    b.give(pooled, node.output[0])
    return b.nodes


class _Axis:
    """A spatial axis of a pool: its size, the kernel's, stride, dilation, and the padding before and after."""

    def __init__(self, size: int, kernel: int, stride: int, dilation: int, before: int, after: int) -> None:
        self.size, self.kernel, self.stride, self.dilation = size, kernel, stride, dilation
        self.before, self.after = before, after
        span = dilation * (kernel - 1) + 1
        windows = -(-(size + before + after - span) // stride) + 1
        self.windows = windows - ((windows - 1) * stride >= size + before)  # none starts behind the input
        self.reach = max(after, (self.windows - 1) * stride + span - size - before)

    def counted(self, *, pads: bool) -> np.ndarray:
        """How many places each window's mean is over: those in the input, or up to the end of the padding."""
        places = np.arange(self.windows)[:, None] * self.stride - self.before + np.arange(self.kernel) * self.dilation
        inside = places < self.size + self.after if pads else (places >= 0) & (places < self.size)
        counts: np.ndarray = np.count_nonzero(inside, axis=1)
        return counts
