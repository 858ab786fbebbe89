"""Which ops of a function are structured code, out of reach of the rules of the bufferizer, and the runs of these."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.mlir import ir
from tfmbs.dialect.scalars import is_scalar_code

_DIALECTS = frozenset({"affine", "arith", "bufferization", "linalg", "math", "scf", "tensor"})
TRANSPARENT = frozenset({"arith.constant", "tensor.empty"})
"""Ops that stand anywhere and end no run: each of their users has them made where it wants them."""


@dataclass(frozen=True)
class Run:
    """Adjacent structured ops, in order; the values that enter and leave: tensors, and scalars that are computed."""

    ops: tuple[Any, ...]
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]


def runs(ops: Sequence[Any], rules: Mapping[str, Any]) -> dict[Any, Run]:
    """The runs among the ops of a block, each under its last op."""
    found: dict[Any, Run] = {}
    current: list[Any] = []
    for op in ops:
        if op.name in TRANSPARENT and not _has_dynamic_shape(op):
            continue
        if is_structured(op, rules):
            current.append(op)
            continue
        if current:
            found[current[-1]] = _run(current)
        current = []
    if current:
        found[current[-1]] = _run(current)
    return found


def is_structured(op: Any, rules: Mapping[str, Any]) -> bool:
    """Whether an op of the function's block asks for structured code."""
    if op.name.split(".", maxsplit=1)[0] not in _DIALECTS and not is_scalar_code(op.name):
        return False
    if op.name not in rules or _has_dynamic_shape(op):
        return True
    beyond = _BEYOND_RULES.get(op.name)
    return (beyond is not None and beyond(op)) or _is_only_inserted(op)


def is_constant(value: Any) -> bool:
    """Whether a scalar is the result of a constant."""
    return not isinstance(value.owner, ir.Block) and value.owner.name == "arith.constant"


def outside_values(op: Any) -> Iterator[Any]:
    """Operands of `op` and of the ops in it that are made outside of `op`, in textual order; some may repeat."""
    inside = set(nested(op))
    for inner in nested(op):
        for operand in inner.operands:
            owner = operand.owner.owner if isinstance(operand.owner, ir.Block) else operand.owner
            if owner.operation not in inside:
                yield operand


def nested(op: Any) -> Iterator[Any]:
    """`op` and every op in its regions, in textual order."""
    yield op.operation
    for region in op.regions:
        for block in region.blocks:
            for inner in block.operations:
                yield from nested(inner.operation)


def _is_beyond_nests(op: Any) -> bool:
    """Whether a `linalg.generic` has regions or memory accesses in its body, or scalars that are computed."""
    block = op.regions[0].blocks[0]
    if any(len(inner.operation.regions) or inner.operation.name == "tensor.extract" for inner in block.operations):
        return True
    scalars = [value for value in outside_values(op) if not isinstance(value.type, ir.ShapedType)]
    return not all(is_constant(value) for value in scalars)


def _is_only_inserted(op: Any) -> bool:
    """Whether all that elementwise code computes goes to computed places of other tensors: it may write it there."""
    if op.name != "linalg.generic" or any("parallel" not in str(kind) for kind in op.attributes["iterator_types"]):
        return False
    uses = [use for result in op.results for use in result.uses]
    return bool(uses) and all(_inserts(use.owner.operation, use.operand_number) for use in uses)


def _inserts(op: Any, operand: int) -> bool:
    return bool(op.name == "tensor.insert_slice" and operand == 0 and _is_at_computed_place(op))


def _has_computed_scalars(op: Any) -> bool:
    scalars = [value for value in op.operands if not isinstance(value.type, ir.ShapedType)]
    return not all(is_constant(value) for value in scalars)


def _is_at_computed_place(op: Any) -> bool:
    return any(size < 0 for part in ("offsets", "sizes", "strides") for size in op.attributes[f"static_{part}"])


def _is_computed_padding(op: Any) -> bool:
    block = op.regions[0].blocks[0]
    (padding,) = block.operations[len(block.operations) - 1].operands
    return len(op.operands) > 1 or any(n < 0 for n in op.attributes["static_low"]) or not is_constant(padding)


_BEYOND_RULES: dict[str, Callable[[Any], bool]] = {
    "linalg.fill": _has_computed_scalars,
    "linalg.generic": _is_beyond_nests,
    "tensor.extract_slice": _is_at_computed_place,
    "tensor.from_elements": _has_computed_scalars,
    "tensor.insert_slice": _is_at_computed_place,
    "tensor.pad": _is_computed_padding,
    "tensor.splat": _has_computed_scalars,
}
"""When an op that has a rule is out of its reach."""


def _has_dynamic_shape(op: Any) -> bool:
    types = [value.type for value in (*op.operands, *op.results)]
    return any(isinstance(type_, ir.RankedTensorType) and not type_.has_static_shape for type_ in types)


def _run(ops: Sequence[Any]) -> Run:
    members = set(ops)
    reads = [value for op in ops for value in outside_values(op)]
    inputs = dict.fromkeys(value for value in reads if not _is_made_by(value, members) and not _is_transparent(value))
    results = [result for op in ops for result in op.results]
    outputs = [result for result in results if any(_block_op(use.owner, ops[0]) not in members for use in result.uses)]
    return Run(tuple(ops), tuple(inputs), tuple(outputs))


def _is_made_by(value: Any, members: set[Any]) -> bool:
    return not isinstance(value.owner, ir.Block) and value.owner.operation in members


def _is_transparent(value: Any) -> bool:
    """A scalar constant or an undefined tensor, which is copied into the code that uses it."""
    if isinstance(value.owner, ir.Block):
        return False
    name = value.owner.name
    return name == "tensor.empty" or (name == "arith.constant" and not isinstance(value.type, ir.ShapedType))


def _block_op(op: Any, sibling: Any) -> Any:
    """The op of `sibling`'s block that is or contains `op`."""
    operation = op.operation
    while operation.block != sibling.block:
        operation = operation.parent.operation
    return operation
