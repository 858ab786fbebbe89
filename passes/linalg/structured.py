"""Building `linalg` structured ops over tensors or memrefs with static shapes, and cloning scalar code into them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tfmbs.dialect.mlir import ir, linalg, tensor
from tfmbs.dialect.shapes import Shape
from tfmbs.passes.linalg.scalar import constant

PARALLEL, REDUCTION = "parallel", "reduction"
Mapped = tuple[Any, Any]  # a value and the affine map from the loops to its elements


def dims(*positions: int) -> list[Any]:
    """Affine expressions of the loops at these positions."""
    return [ir.AffineDimExpr.get(position) for position in positions]


def mapping(loops: int, results: Sequence[Any]) -> Any:
    """The affine map from `loops` loops to `results` (affine expressions, or loop positions)."""
    exprs = [ir.AffineDimExpr.get(result) if isinstance(result, int) else result for result in results]
    return ir.AffineMap.get(loops, 0, exprs)


def identity(rank: int) -> Any:
    """The map of an elementwise operand."""
    return ir.AffineMap.get_identity(rank)


def generic(
    inputs: Sequence[Mapped],
    inits: Sequence[Mapped],
    iterators: Sequence[str],
    body: Callable[..., Any],
    discardable: Mapping[str, Any] | None = None,
) -> Any:
    """A `linalg.generic`; `body` gets a scalar per input and init and returns the yielded scalar or a list of them."""
    operands, outs = [value for value, _ in inputs], [value for value, _ in inits]
    op = linalg.GenericOp(
        [out.type for out in outs if isinstance(out.type, ir.RankedTensorType)],
        operands,
        outs,
        ir.ArrayAttr.get([ir.AffineMapAttr.get(affine_map) for _, affine_map in (*inputs, *inits)]),
        ir.ArrayAttr.get([ir.Attribute.parse(f"#linalg.iterator_type<{name}>") for name in iterators]),
    )
    for name, attribute in (discardable or {}).items():
        op.operation.attributes[name] = attribute
    scalars = [value.type.element_type for value in (*operands, *outs)]
    block = op.regions[0].blocks.append(*scalars, arg_locs=[ir.Location.current] * len(scalars))
    with ir.InsertionPoint(block):
        yielded = body(*block.arguments)
        linalg.YieldOp(yielded if isinstance(yielded, list) else [yielded])
    return op


def elementwise(
    inputs: Sequence[Mapped],
    sizes: Shape,
    element: Any,
    body: Callable[..., Any],
    discardable: Mapping[str, Any] | None = None,
) -> Any:
    """The tensor `result[i] = body(inputs…)` of shape `sizes`."""
    init = empty(sizes, element)
    rank = len(sizes)
    op = generic(inputs, [(init, identity(rank))], [PARALLEL] * rank, lambda *s: body(*s[:-1]), discardable)
    return op.results[0]


def empty(sizes: Shape, element: Any) -> Any:
    """A tensor whose elements are not defined."""
    return tensor.EmptyOp(list(sizes), element).result


def filled(sizes: Shape, element: Any, value: float) -> Any:
    """A tensor with every element `value`."""
    return linalg.fill(constant(element, value), outs=[empty(sizes, element)])


def broadcast_map(rank: int, shape: Shape, axis: int) -> Any:
    """The map of an operand that is one element, or has one per index of loop `axis`, under `rank` loops."""
    if all(size == 1 for size in shape):
        return mapping(rank, [ir.AffineConstantExpr.get(0)] * len(shape))
    return mapping(rank, [axis])


def inline(block: Any, arguments: Sequence[Any], captured: Mapping[Any, Any] | None = None) -> list[Any]:
    """Clones the ops of `block` at the current insertion point; returns what its terminator passes on.

    `captured` maps values from outside the block to what stands for them in the clone, by default themselves.
    """
    values = dict(captured or {}) | dict(zip(block.arguments, arguments, strict=True))
    for op in block.operations:
        operation = op.operation
        if operation == block.operations[len(block.operations) - 1].operation:
            return [values.get(operand, operand) for operand in operation.operands]
        copy = operation.clone()
        for index, operand in enumerate(operation.operands):
            copy.operands[index] = values.get(operand, operand)
        values |= dict(zip(operation.results, copy.results, strict=True))
    raise ValueError("a block without a terminator cannot be inlined")


def same_code(first: Any, second: Any) -> bool:
    """Whether two blocks that read nothing from outside compute the same; None stands for no block."""
    if first is None or second is None:
        return first is second
    if [argument.type for argument in first.arguments] != [argument.type for argument in second.arguments]:
        return False
    if len(first.operations) != len(second.operations):
        return False
    same = dict(zip(first.arguments, second.arguments, strict=True))
    for a, b in zip(first.operations, second.operations, strict=True):
        one, other = a.operation, b.operation
        alike = one.name == other.name and {**one.attributes} == {**other.attributes}
        reads = [same[value] for value in one.operands] == list(other.operands)
        gives = [value.type for value in one.results] == [value.type for value in other.results]
        if not (alike and reads and gives):
            return False
        same |= dict(zip(one.results, other.results, strict=True))
    return True
