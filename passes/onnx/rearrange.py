"""Ops that move elements and compute none."""

from __future__ import annotations

from collections.abc import Callable

from tfmbs.passes.onnx import build
from tfmbs.passes.onnx.node import Node, Results


def space_to_depth(node: Node) -> Results:
    """SpaceToDepth: N×C×H×W → N×(C·b·b)×(H/b)×(W/b).

    The new channel is (row in block, column in block, channel) in mode DCR, the only one before opset 28, and
    (channel, row, column) in mode CRD.
    """
    block = node.integer("blocksize")
    batch, channels, height, width = node.shape(0)
    if block < 1 or height % block or width % block:
        raise node.refuse("blocksize", f"a divisor of {height} and {width}", block)
    order = {"DCR": (0, 3, 5, 1, 2, 4), "CRD": (0, 1, 3, 5, 2, 4)}.get(mode := node.string("mode", "DCR"))
    if order is None:
        raise node.refuse("mode", "DCR or CRD", mode)
    blocks = (batch, channels, height // block, block, width // block, block)
    return build.reshape(build.transpose(build.reshape(node.tensor(0), blocks), order), node.result_shape())


LOWERINGS: dict[str, Callable[[Node], Results | None]] = {"SpaceToDepth": space_to_depth}
