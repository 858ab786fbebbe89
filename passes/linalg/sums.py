"""Which reductions are sums in the fabric's order, and taking them out of structured ops with other results."""

from __future__ import annotations

from typing import Any

from tfmbs.dialect.mlir import ir, linalg
from tfmbs.passes.linalg.scalar import constant
from tfmbs.passes.linalg.structured import PARALLEL, REDUCTION, generic, inline

INHERENT = frozenset(
    {
        "indexing_maps", "iterator_types", "operandSegmentSizes", "linalg.memoized_indexing_maps", "strides",
        "dilations", "dimensions", "cast",
    }
)  # fmt: skip
"""The attributes of structured ops that belong to their form; all others ride along."""


def has_body(op: Any) -> bool:
    """Whether `op` is structured, generic or named."""
    return bool(op.operation.name.startswith("linalg.") and len(op.operation.regions))


def maps_of(op: Any) -> list[Any]:
    """The indexing maps of a structured op."""
    return [attribute.value for attribute in linalg.get_indexing_maps(op)]


def iterators_of(op: Any) -> list[str]:
    """The kinds of its loops; named ops have no list of them: the loops that do not index the result reduce."""
    if "iterator_types" in op.attributes:
        return [str(kind).split("<")[1].rstrip(">") for kind in op.attributes["iterator_types"]]
    result = maps_of(op)[-1]
    parallel = {expr.position for expr in result.results if isinstance(expr, ir.AffineDimExpr)}
    return [PARALLEL if loop in parallel else REDUCTION for loop in range(result.n_dims)]


def sums_of(op: Any) -> list[Any]:
    """The reductions by addition in `op`, each an op with one result; they are taken out of one with several."""
    if REDUCTION not in iterators_of(op):
        return []
    block = op.regions[0].blocks[0]
    count = len(block.operations[len(block.operations) - 1].operation.operands)
    sums = [output for output in range(count) if _is_sum(block, output, count)]
    if not sums or count == 1:
        return [op] if sums else []
    groups = [[output] for output in sums]
    others = [output for output in range(count) if output not in sums]
    parts = [_part(op, outputs) for outputs in (*groups, *([others] if others else []))]
    for outputs, part in zip((*groups, others), parts, strict=False):
        for output, result in zip(outputs, part.results, strict=False):
            op.results[output].replace_all_uses_with(result)
    op.erase()
    return parts[: len(sums)]


def _is_sum(block: Any, output: int, count: int) -> bool:
    """Whether a body yields, as result `output` of `count`, its accumulator plus what depends on no accumulator.

    Neither the accumulator nor the sum has another use. f32 and f64 only.
    """
    accumulators = list(block.arguments)[len(block.arguments) - count :]
    accumulator = accumulators[output]
    total = block.operations[len(block.operations) - 1].operation.operands[output]
    if not isinstance(total.type, ir.F32Type | ir.F64Type):
        return False
    added = total.owner
    if isinstance(added, ir.Block) or added.name != "arith.addf":
        return False
    others = [operand for operand in added.operands if operand != accumulator]
    if len(others) != 1 or any(sum(1 for _ in value.uses) != 1 for value in (accumulator, total)):
        return False
    return count == 1 or not _depends(others[0], accumulators, block)


def _depends(value: Any, arguments: list[Any], block: Any) -> bool:
    """Whether a value in the body `block` is made from one of these block arguments."""
    tainted = set(arguments)
    for op in block.operations:
        if _reads(op.operation) & tainted:
            tainted |= set(op.operation.results)
    return value in tainted


def _reads(op: Any) -> set[Any]:
    """The values that an op and the ops in its regions read."""
    inner = [
        _reads(nested.operation) for region in op.regions for block in region.blocks for nested in block.operations
    ]
    return set(op.operands).union(*inner)


def _part(op: Any, outputs: list[int]) -> Any:
    """A `linalg.generic` before `op` that computes only some of its results."""
    block = op.regions[0].blocks[0]
    count = len(block.operations[len(block.operations) - 1].operation.operands)
    first = len(op.operands) - count
    mapped = list(zip(op.operands, maps_of(op), strict=True))
    discardable = {name: op.attributes[name] for name in op.attributes if name not in INHERENT}

    def body(*scalars: Any) -> list[Any]:
        given = dict(zip(outputs, scalars[first:], strict=True))
        # What reads another accumulator only serves another result.
        unused = [constant(argument.type, 0) for argument in list(block.arguments)[first:]]
        yielded = inline(block, [*scalars[:first], *(given.get(i, unused[i]) for i in range(count))])
        return [yielded[output] for output in outputs]

    with op.location, ir.InsertionPoint(op):
        inits = [mapped[first + output] for output in outputs]
        return generic(mapped[:first], inits, iterators_of(op), body, discardable).operation
