"""`tensor.gather` and `tensor.scatter` as code that all later passes know: `linalg.generic`, `scf.for` and slices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfmbs.dialect.location import place
from tfmbs.dialect.mlir import arith, ir, linalg, scf, tensor
from tfmbs.dialect.shapes import Shape, element_of, shape_of, tensor_type
from tfmbs.passes.linalg import scalar
from tfmbs.passes.linalg.structured import elementwise, mapping
from tfmbs.runtime.abi.errors import TfmbsError

Value = Any


def gathered(op: Any) -> Value:
    """The tensor of a `tensor.gather`: an element-wise op that reads the source at computed places."""
    dims = [int(dim) for dim in op.gather_dims]
    source, indices, result = op.source, op.indices, shape_of(op.result.type)
    _check(op, source, indices, op.result)
    batch, rank = len(shape_of(indices.type)) - 1, len(result)
    loops = _slice_loops(shape_of(source.type), dims, batch, rank)
    inputs = [
        (indices, mapping(rank, [*range(batch), ir.AffineConstantExpr.get(number)])) for number in range(len(dims))
    ]

    def body(*coordinates: Value) -> Value:
        places: list[Value] = []
        gathered_at = iter(coordinates)
        for dim, loop in enumerate(loops):
            if dim in dims:
                places.append(_as_index(next(gathered_at)))
            else:
                places.append(linalg.IndexOp(ir.IntegerAttr.get(ir.IntegerType.get_signless(64), loop)).result)
        return tensor.ExtractOp(source, places).result

    return elementwise(inputs, result, element_of(op.result), body)


def scattered(op: Any) -> Value:
    """The tensor of a `tensor.scatter`: a loop over the places, each of which takes a slice of the source."""
    dims = [int(dim) for dim in op.scatter_dims]
    source, dest, indices = op.source, op.dest, op.indices
    _check(op, source, dest, indices)
    batch = shape_of(indices.type)[:-1]
    return _scatter_loop(source, dest, indices, dims, batch, [])


def _scatter_loop(
    source: Value, dest: Value, indices: Value, dims: Sequence[int], batch: Shape, at: list[Value]
) -> Value:
    if len(at) == len(batch):
        return _scatter_slice(source, dest, indices, dims, at)
    loop = scf.ForOp(_index(0), _index(batch[len(at)]), _index(1), [dest])
    with ir.InsertionPoint(loop.body):
        inner = loop.inner_iter_args[0]
        scf.YieldOp([_scatter_loop(source, inner, indices, dims, batch, [*at, loop.induction_variable])])
    return loop.results[0]


def _scatter_slice(source: Value, dest: Value, indices: Value, dims: Sequence[int], at: list[Value]) -> Value:
    whole, given = shape_of(dest.type), shape_of(source.type)
    sliced = tensor_type(tuple(size for dim, size in enumerate(whole) if dim not in dims), element_of(source))
    none: list[Value] = []
    taken = [1] * len(at) + list(given[len(at) :])
    start = [*at, *[None] * (len(given) - len(at))]
    piece = tensor.ExtractSliceOp(sliced, source, at, none, none, _static(start), taken, [1] * len(given)).result
    numbers = {dim: _as_index(tensor.ExtractOp(indices, [*at, _index(i)]).result) for i, dim in enumerate(dims)}
    places = [numbers.get(dim) for dim in range(len(whole))]
    sizes = [1 if dim in dims else size for dim, size in enumerate(whole)]
    dynamic = [value for value in places if value is not None]
    return tensor.InsertSliceOp(piece, dest, dynamic, none, none, _static(places), sizes, [1] * len(whole)).result


def _static(offsets: Sequence[Value | None]) -> list[int]:
    """Offsets as the op's attribute has them: 0 where there is no value."""
    return [0 if offset is None else ir.ShapedType.get_dynamic_stride_or_offset() for offset in offsets]


def _slice_loops(source: Shape, dims: Sequence[int], batch: int, rank: int) -> list[int]:
    """For each dimension of the source that is not gathered, the loop of the result that runs over it."""
    full = rank == batch + len(source)  # gathered dimensions are kept as sizes of 1, or left out
    kept = iter(range(batch, rank))
    return [next(kept) if full or dim not in dims else -1 for dim in range(len(source))]


def _index(value: int) -> Value:
    return scalar.constant(ir.IndexType.get(), value)


def _as_index(value: Value) -> Value:
    """A coordinate, of index or a signed integer type, as index."""
    return value if isinstance(value.type, ir.IndexType) else arith.IndexCastOp(ir.IndexType.get(), value).result


def _check(op: Any, *tensors: Value) -> None:
    if not all(value.type.has_static_shape for value in tensors):
        raise TfmbsError("unsupported", place(op.location), op.operation.name, "static shapes")
