"""Builders of the graph-level ops: operands and plain Python values in, the op with its inferred result type out.

All builders insert at the current insertion point unless `ip` is given, take `loc` and `discardable` (a mapping of
attributes such as telemetry, copied as it is), and do not verify. Products also take `element`, the result's element
type (default: the accumulator's), and the epilogue's `operands` and `roles`; `op.begin_epilogue()` opens the region.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tfmbs.dialect.checks import accumulator_type
from tfmbs.dialect.epilogue import YieldOp, yield_
from tfmbs.dialect.graph_attention import AttentionOp
from tfmbs.dialect.graph_groups import GroupMatmulOp
from tfmbs.dialect.graph_lstm import ROLES, LstmOp, result_shape
from tfmbs.dialect.graph_ops import (
    BatchMatmulOp,
    ConstantOp,
    DequantizeOp,
    FusedGemvOp,
    GemvOp,
    LayerNormOp,
    MatmulOp,
    PackOp,
    QuantizeOp,
    RequantizeOp,
    SoftmaxOp,
    TransferOp,
    UnpackOp,
)
from tfmbs.dialect.graph_windows import Conv2dOp, Conv3dOp, PoolOp
from tfmbs.dialect.mlir import ir
from tfmbs.dialect.shapes import Shape, Window, element_of, shape_of, tensor_type
from tfmbs.dialect.types import is_per_axis, storage_bounds

__all__ = [
    "AttentionOp",
    "BatchMatmulOp",
    "ConstantOp",
    "Conv2dOp",
    "Conv3dOp",
    "DequantizeOp",
    "FusedGemvOp",
    "GemvOp",
    "GroupMatmulOp",
    "LayerNormOp",
    "LstmOp",
    "MatmulOp",
    "PackOp",
    "PoolOp",
    "QuantizeOp",
    "RequantizeOp",
    "SoftmaxOp",
    "TransferOp",
    "UnpackOp",
    "YieldOp",
    "attention",
    "batch_matmul",
    "constant",
    "conv2d",
    "conv3d",
    "dequantize",
    "fused_gemv",
    "gemv",
    "group_matmul",
    "layer_norm",
    "lstm",
    "matmul",
    "pack",
    "pool",
    "quantize",
    "requantize",
    "softmax",
    "transfer",
    "unpack",
    "yield_",
]


def constant(value: Any, shape: Shape, element: Any, **where: Any) -> Any:
    """A constant of quantized or ternary `element` type; `value` is the attribute of its stored i8 elements."""
    return ConstantOp.build([], [tensor_type(shape, element)], value=value, **where)


def matmul(lhs: Any, rhs: Any, **rest: Any) -> Any:
    """lhs M×K · (rhs N×K)ᵀ → M×N."""
    return _product(MatmulOp, lhs, rhs, (shape_of(lhs.type)[0], shape_of(rhs.type)[0]), **rest)


def gemv(lhs: Any, rhs: Any, **rest: Any) -> Any:
    """lhs 1×K · (rhs N×K)ᵀ → 1×N."""
    return _product(GemvOp, lhs, rhs, (1, shape_of(rhs.type)[0]), **rest)


def group_matmul(lhs: Any, rhs: Any, scales: Any, activations: str = "stored", **rest: Any) -> Any:
    """lhs M×K with rhs (N·G)×(K/G), a row for each of the `scales` N×G → M×N."""
    operands, roles = rest.pop("operands", ()), rest.pop("roles", ())
    shape = (shape_of(lhs.type)[0], shape_of(scales.type)[0])
    result = tensor_type(shape, rest.pop("element", None) or ir.F32Type.get())
    return GroupMatmulOp.build([lhs, rhs, scales, *operands], [result], activations=activations, roles=roles, **rest)


def batch_matmul(lhs: Any, rhs: Any, rhs_layout: str = "nk", **rest: Any) -> Any:
    """lhs B×M×K with rhs B×N×K ("nk") or B×K×N ("kn") → B×M×N."""
    batch, m, _ = shape_of(lhs.type)
    n = shape_of(rhs.type)[1 if rhs_layout == "nk" else 2]
    return _product(BatchMatmulOp, lhs, rhs, (batch, m, n), rhs_layout=rhs_layout, **rest)


def conv2d(
    input: Any,
    filter: Any,
    strides: tuple[int, int] = (1, 1),
    dilations: tuple[int, int] = (1, 1),
    pads: tuple[int, int, int, int] = (0, 0, 0, 0),
    groups: int = 1,
    **rest: Any,
) -> Any:
    """input N×C×H×W with filter O×(C/groups)×kh×kw → N×O×H'×W'; `pads` are (top, left, bottom, right)."""
    return _convolution(Conv2dOp, input, filter, strides, dilations, pads, groups, **rest)


def conv3d(
    input: Any,
    filter: Any,
    strides: tuple[int, int, int] = (1, 1, 1),
    dilations: tuple[int, int, int] = (1, 1, 1),
    pads: tuple[int, int, int, int, int, int] = (0, 0, 0, 0, 0, 0),
    groups: int = 1,
    **rest: Any,
) -> Any:
    """input N×C×D×H×W with filter O×(C/groups)×kd×kh×kw → N×O×D'×H'×W'.

    `pads` are (front, top, left, back, bottom, right).
    """
    return _convolution(Conv3dOp, input, filter, strides, dilations, pads, groups, **rest)


def _convolution(
    kind: Any, input: Any, filter: Any, strides: Shape, dilations: Shape, pads: Shape, groups: int, **rest: Any
) -> Any:
    batch, _, *size = shape_of(input.type)
    out_channels, _, *kernel = shape_of(filter.type)
    window = Window(tuple(kernel), strides, dilations, pads)
    shape = (batch, out_channels, *window.output(tuple(size)))
    geometry: dict[str, Any] = {"strides": strides, "dilations": dilations, "pads": pads, "groups": groups}
    return _product(kind, input, filter, shape, **geometry, **rest)


def fused_gemv(
    lhs: Any,
    rhs: Sequence[Any],
    orders: Sequence[int],
    element: Any = None,
    operands: Sequence[Any] = (),
    roles: Sequence[str] = (),
    **where: Any,
) -> Any:
    """One launch of sibling gemvs: lhs 1×K and each rhs Nᵢ×K → 1×Nᵢ."""
    element = accumulator_type(element_of(lhs), element_of(rhs[0])) if element is None else element
    results = [tensor_type((1, shape_of(weights.type)[0]), element) for weights in rhs]
    return FusedGemvOp.build([lhs, *rhs, *operands], results, orders=orders, roles=roles, **where)


def pool(
    input: Any,
    kind: str,
    kernel: tuple[int, int],
    strides: tuple[int, int] = (1, 1),
    dilations: tuple[int, int] = (1, 1),
    pads: tuple[int, int, int, int] = (0, 0, 0, 0),
    count_include_pad: bool = False,
    **where: Any,
) -> Any:
    """ "max" or "avg" pooling of N×C×H×W; `pads` are (top, left, bottom, right)."""
    batch, channels, height, width = shape_of(input.type)
    shape = (batch, channels, *Window(kernel, strides, dilations, pads).output((height, width)))
    return PoolOp.build(
        [input],
        [tensor_type(shape, element_of(input))],
        kind=kind,
        kernel=kernel,
        strides=strides,
        dilations=dilations,
        pads=pads,
        count_include_pad=count_include_pad,
        **where,
    )


def softmax(input: Any, axis: int, **where: Any) -> Any:
    """Softmax of an f32 tensor along `axis` (0 ≤ axis < rank)."""
    return SoftmaxOp.build([input], [input.type], axis=axis, **where)


def attention(query: Any, key: Any, value: Any, mask: Any = None, **attributes: Any) -> Any:
    """query B×H×M×D, key B×G×N×D, value B×G×N×E → B×H×M×E; by default every key counts as it is (`AttentionOp`)."""
    operands = [query, key, value] if mask is None else [query, key, value, mask]
    result = tensor_type((*shape_of(query.type)[:3], shape_of(value.type)[3]), ir.F32Type.get())
    return AttentionOp.build(operands, [result], **{**_EVERY_KEY, **attributes})


_EVERY_KEY: dict[str, Any] = {
    "scale": 1.0,
    "mask_mode": "none",
    "fill": -math.inf,
    "causal": False,
    "offset": 0,
    "clear": False,
}


def lstm(
    input: Any, weights: Any, recurrent: Any, further: Mapping[str, Any], keep_cell: bool = False, **attributes: Any
) -> Any:
    """input T×B×I, weights D×4·H×I, recurrent D×4·H×H → T×D×B×H, and with `keep_cell` the last cells (`LstmOp`)."""
    roles = [name for name in ROLES if name in further]
    shape = result_shape(shape_of(input.type), shape_of(recurrent.type), keep_cell)
    operands = [input, weights, recurrent, *(further[name] for name in roles)]
    result = tensor_type(shape, ir.F32Type.get())
    return LstmOp.build(operands, [result], roles=roles, keep_cell=keep_cell, **attributes)


def layer_norm(input: Any, gamma: Any, beta: Any, axis: int, epsilon: float, **where: Any) -> Any:
    """Layer normalization of an f32 tensor over `axis` and all later axes; gamma and beta have those axes."""
    return LayerNormOp.build([input, gamma, beta], [input.type], axis=axis, epsilon=epsilon, **where)


def quantize(input: Any, element: Any, **where: Any) -> Any:
    """An f32 tensor as quantized `element`s."""
    return QuantizeOp.build([input], [tensor_type(shape_of(input.type), element)], **where)


def dequantize(input: Any, scale: Any = None, axis: int | None = None, **where: Any) -> Any:
    """Real values of a quantized tensor, or of i32 accumulators with `scale` (one, or one per index of `axis`)."""
    element = element_of(input)
    if axis is None:
        axis = element.quantized_dimension if is_per_axis(element) else 0
    operands = [input] if scale is None else [input, scale]
    return DequantizeOp.build(operands, [tensor_type(shape_of(input.type), ir.F32Type.get())], axis=axis, **where)


def requantize(input: Any, scale: Any, element: Any, axis: int = 0, low: int | None = None, **where: Any) -> Any:
    """i32 accumulators times `scale` as quantized `element`s; `low` is the lower clamp (default: the minimum)."""
    low = storage_bounds(element)[0] if low is None else low
    return RequantizeOp.build([input, scale], [tensor_type(shape_of(input.type), element)], axis=axis, low=low, **where)


def pack(input: Any, element: Any, **where: Any) -> Any:
    """One-per-byte trits in the denser packing of ternary `element`."""
    return PackOp.build([input], [tensor_type(shape_of(input.type), element)], **where)


def unpack(input: Any, element: Any, **where: Any) -> Any:
    """Packed trits one per byte; `element` is `!tfmbs.ternary<"i8">`."""
    return UnpackOp.build([input], [tensor_type(shape_of(input.type), element)], **where)


def transfer(input: Any, to: str, **where: Any) -> Any:
    """A copy of a tensor in the memory `to`."""
    return TransferOp.build([input], [input.type], to=to, **where)


def _product(
    op: Any,
    lhs: Any,
    rhs: Any,
    shape: Shape,
    element: Any = None,
    operands: Sequence[Any] = (),
    roles: Sequence[str] = (),
    **rest: Any,
) -> Any:
    element = accumulator_type(element_of(lhs), element_of(rhs)) if element is None else element
    return op.build([lhs, rhs, *operands], [tensor_type(shape, element)], roles=roles, **rest)
