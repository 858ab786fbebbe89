"""Reading `linalg.generic`: the elementwise form that fusion and quantization look for, and what its operands are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.mlir import arith, ir, linalg
from tfmbs.dialect.scalars import is_scalar_code
from tfmbs.dialect.shapes import Shape, elements, shape_of
from tfmbs.passes.graph.kernels import constant_elements, defining_op

CHANNEL, ELEMENT, SCALAR = "channel", "element", "scalar"


@dataclass(frozen=True)
class Elementwise:
    """A `linalg.generic` on tensors with parallel loops only, whose one result is indexed by all of them in order.

    `inputs` and `maps` (from the loops to the input's indices) belong together; `block` is the body. Its ops are scalar
    arith and math, and it does not read what the result held before.
    """

    op: Any
    inputs: tuple[Any, ...]
    maps: tuple[Any, ...]
    block: Any

    @property
    def result(self) -> Any:
        """The tensor it computes."""
        return self.op.results[0]

    @property
    def shape(self) -> Shape:
        """Shape of the result, the extents of the loops."""
        return shape_of(self.result.type)

    @property
    def body(self) -> list[Any]:
        """The ops of the block without its terminator."""
        return list(self.block.operations)[:-1]

    @property
    def yielded(self) -> Any:
        """The scalar the block passes on."""
        return list(self.block.operations)[-1].operands[0]

    def role(self, index: int, channel_axis: int) -> str | None:
        """How input `index` is read (see `role_of`)."""
        return role_of(shape_of(self.inputs[index].type), self.maps[index], self.shape, channel_axis)


def as_elementwise(op: Any) -> Elementwise | None:
    """The elementwise view of an op, None if it is no such op."""
    if not isinstance(op, linalg.GenericOp) or len(op.results) != 1:
        return None
    if not all(isinstance(value.type, ir.RankedTensorType) for value in op.operation.operands):
        return None
    maps = [attribute.value for attribute in op.indexing_maps]
    block = op.regions[0].blocks[0]
    parallel = all("parallel" in str(kind) for kind in op.iterator_types)
    scalar = all(is_scalar_code(body.operation.name) for body in list(block.operations)[:-1])
    reads_init = bool(list(block.arguments[len(maps) - 1].uses))
    if not parallel or not scalar or reads_init or maps[-1] != ir.AffineMap.get_identity(maps[-1].n_dims):
        return None
    return Elementwise(op, tuple(op.inputs), tuple(maps[:-1]), block)


def role_of(shape: Shape, index_map: Any, loops: Shape, channel_axis: int) -> str | None:
    """How an operand of `shape`, indexed by `index_map` from loops of these extents, takes part.

    "scalar": it has one element. "element": it has the loops' shape and is indexed like the result. "channel": it
    varies with the loop `channel_axis` only, over its whole extent. None: anything else.
    """
    if elements(shape) == 1:
        return SCALAR
    wide = [(axis, expr) for axis, (size, expr) in enumerate(zip(shape, index_map.results, strict=True)) if size > 1]
    if any(not isinstance(expr, ir.AffineDimExpr) for _, expr in wide):
        return None
    positions = [(axis, ir.AffineDimExpr(expr).position) for axis, expr in wide]
    if shape == loops and all(axis == position for axis, position in positions):
        return ELEMENT
    if [position for _, position in positions] == [channel_axis] and elements(shape) == loops[channel_axis]:
        return CHANNEL
    return None


def is_addition(view: Elementwise) -> bool:
    """Whether it computes the f32 sum of two tensors."""
    if len(view.inputs) != 2 or [type(op) for op in view.body] != [arith.AddFOp]:
        return False
    first, second = view.body[0].operands
    x, y, _ = view.block.arguments
    return bool((first == x and second == y) or (first == y and second == x)) and view.yielded == view.body[0].result


def is_relu(view: Elementwise) -> bool:
    """Whether it computes max(x, 0) of one tensor: `maximumf`, or torch-mlir's comparison and selection."""
    if len(view.inputs) != 1 or view.role(0, 0) not in (ELEMENT, SCALAR):
        return False
    x, body = view.block.arguments[0], view.body
    if len(body) == 1 and isinstance(body[0], arith.MaximumFOp):
        return view.yielded == body[0].result and _is_with_zero(x, body[0].operands)
    if len(body) != 2 or not isinstance(body[0], arith.CmpFOp) or not isinstance(body[1], arith.SelectOp):
        return False
    comparison, choice = body
    greater = {arith.CmpFPredicate[name].value for name in ("OGT", "OGE", "UGT", "UGE")}
    ordered = comparison.operands[0] == x and _is_zero(comparison.operands[1])
    chosen = [choice.operands[0] == comparison.result, choice.operands[1] == x, _is_zero(choice.operands[2])]
    return comparison.predicate.value in greater and ordered and all(chosen) and view.yielded == choice.result


def _is_with_zero(x: Any, operands: Sequence[Any]) -> bool:
    first, second = operands
    return bool((first == x and _is_zero(second)) or (second == x and _is_zero(first)))


def _is_zero(value: Any) -> bool:
    op = defining_op(value)
    return isinstance(op, arith.ConstantOp) and isinstance(op.type, ir.F32Type) and op.literal_value == 0.0


def channel_constant(view: Elementwise, index: int, channel_axis: int) -> Any:
    """The constant elements (one per channel) of an input that varies with the channel only; None for any other."""
    values = constant_elements(view.inputs[index])
    channels = view.shape[channel_axis]
    # As many elements as channels: a role there is makes them one per channel, of a result with one row "element" too.
    if values is None or values.size != channels or view.role(index, channel_axis) is None:
        return None
    return values.reshape(channels)


def added_channels(view: Elementwise, value: Any, channel_axis: int) -> tuple[int, Any] | None:
    """The constant for each channel that an op does nothing but add to `value`: its number among the inputs, and it."""
    if not is_addition(view):
        return None
    index = 1 if view.inputs[0] == value else 0
    values = channel_constant(view, index, channel_axis)
    if values is None or view.maps[1 - index] != ir.AffineMap.get_identity(len(view.shape)):
        return None
    return index, values
