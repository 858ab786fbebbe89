"""Building the one shape of elementwise op: an all-parallel `linalg.generic` over static tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tfmbs.dialect.mlir import ir, linalg, tensor

Body = Callable[..., Any]


def elementwise(inputs: Sequence[tuple[Any, Sequence[int]]], sizes: Sequence[int], element: Any, body: Body) -> Any:
    """`result[i] = body(inputs…)` for every index i of `sizes`.

    Args:
        inputs: (tensor, dims) pairs; dims names, for each of the tensor's dimensions, the result's that indexes it.
        sizes: the result's shape.
        element: the result's element type.
        body: builds the scalar computation at the current insertion point, from one scalar per input to the result.
    """
    rank = len(sizes)
    maps = [ir.AffineMap.get(rank, 0, [ir.AffineDimExpr.get(d) for d in dims]) for _, dims in inputs]
    maps.append(ir.AffineMap.get_identity(rank))
    init = tensor.EmptyOp(list(sizes), element).result
    operands = [value for value, _ in inputs]
    generic = linalg.GenericOp(
        [init.type],
        operands,
        [init],
        ir.ArrayAttr.get([ir.AffineMapAttr.get(m) for m in maps]),
        ir.ArrayAttr.get([ir.Attribute.parse("#linalg.iterator_type<parallel>")] * rank),
    )
    scalars = [value.type.element_type for value in (*operands, init)]
    block = generic.regions[0].blocks.append(*scalars, arg_locs=[ir.Location.current] * len(scalars))
    with ir.InsertionPoint(block):
        linalg.YieldOp([body(*block.arguments[: len(operands)])])
    return generic.results[0]
