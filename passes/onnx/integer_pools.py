"""Maxima of 8-bit integers over windows, by the fabric's pooling kernel."""

from __future__ import annotations

from collections.abc import Callable

from tfmbs.dialect import graph
from tfmbs.passes.onnx.node import Node, Results
from tfmbs.passes.onnx.stored_bytes import BYTES, as_any_quantized, as_stored
from tfmbs.passes.onnx.windows import geometry, padding_after


def max_pool(node: Node) -> Results | None:
    """MaxPool of images of 8-bit integers, without the places of the maxima; None for any other."""
    element, kernel = node.element(0), node.integers("kernel_shape")
    if element.name not in BYTES or len(node.shape(0)) != 4 or kernel is None or node.is_used(1):
        return None
    places, image = node.result_shape()[2:], node.shape(0)[2:]
    window = geometry(node, kernel, places, image)
    pads = (*window.before, *padding_after(window, kernel, places, image))
    value = as_any_quantized(node.tensor(0), element)
    pooled = graph.pool(value, "max", _pair(kernel), _pair(window.strides), _pair(window.dilations), _four(pads)).result
    return [as_stored(pooled, element), *[None] * (node.results - 1)]


def _pair(sizes: tuple[int, ...]) -> tuple[int, int]:
    first, second = sizes
    return first, second


def _four(pads: tuple[int, ...]) -> tuple[int, int, int, int]:
    top, left, bottom, right = pads
    return top, left, bottom, right


LOWERINGS: dict[str, Callable[[Node], Results | None]] = {"MaxPool": max_pool}
