"""The kernel level as linalg on memrefs: launches become the structured ops that say what they compute."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfmbs.dialect import kernel, kernel_attention, kernel_groups, kernel_lstm, kernel_program, kernel_windows
from tfmbs.dialect.graph_lstm import by_role
from tfmbs.dialect.mlir import ir
from tfmbs.dialect.shapes import element_of, shape_of
from tfmbs.passes.graph.kernels import ops_of
from tfmbs.passes.linalg import attention, lstm, products
from tfmbs.passes.linalg.attention import Masking
from tfmbs.passes.linalg.groups import Groups, group_gemm
from tfmbs.passes.linalg.places import Memrefs, constant_memory
from tfmbs.passes.linalg.pooling import Pooling, pool
from tfmbs.passes.linalg.products import Product
from tfmbs.passes.linalg.structured import PARALLEL, identity

_PLACE = Memrefs()


def lower_kernels(module: Any) -> None:
    """Replaces every kernel-level op below `module`; the arithmetic is exact."""
    for op in ops_of(module, *LOWERINGS):
        with op.operation.location, ir.InsertionPoint(op):
            LOWERINGS[type(op)](op)
        op.operation.erase()
    for op in ops_of(module, kernel.KernelConstantOp):
        with op.operation.location, ir.InsertionPoint(op):
            op.result.replace_all_uses_with(constant_memory(op.value, op.result.type))
        op.operation.erase()


def _product(op: Any, shape: tuple[int, ...], row: tuple[int, ...], channel_axis: int) -> Product:
    lhs, rhs, out, *rest = op.operation.operands
    packing = kernel.STORED_PACKINGS[op.rhs_packing]
    return Product(
        lhs,
        products.unpack(_PLACE, rhs, packing, (shape[channel_axis], *row)),
        shape,
        channel_axis,
        op.accumulator,
        element_of(out),
        op.lhs_zero,
        op.epilogue_block if op.has_epilogue else None,
        rest,
        op.roles,
        out,
        op.discardable(),
    )


def _gemm(op: Any) -> None:
    shape = shape_of(op.out.type)
    k = shape_of(op.lhs.type)[-1]
    products.gemm(_PLACE, _product(op, shape, (k,), len(shape) - 1))


def _group_gemm(op: Any) -> None:
    lhs, rhs, scales, out, *rest = op.operation.operands
    (n, count), k = shape_of(scales.type), shape_of(lhs.type)[1]
    product = Product(
        lhs,
        products.unpack(_PLACE, rhs, kernel.STORED_PACKINGS[op.rhs_packing], (n * count, k // count)),
        shape_of(out.type),
        1,
        op.accumulator,
        element_of(out),
        op.lhs_zero,
        op.epilogue_block if op.has_epilogue else None,
        rest,
        op.roles,
        out,
        op.discardable(),
    )
    group_gemm(_PLACE, product, Groups(scales, op.activations == "absmax"))


def _convolution(op: Any) -> None:
    row = (shape_of(op.input.type)[1] // op.groups, *op.kernel)
    products.convolution(_PLACE, _product(op, shape_of(op.out.type), row, 1), op.window, op.groups)


def _pool(op: Any) -> None:
    pool(_PLACE, Pooling(op.input, op.window, op.mode, shape_of(op.out.type), op.out, op.discardable()))


def _attention(op: Any) -> None:
    operands = attention.Operands(op.query, op.key, op.value, op.mask, op.out)
    attention.attention(_PLACE, operands, Masking.of(op, exact=True), op.discardable())


def _lstm(op: Any) -> None:
    operands = lstm.Operands(op.input, op.weights, op.recurrent, op.out, by_role(op))
    lstm.lstm(operands, op.direction, op.gates, op.discardable())


def _copy(op: Any) -> None:
    rank = len(shape_of(op.input.type))
    inputs = [(op.input, identity(rank))]
    _PLACE.run(inputs, (op.out, identity(rank)), [PARALLEL] * rank, lambda x, _: x, op.discardable())


def _program(op: Any) -> None:
    """The code itself."""
    for inner in list(op.block.operations):
        inner.operation.move_before(op.operation)


LOWERINGS: dict[type, Callable[[Any], None]] = {
    kernel.KernelGemmOp: _gemm,
    kernel_groups.KernelGroupGemmOp: _group_gemm,
    kernel_windows.KernelConv2dOp: _convolution,
    kernel_windows.KernelConv3dOp: _convolution,
    kernel_windows.KernelPoolOp: _pool,
    kernel_attention.KernelAttentionOp: _attention,
    kernel_lstm.KernelLstmOp: _lstm,
    kernel.KernelCopyOp: _copy,
    kernel_program.KernelProgramOp: _program,
}
