"""Kernel-level forms of the graph's kernels: one launch each, on memrefs, with the epilogue of the op."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfmbs.dialect.kernel import KernelGemmOp
from tfmbs.dialect.kernel_attention import KernelAttentionOp, lies_as_result
from tfmbs.dialect.kernel_groups import KernelGroupGemmOp
from tfmbs.dialect.kernel_lstm import KernelLstmOp
from tfmbs.dialect.kernel_windows import KernelConv2dOp, KernelConv3dOp, KernelPoolOp
from tfmbs.dialect.mlir import ir
from tfmbs.dialect.resources import read_elements, resource_attr
from tfmbs.dialect.shapes import element_of, shape_of
from tfmbs.dialect.types import is_quantized, packed_shape, packing_of, storage_type, zero_points_of
from tfmbs.passes.kernel.bufferize import Bufferizer, Rule, refused
from tfmbs.passes.kernel.buffers import View
from tfmbs.runtime.abi.abreast import stacked_abreast
from tfmbs.runtime.abi.types import Packing


def _lhs_zero(tensor: Any) -> int:
    element = element_of(tensor)
    return zero_points_of(element)[0] if is_quantized(element) else 0


def _rhs_packing(tensor: Any) -> str:
    return packing_of(element_of(tensor)).name.lower()


def _launch(work: Bufferizer, op: Any, build: Any, lhs: Any, *weights: Any, **attributes: Any) -> None:
    """Builds a launch of the product `op` into its destination and moves the epilogue there."""
    graph = op.opview
    target = work.destination(op.results[0])
    epilogue = [work.dense(operand) for operand in graph.epilogue_operands]
    launch = build(
        [lhs, *weights, work.buffers.value(target), *epilogue],
        [],
        rhs_packing=_rhs_packing(graph.rhs_value),
        lhs_zero=_lhs_zero(graph.lhs_value),
        roles=graph.roles,
        discardable=graph.discardable(),
        **attributes,
    )
    if graph.has_epilogue:
        graph.epilogue_block.append_to(launch.operation.regions[0])
    work.place(op.results[0], target)


def _matmul(work: Bufferizer, op: Any) -> None:
    lhs = work.buffers.value(work.view(op.opview.lhs_value))
    rhs = work.buffers.value(_rows(work, op.opview.rhs_value))
    _launch(work, op, KernelGemmOp.build, lhs, rhs, kind="gemv" if op.name == "tfmbs.gemv" else "gemm")


def _rows(work: Bufferizer, tensor: Any) -> View:
    """Where the right operand lives; packed trits are dense."""
    view = work.view(tensor)
    return view if _rhs_packing(tensor) == "dense" else work.buffers.dense(view)


def _group_matmul(work: Bufferizer, op: Any) -> None:
    graph = op.opview
    lhs = work.buffers.value(work.view(graph.lhs))
    weights = (work.dense(graph.rhs), work.dense(graph.scales))
    _launch(work, op, KernelGroupGemmOp.build, lhs, *weights, activations=graph.activations)


def _batch_matmul(work: Bufferizer, op: Any) -> None:
    graph = op.opview
    rhs = work.view(graph.rhs_value)
    if graph.rhs_layout == "kn":
        rhs = rhs.permuted((0, 2, 1))
    lhs = work.buffers.value(work.view(graph.lhs_value))
    _launch(work, op, KernelGemmOp.build, lhs, work.buffers.value(rhs), kind="gemm")


def _convolution(work: Bufferizer, op: Any) -> None:
    graph = op.opview
    attributes = {name: getattr(graph, name) for name in ("strides", "dilations", "pads", "groups")}
    lhs, rhs = work.dense(graph.lhs_value), work.dense(graph.rhs_value)
    build = KernelConv2dOp.build if op.name == "tfmbs.conv2d" else KernelConv3dOp.build
    _launch(work, op, build, lhs, rhs, kernel=graph.window.kernel, **attributes)


def _pool(work: Bufferizer, op: Any) -> None:
    graph = op.opview
    mode = "avg_padded" if graph.count_include_pad else graph.kind
    target = work.destination(op.results[0])
    attributes = {name: getattr(graph, name) for name in ("kernel", "strides", "dilations", "pads")}
    operands = [work.dense(graph.input), work.buffers.value(target)]
    KernelPoolOp.build(operands, [], mode=mode, discardable=graph.discardable(), **attributes)
    work.place(op.results[0], target)


def _attention(work: Bufferizer, op: Any) -> None:
    """Operands where they are, whatever their strides; heads of a query side by side where that is what follows."""
    graph = op.opview
    target = work.destination_in(op.results[0], lies_as_result)
    operands = [work.buffers.value(work.view(value)) for value in (graph.query, graph.key, graph.value)]
    mask = [] if graph.mask is None else [work.buffers.value(work.view(graph.mask))]
    attributes = {field.name: op.attributes[field.name] for field in graph.attribute_fields}
    operands = [*operands, work.buffers.value(target), *mask]
    KernelAttentionOp.build(operands, [], discardable=graph.discardable(), **attributes)
    work.place(op.results[0], target)


def _lstm(work: Bufferizer, op: Any) -> None:
    """Dense operands."""
    graph = op.opview
    target = work.destination(op.results[0])
    operands = [work.dense(value) for value in (graph.input, graph.weights, graph.recurrent)]
    further = [work.dense(value) for value in graph.further]
    attributes = {field.name: op.attributes[field.name] for field in graph.attribute_fields}
    operands = [*operands, work.buffers.value(target), *further]
    KernelLstmOp.build(operands, [], discardable=graph.discardable(), **attributes)
    work.place(op.results[0], target)


def _fused_gemv(work: Bufferizer, op: Any) -> None:
    """One product with the rows of all weights under each other, in launch order; results are parts of its row."""
    graph = op.opview
    weights = [graph.rhs[index] for index in graph.launch_order]
    rhs = _stacked(work, op, weights)
    sizes = [shape_of(tensor.type)[0] for tensor in weights]
    element = storage_type(element_of(graph.products[0]))
    target = work.buffers.alloc(ir.MemRefType.get([1, sum(sizes)], element))
    lhs, epilogue = work.view(graph.lhs), [work.dense(operand) for operand in graph.epilogue_operands]
    launch = KernelGemmOp.build(
        [work.buffers.value(lhs), work.buffers.value(rhs), work.buffers.value(target), *epilogue],
        [],
        kind="gemv",
        rhs_packing=_rhs_packing(weights[0]),
        lhs_zero=_lhs_zero(graph.lhs),
        roles=graph.roles,
        discardable=graph.discardable(),
    )
    if graph.has_epilogue:
        graph.epilogue_block.append_to(launch.operation.regions[0])
    start = 0
    for index, size in zip(graph.launch_order, sizes, strict=True):
        work.place(graph.products[index], target.sliced((0, start), (1, size), (1, 1)))
        start += size


def _stacked(work: Bufferizer, op: Any, weights: Sequence[Any]) -> View:
    """A constant of all rows of constant weights of one packing."""
    if len({packing_of(element_of(tensor)) for tensor in weights}) > 1:
        raise refused(op, f"{op.name}: packing of the weights", "the same for all")
    arrays = [read_elements(_constant_value(op, tensor)) for tensor in weights]
    rows = [shape_of(tensor.type)[0] for tensor in weights]
    shape = (sum(rows), shape_of(weights[0].type)[1])
    element = element_of(weights[0])
    packing = packing_of(element)
    if packing is Packing.A5:
        stacked = stacked_abreast([array.view(np.uint8) for array in arrays], rows).view(np.int8)
    else:
        stacked = np.concatenate(arrays)
    type_ = ir.MemRefType.get(list(packed_shape(shape, packing)), storage_type(element))
    return work.buffers.constant(resource_attr(stacked, "fused_gemv"), type_, shape, packing.name.lower())


def _constant_value(op: Any, tensor: Any) -> Any:
    owner = tensor.owner
    if isinstance(owner, ir.Block) or owner.operation.name not in ("arith.constant", "tfmbs.constant"):
        raise refused(op, f"{op.name}: weights", "constants", "a computed tensor")
    return owner.operation.attributes["value"]


def _transfer(work: Bufferizer, op: Any) -> None:
    target = work.destination(op.results[0])
    work.buffers.copy(work.buffers.dense(work.view(op.operands[0])), target)
    work.place(op.results[0], target)


LAUNCH_RULES: dict[str, Rule] = {
    "tfmbs.attention": _attention,
    "tfmbs.lstm": _lstm,
    "tfmbs.batch_matmul": _batch_matmul,
    "tfmbs.conv2d": _convolution,
    "tfmbs.conv3d": _convolution,
    "tfmbs.fused_gemv": _fused_gemv,
    "tfmbs.gemv": _matmul,
    "tfmbs.group_matmul": _group_matmul,
    "tfmbs.matmul": _matmul,
    "tfmbs.pool": _pool,
    "tfmbs.transfer": _transfer,
}
