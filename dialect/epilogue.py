"""The epilogue region that kernels share: scalar arith/math code applied to each accumulator while it is on chip."""

from collections.abc import Sequence
from typing import Any

from tfmbs.dialect.base import Op, VerifyError
from tfmbs.dialect.checks import expect, expect_length, expect_one_of, expect_shape, expect_type, static_shape
from tfmbs.dialect.mlir import ext, ir
from tfmbs.dialect.scalars import SCALAR_CODE, is_scalar_code
from tfmbs.dialect.shapes import Shape, elements
from tfmbs.dialect.types import storage_type

ROLES = {
    "channel": "rank 1, indexed by output channel",
    "element": "the shape of the result, indexed like it",
    "scalar": "one element",
}


class YieldOp(Op, name="yield", traits=[ir.IsTerminatorTrait, ext.Pure]):
    """Ends an epilogue; its operand is the element of the result."""

    value: ext.Operand[Any]

    def check(self) -> None:
        parent = self.operation.parent
        if not isinstance(parent.opview, EpilogueOp):
            raise VerifyError(f"parent: expected an op with an epilogue, got {parent.name}")


class EpilogueOp(Op):
    """Base of the ops that carry an epilogue: `roles` and the region are declared by each, the accessors are here."""

    @property
    def has_epilogue(self) -> bool:
        """Whether the region holds code; without it results are the accumulators."""
        return len(self.operation.regions[0].blocks) > 0

    @property
    def epilogue_block(self) -> Any:
        """The block of the epilogue: arguments are the accumulator, then one per epilogue operand."""
        return self.operation.regions[0].blocks[0]

    def begin_epilogue(self) -> Any:
        """Give an op whose region is empty its block, with the arguments that operands and accumulator ask for."""
        types = [self.accumulator, *(storage_type(operand.type.element_type) for operand in self.epilogue_operands)]
        return self.operation.regions[0].blocks.append(*types, arg_locs=[self.operation.location] * len(types))

    @property
    def accumulator(self) -> Any:
        """Element type of the accumulator."""
        raise NotImplementedError


def yield_(value: Any, *, loc: Any = None, ip: Any = None) -> Any:
    """Build the terminator of an epilogue."""
    return YieldOp.build([value], [], loc=loc, ip=ip)


def check_epilogue(op: Any, accumulator: Any, result: Shape, channel_axis: int, element: Any, kind: type) -> None:
    """Operands, roles and region of `op` fit its result of shape `result` and element type `element`.

    Quantized elements enter and leave the region as their storage integers. `kind` is the class of the operand types.
    """
    operands, roles = tuple(op.epilogue_operands), op.roles
    expect_length("roles", len(operands), roles)
    for index, (operand, role) in enumerate(zip(operands, roles, strict=True)):
        _check_operand(f"epilogue operand {index}", operand, role, result, channel_axis, kind)
    if op.has_epilogue:
        _check_region(op, [accumulator, *(storage_type(operand.type.element_type) for operand in operands)], element)
    else:
        expect("number of epilogue operands", 0, len(operands), "the epilogue is empty")
        expect_type("result element type", accumulator, element, "the accumulator, without an epilogue")


def _check_operand(what: str, operand: Any, role: Any, result: Shape, channel_axis: int, kind: type) -> None:
    expect_one_of(f"{what} role", ROLES, role)
    shape = static_shape(what, operand, kind)
    if role == "channel":
        expect_shape(f"{what} shape", (result[channel_axis],), shape, "role channel")
    elif role == "element":
        expect_shape(f"{what} shape", result, shape, "role element")
    else:
        expect(f"{what} elements", 1, elements(shape), "role scalar")


def _check_region(op: Any, arguments: Sequence[Any], element: Any) -> None:
    blocks = op.operation.regions[0].blocks
    expect("number of epilogue blocks", 1, len(blocks))
    block = blocks[0]
    expect("number of epilogue arguments", len(arguments), len(block.arguments), "accumulator and operands")
    for index, (argument, wanted) in enumerate(zip(block.arguments, arguments, strict=True)):
        expect_type(f"epilogue argument {index}", wanted, argument.type)
    if not len(block.operations):
        raise VerifyError("epilogue terminator: expected tfmbs.yield, got an empty block")
    *body, last = block.operations
    for inner in body:
        _check_scalar_op(inner.operation)
    if not isinstance(last, YieldOp):
        raise VerifyError(f"epilogue terminator: expected tfmbs.yield, got {last.operation.name}")
    expect_type("epilogue result", storage_type(element), last.value.type, "element type of the result")


def _check_scalar_op(inner: Any) -> None:
    if not is_scalar_code(inner.name):
        raise VerifyError(f"epilogue op: expected {SCALAR_CODE}, got {inner.name}")
    for value in (*inner.operands, *inner.results):
        if isinstance(value.type, ir.ShapedType):
            raise VerifyError(f"epilogue op {inner.name}: expected scalars, got {value.type}")
