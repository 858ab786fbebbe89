"""Pad by constant amounts of which some are negative: padded by the others, then cut."""

from __future__ import annotations

from itertools import chain

from onnx import NodeProto

from tfmbs.compiler.importers.rewrite.builder import Builder, attribute, operand
from tfmbs.compiler.importers.rewrite.scope import Scope


def write_out_cropping_pad(node: NodeProto, scope: Scope) -> list[NodeProto] | None:
    """Pad with a constant value, of known amounts that are not all positive; None for any other node."""
    if node.domain != "" or node.op_type != "Pad" or attribute(node, "mode", "constant") != "constant":
        return None
    shape, pads = scope.shape(node.input[0]), scope.known.get(operand(node, 1))
    given = operand(node, 3)
    if shape is None or pads is None or pads.min(initial=0) >= 0 or (given and given not in scope.known):
        return None
    axes = [int(axis) % len(shape) for axis in scope.known[given]] if given else list(range(len(shape)))
    before, after = (pads[part].tolist() for part in (slice(None, len(axes)), slice(len(axes), None)))
    b = Builder(node, scope)
    added = [max(amount, 0) for amount in chain(before, after)]
    padded = b("Pad", node.input[0], b.ints(*added), operand(node, 2), b.ints(*axes))
    starts = [max(-amount, 0) for amount in before]
    sizes = [shape[axis] + first + last for axis, first, last in zip(axes, before, after, strict=True)]
    ends = [start + max(size, 0) for start, size in zip(starts, sizes, strict=True)]
    b.give(b("Slice", padded, b.ints(*starts), b.ints(*ends), b.ints(*axes)), node.output[0])
    return b.nodes
