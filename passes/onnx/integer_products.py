"""Products and convolutions of 8-bit integers with zero points: exact in 32 bits, and requantized where ONNX asks.

They are kernels (`integer_operators`) where weights are constants, or zero points of activations are; what else there
is, is computed here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from tfmbs.dialect.mlir import arith, ir, linalg
from tfmbs.dialect.shapes import Shape, shape_of
from tfmbs.passes.linalg.places import Tensors
from tfmbs.passes.linalg.scalar import constant
from tfmbs.passes.linalg.structured import PARALLEL, REDUCTION, empty, generic, mapping
from tfmbs.passes.onnx import build
from tfmbs.passes.onnx import integer_operators as kernels
from tfmbs.passes.onnx.arithmetic import F32, SI32, cast
from tfmbs.passes.onnx.node import Node, Results
from tfmbs.passes.onnx.quantization import rounded
from tfmbs.passes.onnx.windows import geometry, padding_after

Value = Any

_LONGEST = ((1 << 31) - 1) // (255 * 255)  # products of which the sum stays in 32 bits


def matmul_integer(node: Node) -> Results:
    """MatMulInteger: (A − zero point)·(B − zero point), one zero point for all, per row of A or per column of B."""
    sums = kernels.matmul(node, kernels.Operands(0, 2, 1, 3))
    return _any_matmul(node, 0, 2, 1, 3) if sums is None else sums


def qlinear_matmul(node: Node) -> Results:
    """QLinearMatMul: the product, times the scales' quotient in their type, rounded as QuantizeLinear does."""
    product = kernels.matmul(node, kernels.Operands(0, 2, 3, 5))
    if product is None:
        product = _any_matmul(node, 0, 2, 3, 5)
    elif result := kernels.requantized(node, product, kernels.Scales(1, 4, 6, 7), len(node.result_shape()) - 1):
        return result
    scales = [_spread(node, index, rows) for index, rows in ((1, True), (4, False), (6, True))]
    return _requantized(node, product, [*scales, _spread(node, 7, rows=True)], 1, 7)


def conv_integer(node: Node) -> Results:
    """ConvInteger: the convolution of x − zero point with w − zero point; padding counts as the zero point."""
    sums = kernels.convolution(node, kernels.Operands(0, 2, 1, 3))
    if sums is not None:
        return sums
    x = _centered(node, 0, 2, rows=False)
    w = _centered(node, 1, 3, rows=False, channels=len(node.shape(1)) - 1)
    return _convolution(node, x, w)


def qlinear_conv(node: Node) -> Results:
    """QLinearConv: the convolution with its i32 bias, times the scales' quotient, rounded as QuantizeLinear does."""
    inner = len(node.shape(3)) - 1
    sums = kernels.convolution(node, kernels.Operands(0, 2, 3, 5, bias=8))
    if sums is None:
        x, w = _centered(node, 0, 2, rows=False), _centered(node, 3, 5, rows=False, channels=inner)
        sums = _convolution(node, x, w)
        if node.has(8):
            bias = build.reshape(node.tensor(8), (*node.shape(8), *(1,) * (inner - 1)))
            sums = build.broadcasting(
                [sums, bias], shape_of(sums.type), SI32.mlir, lambda a, b: arith.AddIOp(a, b).result
            )
    elif result := kernels.requantized(node, sums, kernels.Scales(1, 4, 6, 7), 1):
        return result
    scales = [_per_channel(node, index, inner - 1) for index in (1, 4, 6, 7)]
    return _requantized(node, sums, scales, 1, 7)


def _any_matmul(node: Node, a: int, a_zero: int, b: int, b_zero: int) -> Value:
    return _matmul(node, _centered(node, a, a_zero, rows=True), _centered(node, b, b_zero, rows=False))


def _centered(node: Node, index: int, zero: int, *, rows: bool, channels: int = 0) -> Value:
    """An operand as i32, less its zero point: per row or column of a matrix, or per first of `channels` more axes."""
    source, shape = node.element(index), node.shape(index)
    operands = [node.tensor(index)]
    if node.has(zero):
        operands.append(_per_channel(node, zero, channels) if channels else _spread(node, zero, rows))

    def body(x: Value, *point: Value) -> Value:
        wide = cast(x, source, SI32)
        return arith.SubIOp(wide, cast(point[0], source, SI32)).result if point else wide

    return build.broadcasting(operands, shape, SI32.mlir, body)


def _spread(node: Node, index: int, rows: bool) -> Value:
    """A scale or zero point of a matrix in a shape that broadcasts: a vector holds one per row, or per column."""
    value, shape = node.tensor(index), node.shape(index)
    if prod(shape) == 1:
        return build.reshape(value, ())
    return build.reshape(value, (*shape, 1)) if rows and len(shape) == 1 else value


def _per_channel(node: Node, index: int, behind: int) -> Value:
    """A scale or zero point, one or one per channel, before `behind` more axes."""
    shape = node.shape(index)
    return build.reshape(node.tensor(index), () if prod(shape) == 1 else (*shape, *(1,) * behind))


def _accumulated(node: Node, operands: Sequence[tuple[Value, Any]], sizes: Shape, inner: Shape) -> Value:
    """Σ a·b in i32 over loops of extents `inner` behind those of `sizes`."""
    if prod(inner) > _LONGEST:
        raise node.refuse("terms of a 32-bit sum", f"at most {_LONGEST}", prod(inner))
    start = linalg.fill(constant(SI32.mlir, 0), outs=[empty(sizes, SI32.mlir)])
    iterators = [PARALLEL] * len(sizes) + [REDUCTION] * len(inner)
    result = mapping(len(iterators), list(range(len(sizes))))

    def body(a: Value, b: Value, sum_: Value) -> Value:
        return arith.AddIOp(arith.MulIOp(a, b).result, sum_).result

    return generic(operands, [(start, result)], iterators, body).results[0]


def _matmul(node: Node, a: Value, b: Value) -> Value:
    """numpy's product of tensors of i32: matrices in the last two axes, the others broadcast; vectors as matrices."""
    left, right = shape_of(a.type), shape_of(b.type)
    if len(left) == 1:
        a = build.reshape(a, (1, *left))
    if len(right) == 1:
        b = build.reshape(b, (*right, 1))
    (*batch_a, m, k), (*batch_b, _, n) = shape_of(a.type), shape_of(b.type)
    rank = max(len(batch_a), len(batch_b))
    sizes = tuple(max(pair) for pair in zip(_filled(batch_a, rank), _filled(batch_b, rank), strict=True))
    row, column, inner = rank, rank + 1, rank + 2
    maps = [
        mapping(rank + 3, [*_batch(batch_a, rank), row, inner]),
        mapping(rank + 3, [*_batch(batch_b, rank), inner, column]),
    ]
    product = _accumulated(node, list(zip((a, b), maps, strict=True)), (*sizes, m, n), (k,))
    return build.reshape(product, node.result_shape())


def _filled(batch: Sequence[int], rank: int) -> Sequence[int]:
    return [*[1] * (rank - len(batch)), *batch]


def _batch(batch: Sequence[int], rank: int) -> list[Any]:
    """How the leading axes of an operand are read."""
    still = ir.AffineConstantExpr.get(0)
    return [still if size == 1 else rank - len(batch) + axis for axis, size in enumerate(batch)]


def _convolution(node: Node, x: Value, w: Value) -> Value:
    """The convolution of i32 tensors N×C×… and O×(C/groups)×…, by the node's attributes."""
    (count, channels, *image), (filters, depth, *kernel) = shape_of(x.type), shape_of(w.type)
    places, groups, rank = node.result_shape()[2:], node.integer("group", 1), len(kernel)
    window = geometry(node, kernel, places, image)
    after = padding_after(window, kernel, places, image)
    x = Tensors().padded(x, [0, 0, *window.before], [0, 0, *after], 0)
    padded = shape_of(x.type)[2:]
    x = build.reshape(x, (count, groups, channels // groups, *padded))
    w = build.reshape(w, (groups, filters // groups, depth, *kernel))
    loops = 4 + 2 * rank  # image, group, filter of it, places; channel of the group, taps
    dims = [ir.AffineDimExpr.get(d) for d in range(loops)]
    image_dims, taps = dims[3 : 3 + rank], dims[4 + rank :]
    at = [
        place * stride + tap * dilation
        for place, stride, tap, dilation in zip(image_dims, window.strides, taps, window.dilations, strict=True)
    ]
    inner = 3 + rank
    maps = [mapping(loops, [0, 1, inner, *at]), mapping(loops, [1, 2, inner, *taps])]
    sizes = (count, groups, filters // groups, *places)
    sums = _accumulated(node, list(zip((x, w), maps, strict=True)), sizes, (depth, *kernel))
    return build.reshape(sums, node.result_shape())


def _requantized(node: Node, sums: Value, operands: Sequence[Value], scale: int, zero: int) -> Value:
    """saturate(round(sums · (a·b/y)) + zero point); `operands` are the scales a, b, y and the zero point."""
    source, target = node.element(scale), node.result_element()

    def body(total: Value, a: Value, b: Value, y: Value, point: Value) -> Value:
        factor = arith.DivFOp(arith.MulFOp(a, b).result, y).result
        scaled = arith.MulFOp(cast(total, SI32, F32), cast(factor, source, F32)).result
        return rounded(scaled, F32, cast(point, node.element(zero), F32), target)

    return build.broadcasting([sums, *operands], node.result_shape(), target.mlir, body)


LOWERINGS: dict[str, Callable[[Node], Results | None]] = {
    "MatMulInteger": matmul_integer,
    "QLinearMatMul": qlinear_matmul,
    "ConvInteger": conv_integer,
    "QLinearConv": qlinear_conv,
}
