"""Products and pooling as named linalg ops, for toolchains that know upstream's dialects only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfmbs.dialect.attributes import NAME
from tfmbs.dialect.base import Tfmbs
from tfmbs.dialect.mlir import arith, func, ir, linalg, tensor
from tfmbs.dialect.shapes import Window, element_of, shape_of, tensor_type
from tfmbs.passes.graph.kernels import ops_where
from tfmbs.passes.linalg import scalar
from tfmbs.passes.linalg.pooling import Pooling, finish_pool
from tfmbs.passes.linalg.products import Product, finish
from tfmbs.passes.linalg.structured import elementwise, identity, mapping

INPUT_NAMES, OUTPUT_NAMES = "input_names", "output_names"


def gemm(place: Any, product: Product) -> Any:
    """`linalg.matmul` or `linalg.batch_matmul` whose right operand is transposed by its indexing map."""
    rank = len(product.shape)
    batch = list(range(rank - 2))
    m, n, k = rank - 2, rank - 1, rank
    maps = [mapping(rank + 1, [*batch, *pair]) for pair in ((m, k), (n, k), (m, n))]
    build = linalg.batch_matmul if batch else linalg.matmul
    start = place.filled(product.shape, product.accumulator, 0)
    acc = build(_centered(product), _factor(product), outs=[start], indexing_maps=maps)
    return finish(place, product, _tagged(acc, product.discardable), exact=False)


def convolution(place: Any, product: Product, window: Window, groups: int) -> Any:
    """`linalg.conv_2d_nchw_fchw`, or `conv_2d_ngchw_gfchw` on grouped channels, of a padded input; of volumes
    `linalg.conv_3d_ncdhw_fcdhw`, which has no grouped form: each group is a convolution of its own."""
    lhs, rhs = _centered(product), _factor(product)
    if any(window.pads):
        rank = len(window.kernel)
        lhs = _padded(lhs, (0, 0, *window.pads[:rank]), (0, 0, *window.pads[rank:]), 0)
    geometry = {"strides": list(window.strides), "dilations": list(window.dilations)}
    start = place.filled(product.shape, product.accumulator, 0)
    if len(window.kernel) == 3:
        acc = _volumes(product, lhs, rhs, start, groups, geometry)
    elif groups == 1:
        acc = _tagged(linalg.conv_2d_nchw_fchw(lhs, rhs, outs=[start], **geometry), product.discardable)
    else:
        split = _grouped(place, lhs, 1, groups), _grouped(place, rhs, 0, groups)
        acc = linalg.conv_2d_ngchw_gfchw(*split, outs=[_grouped(place, start, 1, groups)], **geometry)
        _tagged(acc, product.discardable)
        type_ = tensor_type(product.shape, product.accumulator)
        acc = tensor.CollapseShapeOp(type_, acc, [[0], [1, 2], [3], [4]]).result
    return finish(place, product, acc, exact=False)


def _volumes(product: Product, lhs: Any, rhs: Any, start: Any, groups: int, geometry: dict[str, list[int]]) -> Any:
    """The channels of each group as a convolution of volumes, put beside each other."""
    if groups == 1:
        return _tagged(linalg.conv_3d_ncdhw_fcdhw(lhs, rhs, outs=[start], **geometry), product.discardable)
    acc = start
    for group in range(groups):
        parts = [_channels(value, axis, groups, group) for value, axis in ((lhs, 1), (rhs, 0), (start, 1))]
        part = linalg.conv_3d_ncdhw_fcdhw(parts[0], parts[1], outs=[parts[2]], **geometry)
        _tagged(part, product.discardable)
        size = shape_of(part.type)
        none: list[Any] = []
        offsets = [0, group * size[1], 0, 0, 0]
        acc = tensor.InsertSliceOp(part, acc, none, none, none, offsets, list(size), [1] * 5).result
    return acc


def _channels(value: Any, axis: int, groups: int, group: int) -> Any:
    """The part of `value` along `axis` that belongs to a group."""
    shape = list(shape_of(value.type))
    shape[axis] //= groups
    offsets = [group * shape[axis] if number == axis else 0 for number in range(len(shape))]
    none: list[Any] = []
    type_ = tensor_type(tuple(shape), element_of(value))
    return tensor.ExtractSliceOp(type_, value, none, none, none, offsets, shape, [1] * len(shape)).result


def pool(place: Any, pooling: Pooling) -> Any:
    """`linalg.pooling_nchw_max`, or `pooling_nchw_sum` and a division."""
    window = pooling.window
    build = linalg.pooling_nchw_max if pooling.mode == "max" else linalg.pooling_nchw_sum
    start = place.filled(pooling.shape, pooling.element, pooling.neutral)
    shape_only = place.empty(tuple(window.kernel), pooling.element)
    geometry = {"strides": list(window.strides), "dilations": list(window.dilations)}
    top, left, bottom, right = window.pads
    value = _padded(pooling.value, (0, 0, top, left), (0, 0, bottom, right), pooling.neutral)
    acc = build(value, shape_only, outs=[start], **geometry)
    return finish_pool(place, pooling, _tagged(acc, pooling.discardable), exact=False)


def _padded(value: Any, low: Sequence[int], high: Sequence[int], fill: float) -> Any:
    """`tensor.pad`, which other toolchains fuse; the same written as an insertion misleads IREE's tiling."""
    if not any((*low, *high)):
        return value
    shape, element = shape_of(value.type), element_of(value)
    grown = tuple(size + a + b for size, a, b in zip(shape, low, high, strict=True))
    pad = tensor.PadOp(tensor_type(grown, element), value, [], [], list(low), list(high))
    index = ir.IndexType.get()
    block = pad.regions[0].blocks.append(*[index] * len(shape))
    with ir.InsertionPoint(block):
        tensor.YieldOp(scalar.constant(element, fill))
    return pad.result


def _grouped(place: Any, value: Any, axis: int, groups: int) -> Any:
    shape = shape_of(value.type)
    return place.reshaped(value, (*shape[:axis], groups, shape[axis] // groups, *shape[axis + 1 :]))


def _centered(product: Product) -> Any:
    """The left operand without its zero point."""
    value, zero = product.lhs, product.zero
    if not zero:
        return value
    shape, i32 = shape_of(value.type), scalar.integer_type(32)

    def body(x: Any) -> Any:
        return arith.SubIOp(scalar.widen(x), scalar.constant(i32, zero)).result

    return elementwise([(value, identity(len(shape)))], shape, i32, body)


def _factor(product: Product) -> Any:
    """The right operand; trits as f32 where the left one is."""
    value = product.rhs
    if not product.is_float or isinstance(element_of(value), ir.F32Type):
        return value
    shape = shape_of(value.type)
    return elementwise([(value, identity(len(shape)))], shape, ir.F32Type.get(), scalar.to_float)


def _tagged(result: Any, discardable: Any) -> Any:
    """`result`, with `discardable` attributes on the op that computes it."""
    for name, attribute in (discardable or {}).items():
        result.owner.attributes[name] = attribute
    return result


def drop_foreign_attributes(module: Any) -> None:
    """Removes the attributes of the tfmbs dialect, which others cannot read; argument names move to the function."""
    for op in ops_where(module, lambda op: True):
        for name in [name for name in op.operation.attributes if name.startswith(f"{Tfmbs.DIALECT_NAMESPACE}.")]:
            del op.operation.attributes[name]
        if isinstance(op, func.FuncOp):
            _move_names(op, "arg_attrs", INPUT_NAMES)
            _move_names(op, "res_attrs", OUTPUT_NAMES)


def _move_names(function: Any, key: str, target: str) -> None:
    if key not in function.attributes:
        return
    groups = list(function.attributes[key])
    names = [group[NAME] for group in groups if NAME in group]
    if names and len(names) == len(groups):
        function.attributes[target] = ir.ArrayAttr.get(names)
    kept = [{a.name: a.attr for a in group if not a.name.startswith(f"{Tfmbs.DIALECT_NAMESPACE}.")} for group in groups]
    function.attributes[key] = ir.ArrayAttr.get([ir.DictAttr.get(group) for group in kept])
