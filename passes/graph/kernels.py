"""The kernels of the graph as the passes see them: which ops they are, where they are, and their constant weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tfmbs.dialect.graph_attention import AttentionOp
from tfmbs.dialect.graph_groups import GroupMatmulOp
from tfmbs.dialect.graph_lstm import LstmOp
from tfmbs.dialect.graph_ops import (
    BatchMatmulOp,
    ConstantOp,
    FusedGemvOp,
    GemvOp,
    LayerNormOp,
    MatmulOp,
    SoftmaxOp,
)
from tfmbs.dialect.graph_windows import Conv2dOp, Conv3dOp, ConvolutionOp, PoolOp
from tfmbs.dialect.location import place
from tfmbs.dialect.mlir import arith, ir, tensor
from tfmbs.dialect.resources import read_elements
from tfmbs.dialect.shapes import element_of, shape_of, tensor_type
from tfmbs.dialect.types import packing_of
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.packing import unpack_rows
from tfmbs.runtime.abi.types import Packing, packed_rows

Array = npt.NDArray[Any]

PRODUCTS = (MatmulOp, GemvOp, BatchMatmulOp, GroupMatmulOp, Conv2dOp, Conv3dOp)
LEAVES = (arith.ConstantOp, ConstantOp, tensor.EmptyOp)
KERNELS = (*PRODUCTS, FusedGemvOp, PoolOp, AttentionOp, LstmOp, SoftmaxOp, LayerNormOp)


def ops_of(module: Any, *kinds: type) -> list[Any]:
    """All ops of these classes, in the order of the text."""
    return ops_where(module, lambda op: isinstance(op, kinds))


def ops_where(module: Any, holds: Callable[[Any], bool]) -> list[Any]:
    """All ops for which `holds` is true, in the order of the text; they may be changed while the list is read."""
    found: list[Any] = []

    def visit(operation: Any) -> Any:
        op = operation.opview
        if holds(op):
            found.append(op)
        return ir.WalkResult.ADVANCE

    module.operation.walk(visit, ir.WalkOrder.PRE_ORDER)
    return found


def defining_op(value: Any) -> Any:
    """The op that defines a value, None for a block argument."""
    owner = value.owner
    return None if isinstance(owner, ir.Block) else owner.opview


def constant_elements(value: Any) -> Array | None:
    """Elements of a constant in its logical shape (stored integers of quantized ones, trits), None for other values."""
    op = defining_op(value)
    if isinstance(op, arith.ConstantOp):
        return read_elements(op.attributes["value"])
    return unpacked(op) if isinstance(op, ConstantOp) else None


def unpacked(op: Any) -> Array:
    """Elements of a `tfmbs.constant`, one by one, in its logical shape.

    Raises:
        TfmbsError: ``ir.verify``, its bytes are no trits of its packing.
    """
    stored, packing, shape = read_elements(op.value), packing_of(element_of(op.result)), shape_of(op.result.type)
    if packing is Packing.DENSE:
        return stored
    try:
        rows = stored.view(np.uint8).reshape(packed_rows(packing, shape[0]), -1)
        return unpack_rows(rows, int(np.prod(shape[1:])), packing, shape[0]).reshape(shape)
    except ValueError as error:
        raise TfmbsError("ir.verify", place(op.location), f"'tfmbs.constant' op value: {error}") from error


def weights_of(op: Any) -> list[Array]:
    """The constant weights of a kernel: one array for each right operand that is constant."""
    if isinstance(op, FusedGemvOp):
        candidates = [constant_elements(rhs) for rhs in op.rhs]
    elif isinstance(op, PRODUCTS):
        candidates = [constant_elements(right(op))]
    else:
        return []
    return [array for array in candidates if array is not None]


def left(op: Any) -> Any:
    """The left operand of a product: the input of a convolution."""
    return op.operation.operands[0]


def right(op: Any) -> Any:
    """The right operand of a product: the filter of a convolution."""
    return op.operation.operands[1]


def replace_right(op: Any, value: Any) -> None:
    """Gives a product another right operand, and erases the constant that only it read."""
    source = defining_op(right(op))
    op.operation.operands[1] = value
    if isinstance(source, LEAVES) and not list(source.result.uses):
        source.operation.erase()


def own_operands(op: Any) -> list[Any]:
    """The operands of a product without those of its epilogue."""
    operands = list(op.operation.operands)
    return operands[: len(operands) - len(op.epilogue_operands)]


def channel_axis(op: Any) -> int:
    """The axis of a product's result that counts output channels."""
    return 1 if isinstance(op, ConvolutionOp) else len(shape_of(op.result.type)) - 1


def kernel_name(op: Any) -> str:
    """The op's name without the dialect: ``conv2d``."""
    return str(op.operation.name.partition(".")[2])


def sole_user(value: Any) -> Any:
    """The op that uses a value, None unless there is exactly one use."""
    uses = list(value.uses)
    return uses[0].owner.opview if len(uses) == 1 else None


def rebuild(op: Any, operands: list[Any], element: Any, kind: Any = None, **attributes: Any) -> Any:
    """A kernel like `op` (of class `kind`, if given) at the insertion point, with these operands and result elements.

    Attributes are the op's own but for those given; the epilogue is empty.
    """
    kind = type(op) if kind is None else kind
    declared = {field.name: op.attributes[field.name] for field in kind.attribute_fields}
    return kind.build(
        operands,
        [tensor_type(shape_of(op.result.type), element)],
        discardable=op.discardable(),
        **{**declared, **attributes},
    )


def erase(op: Any) -> None:
    """Erases an unused op, and the constants and empty tensors that only it read."""
    sources: list[Any] = []
    for source in map(defining_op, op.operation.operands):
        if isinstance(source, LEAVES) and source not in sources:
            sources.append(source)
    op.operation.erase()
    for source in sources:
        if not list(source.result.uses):
            source.operation.erase()


def refusal(op: Any, code: str, what: str, expected: object = None, got: object = None) -> TfmbsError:
    """The error of a pass that does not accept an op: at its location, naming it."""
    return TfmbsError(code, place(op.location), f"'{op.operation.name}' op {what}", expected, got)


def move_epilogue(source: Any, to: Any) -> None:
    """Moves the epilogue of a product, if it has one, into another that has none."""
    if source.has_epilogue:
        source.epilogue_block.append_to(to.operation.regions[0])
