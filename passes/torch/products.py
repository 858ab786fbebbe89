"""Products at torch level as tfmbs ops: matrix products, linear layers and convolutions, each with its bias behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tfmbs.dialect import graph
from tfmbs.dialect.mlir import arith, ir, tensor
from tfmbs.passes.linalg.structured import elementwise, identity, mapping
from tfmbs.passes.torch import values as tv

Pads = tuple[int, ...]
"""Padding before each spatial dimension, then behind: at the top, left, bottom and right."""


def matmul(op: Any) -> Any:
    """`aten.mm` and `aten.matmul`: a constant right operand becomes a weight N×K, anything else is a batch product."""
    lhs, rhs = op.operands
    left, right = tv.shape(lhs), tv.shape(rhs)
    if min(len(left), len(right)) < 2:  # vectors stay with torch-mlir's own lowering
        raise tv.NotConvertedError("a vector is no matrix")
    if len(right) == 2 and (weights := tv.literal(transposed := _untranspose(rhs) or rhs)) is not None:
        rows = weights if transposed is not rhs else weights.T
        return _linear(lhs, rows, tv.label(transposed))
    return _batch_product(lhs, rhs)


def linear(op: Any) -> Any:
    """`aten.linear`: constant weight N×K, optional bias N."""
    value, weight, bias = op.operands
    weights = tv.literal(weight)
    if weights is None:
        product = _rows_product(value, tv.to_builtin(weight), tv.shape(weight)[0], "nk")
    else:
        product = _linear(value, weights, tv.label(weight))
    return product if tv.is_none(bias) else _add_channel(product, tv.to_builtin(bias), len(tv.shape(value)) - 1)


def convolution(op: Any) -> Any:
    """`aten.convolution` over two or three spatial dimensions; zero padding in front of it becomes its own padding."""
    value, weight, bias, strides, padding, dilations, transposed, _, groups = op.operands
    if tv.boolean(transposed):
        raise tv.NotConvertedError("it is transposed")
    rank = len(tv.shape(value)) - 2
    if rank not in CONVOLUTIONS:
        raise tv.NotConvertedError(f"it has {rank} spatial dimensions, the kernels 2 or 3")
    if tv.literal(weight) is None:
        raise tv.NotConstantError("the weights are no constant")
    own = tv.each(padding, rank)
    value, pads = take_padding(value, (*own, *own), lambda fill: fill == 0.0)
    result = CONVOLUTIONS[rank](
        tv.to_builtin(value),
        tv.to_builtin(weight),
        tv.each(strides, rank),
        tv.each(dilations, rank),
        pads,
        tv.integer(groups),
    ).result
    return result if tv.is_none(bias) else _add_channel(result, tv.to_builtin(bias), 1)


CONVOLUTIONS: dict[int, Callable[..., Any]] = {2: graph.conv2d, 3: graph.conv3d}
"""Number of spatial dimensions → what builds the tfmbs op."""


def take_padding(value: Any, pads: Pads, neutral: Callable[[float], bool]) -> tuple[Any, Pads]:
    """Absorbs a padding of the last dimensions in front of a window op, by a constant that is `neutral` for it.

    `pads` are those before each of these dimensions, then those behind. Returns the unpadded value and its pads;
    `value` and `pads` where there is nothing to absorb.
    """
    pad = tv.defining_op(value, "torch.aten.constant_pad_nd")
    if pad is None or not neutral(tv.number(pad.operands[2])):
        return value, pads
    rank = len(pads) // 2
    amounts = tv.integers(pad.operands[1])  # last dimension first, (before, after) each
    if any(amounts[2 * rank :]) or min(amounts) < 0:
        return value, pads
    amounts = (*amounts, *[0] * (2 * rank))[: 2 * rank]
    before, behind = amounts[-2::-2], amounts[-1::-2]
    return pad.operands[0], tuple(own + more for own, more in zip(pads, (*before, *behind), strict=True))


def _untranspose(value: Any) -> Any:
    """The operand of a transpose of the two last dimensions, or None."""
    op = tv.defining_op(value, "torch.aten.transpose.int")
    if op is None:
        return None
    rank = len(tv.shape(value))
    axes = {tv.integer(op.operands[1]) % rank, tv.integer(op.operands[2]) % rank}
    return op.operands[0] if axes == {rank - 1, rank - 2} else None


def _linear(lhs: Any, weights: Any, label: str) -> Any:
    sizes = tv.shape(lhs)
    rows = reshape(tv.to_builtin(lhs), (_product(sizes[:-1]), sizes[-1]))
    product = graph.matmul(rows, tv.constant(weights, label)).result
    return reshape(product, (*sizes[:-1], weights.shape[0]))


def _batch_product(lhs: Any, rhs: Any) -> Any:
    source = _untranspose(rhs)
    layout = "kn" if source is None else "nk"
    left, right = tv.shape(lhs), tv.shape(rhs)
    batch = left[:-2]
    if len(right) == 2:
        return _rows_product(lhs, tv.to_builtin(rhs if source is None else source), right[-1], layout)
    if right[:-2] != batch:  # broadcast batches stay with torch-mlir's own lowering
        raise tv.NotConvertedError(f"batches {batch} and {right[:-2]} differ: one is broadcast")
    count = _product(batch)
    operand = rhs if source is None else source
    a = reshape(tv.to_builtin(lhs), (count, *left[-2:]))
    b = reshape(tv.to_builtin(operand), (count, *tv.shape(operand)[-2:]))
    return reshape(graph.batch_matmul(a, b, layout).result, (*batch, left[-2], right[-1]))


def _rows_product(lhs: Any, rhs: Any, columns: int, layout: str) -> Any:
    """The product of all rows of `lhs` with one matrix that is no constant (builtin; N×K, or K×N in layout ``kn``)."""
    sizes = tv.shape(lhs)
    rows = reshape(tv.to_builtin(lhs), (_product(sizes[:-1]), sizes[-1]))
    a, b = (reshape(value, (1, *value.type.shape)) for value in (rows, rhs))
    product = reshape(graph.batch_matmul(a, b, layout).result, (_product(sizes[:-1]), columns))
    return reshape(product, (*sizes[:-1], columns))


def _product(sizes: Sequence[int]) -> int:
    result = 1
    for size in sizes:
        result *= size
    return result


def reshape(value: Any, sizes: Sequence[int]) -> Any:
    """`value` with its leading dimensions collapsed or expanded to `sizes` (which end in the same sizes)."""
    current = tuple(value.type.shape)
    if current == tuple(sizes):
        return value
    element = value.type.element_type
    longer, shorter = (current, sizes) if len(current) > len(sizes) else (sizes, current)
    extra = len(longer) - len(shorter)
    groups = [list(range(extra + 1)), *([i] for i in range(extra + 1, len(longer)))]
    i64 = ir.IntegerType.get_signless(64)
    reassociation = ir.ArrayAttr.get(
        [ir.ArrayAttr.get([ir.IntegerAttr.get(i64, i) for i in group]) for group in groups]
    )
    target = ir.RankedTensorType.get(sizes, element)
    if len(current) > len(sizes):
        return tensor.CollapseShapeOp(target, value, reassociation).result
    return tensor.ExpandShapeOp(target, value, reassociation, [], list(sizes)).result


def _add_channel(value: Any, bias: Any, axis: int) -> Any:
    sizes = tuple(value.type.shape)
    inputs = [(value, identity(len(sizes))), (bias, mapping(len(sizes), [axis]))]
    return elementwise(inputs, sizes, value.type.element_type, lambda x, b: arith.AddFOp(x, b).result)
