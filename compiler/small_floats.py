"""f16 and bf16 as the integers of their bits, before LLVM sees a module.

LLVM has its own ways with these types: it computes in f32 behind the scenes, calls conversion functions that are not
there, and makes signalling NaNs quiet. Where a program only moves them, i16 does the same and nothing can happen.
"""

from __future__ import annotations

from typing import Any

from tfmbs.dialect.location import place
from tfmbs.dialect.mlir import arith, func, ir
from tfmbs.passes.graph.kernels import ops_where
from tfmbs.passes.linalg.formats import is_small
from tfmbs.runtime.abi.errors import TfmbsError

_MOVES = frozenset({"arith.constant", "arith.bitcast", "arith.select"})


def hide_small_floats(module: Any) -> None:
    """Gives every value with f16 or bf16 elements i16 elements.

    Raises:
        TfmbsError: ``unsupported``, an op computes in these types: `tfmbs-expand-arith` spells such ops out.
    """
    with module.operation.context:
        for op in ops_where(module, lambda op: True):
            _hide(op.operation)


def _bits_type(type_: Any) -> Any:
    """The type with i16 for f16 and bf16; None where nothing changes."""
    if is_small(type_):
        return ir.IntegerType.get_signless(16)
    if not isinstance(type_, ir.ShapedType) or not is_small(type_.element_type):
        return None
    bits = ir.IntegerType.get_signless(16)
    if isinstance(type_, ir.RankedTensorType):
        return ir.RankedTensorType.get(type_.shape, bits, type_.encoding)
    if isinstance(type_, ir.MemRefType):
        return ir.MemRefType.get(type_.shape, bits, type_.layout, type_.memory_space)
    raise TfmbsError("unsupported", "byte reference", f"type {type_}")


def _hide(op: Any) -> None:
    for region in op.regions:
        for block in region.blocks:
            for argument in block.arguments:
                if (type_ := _bits_type(argument.type)) is not None:
                    argument.set_type(type_)
    if isinstance(op.opview, func.FuncOp):
        function = op.opview.type
        kinds = [[_bits_type(t) or t for t in types] for types in (function.inputs, function.results)]
        op.attributes["function_type"] = ir.TypeAttr.get(ir.FunctionType.get(*kinds))
    small = [result for result in op.results if _bits_type(result.type) is not None]
    if not small:
        return
    if op.name == "arith.constant":
        _hide_constant(op)
        return
    if op.name.split(".")[0] in ("arith", "math") and op.name not in _MOVES:
        raise TfmbsError("unsupported", place(op.location), f"{op.name} in f16 or bf16 after tfmbs-expand-arith")
    for result in small:
        result.set_type(_bits_type(result.type))


def _hide_constant(op: Any) -> None:
    """A bitcast stands for the constant, until canonicalization folds it: it knows the bits of every attribute."""
    result = op.results[0]
    uses = [(use.owner, use.operand_number) for use in result.uses]
    with op.location, ir.InsertionPoint.after(op):
        bits = arith.BitcastOp(_bits_type(result.type), result).result
    for owner, number in uses:
        owner.operands[number] = bits
