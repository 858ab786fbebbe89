"""Structured ops by their one general form: any `linalg` op, and a copy of a memref, as `linalg.generic`."""

from __future__ import annotations

from typing import Any

from tfmbs.dialect.location import place
from tfmbs.dialect.mlir import ir, linalg
from tfmbs.dialect.shapes import shape_of
from tfmbs.passes.graph.kernels import ops_where
from tfmbs.passes.linalg.structured import PARALLEL, REDUCTION, generic, identity
from tfmbs.runtime.abi.errors import TfmbsError

_COPY = "memref.copy"
GENERIC = frozenset({"linalg.generic", "linalg.index", "linalg.yield"})
_INHERENT = frozenset(
    {
        "indexing_maps", "iterator_types", "operandSegmentSizes", "linalg.memoized_indexing_maps", "strides",
        "dilations", "dimensions", "cast", "permutation",
    }
)  # fmt: skip


def generalize(root: Any, kept: frozenset[str] = GENERIC) -> None:
    """Replaces each `linalg` op below `root` that is not `kept`, and each `memref.copy`, by a `linalg.generic`.

    Raises:
        TfmbsError: ``unsupported``, one has no body to take over (`linalg.pack`, for one).
    """
    for found in ops_where(
        root, lambda op: op.operation.name.startswith("linalg.") or op.operation.name == "memref.copy"
    ):
        op = found.operation
        if op.name in kept:
            continue
        with op.location, ir.InsertionPoint(op):
            if op.name == _COPY:
                _copy(op)
            else:
                _generalize(op)


def _copy(op: Any) -> None:
    source, target = op.operands
    if source.type == target.type and source == target:
        op.erase()
        return
    maps = identity(len(shape_of(source.type)))
    generic([(source, maps)], [(target, maps)], [PARALLEL] * maps.n_dims, lambda new, _: new)
    op.erase()


def _generalize(op: Any) -> None:
    if not len(op.regions):
        raise TfmbsError("unsupported", place(op.location), f"{op.name} has no generic form")
    maps = linalg.get_indexing_maps(op)
    result_map = list(maps)[-1].value
    parallel = {expr.position for expr in result_map.results if isinstance(expr, ir.AffineDimExpr)}
    kinds = [PARALLEL if loop in parallel else REDUCTION for loop in range(result_map.n_dims)]
    outputs = max(len(op.results), 1)
    attributes = {name: op.attributes[name] for name in op.attributes if name not in _INHERENT}
    attributes |= {
        "indexing_maps": maps,
        "iterator_types": ir.ArrayAttr.get([ir.Attribute.parse(f"#linalg.iterator_type<{kind}>") for kind in kinds]),
        "operandSegmentSizes": ir.DenseI32ArrayAttr.get([len(op.operands) - outputs, outputs]),
    }
    results = [value.type for value in op.results]
    built = ir.Operation.create(
        "linalg.generic", results=results, operands=list(op.operands), attributes=attributes, regions=1
    )
    op.regions[0].blocks[0].append_to(built.regions[0])
    for old, new in zip(op.results, built.results, strict=True):
        old.replace_all_uses_with(new)
    op.erase()
