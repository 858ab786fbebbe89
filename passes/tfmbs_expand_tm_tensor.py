"""The pass ``tfmbs-expand-tm-tensor``: torch-mlir's scans, scatters and sorts as loops over elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.location import place
from tfmbs.dialect.mlir import arith, ir, scf, tensor
from tfmbs.dialect.shapes import shape_of
from tfmbs.passes.graph.kernels import ops_where
from tfmbs.passes.linalg.scalar import constant, select
from tfmbs.passes.linalg.structured import inline
from tfmbs.passes.registry import Pass
from tfmbs.runtime.abi.errors import TfmbsError

Body = Callable[[list[Any], list[Any]], list[Any]]
"""Builds an iteration: gets the loop indices and the carried values, returns the new ones."""


@dataclass(frozen=True)
class TfmbsExpandTmTensor(Pass):
    """Writes `tm_tensor.scan`, `scatter` and `sort`, to which torch-mlir lowers, as scf loops over elements.

    A sort runs odd-even transposition: equal elements keep their order, and the exchanges of a pass are independent. A
    `cf.assert` on an index goes: the device checks each address. Other `tm_tensor` ops are refused by name.

    Before:

        func.func @f(%x: tensor<8xf32>, %y: tensor<8xf32>, %s: tensor<f32>) -> tensor<8xf32> {
          %0:2 = tm_tensor.scan dimension(0) inclusive(true) ins(%x : tensor<8xf32>)
              outs(%y, %s : tensor<8xf32>, tensor<f32>) {
          ^bb0(%a: f32, %b: f32):
            %1 = arith.addf %a, %b : f32
            tm_tensor.yield %1 : f32
          } -> tensor<8xf32>, tensor<f32>
          return %0#0 : tensor<8xf32>
        }

    After:

        func.func @f(%arg0: tensor<8xf32>, %arg1: tensor<8xf32>, %arg2: tensor<f32>) -> tensor<8xf32> {
          %c0 = arith.constant 0 : index
          %extracted = tensor.extract %arg0[%c0] : tensor<8xf32>
          %inserted = tensor.insert %extracted into %arg1[%c0] : tensor<8xf32>
          %c1 = arith.constant 1 : index
          %c8 = arith.constant 8 : index
          %c1_0 = arith.constant 1 : index
          %0:2 = scf.for %arg3 = %c1 to %c8 step %c1_0 iter_args(%arg4 = %inserted, %arg5 = %extracted)
              -> (tensor<8xf32>, f32) {
            %extracted_2 = tensor.extract %arg0[%arg3] : tensor<8xf32>
            %1 = arith.addf %arg5, %extracted_2 : f32
            %inserted_3 = tensor.insert %1 into %arg4[%arg3] : tensor<8xf32>
            scf.yield %inserted_3, %1 : tensor<8xf32>, f32
          }
          %inserted_1 = tensor.insert %0#1 into %arg2[] : tensor<f32>
          return %0#0 : tensor<8xf32>
        }
    """

    def run(self, module: Any) -> None:
        for found in ops_where(module, lambda op: op.operation.name.startswith(("tm_tensor.", "cf.assert"))):
            op = found.operation
            if op.name in ("cf.assert", "tm_tensor.yield"):
                continue
            expand = _EXPANSIONS.get(op.name)
            if expand is None:
                raise TfmbsError("unsupported", place(op.location), f"{op.name} has no form in loops")
            if dynamic := [value.type for value in op.operands if not value.type.has_static_shape]:
                raise TfmbsError("unsupported", place(op.location), f"{op.name}: shape", "static sizes", dynamic[0])
            with op.location, ir.InsertionPoint(op):
                results = expand(op)
            for old, new in zip(op.results, results, strict=True):
                old.replace_all_uses_with(new)
            op.erase()
        for found in ops_where(module, lambda op: op.operation.name == "cf.assert"):
            found.operation.erase()


def _index(value: int) -> Any:
    return constant(ir.IndexType.get(), value)


def _loop(start: Any, end: Any, step: int, carried: Sequence[Any], body: Body) -> list[Any]:
    """One loop; what it carries behind it."""
    loop = scf.ForOp(start, end, _index(step), list(carried))
    with ir.InsertionPoint(loop.body):
        scf.YieldOp(body([loop.induction_variable], list(loop.inner_iter_args)))
    return list(loop.results)


def _loops(sizes: Sequence[int], carried: Sequence[Any], body: Body) -> list[Any]:
    """A loop for each of `sizes`, the last one innermost."""
    if not sizes:
        return body([], list(carried))

    def inside(index: list[Any], values: list[Any]) -> list[Any]:
        return _loops(sizes[1:], values, lambda rest, inner: body([*index, *rest], inner))

    return _loop(_index(0), _index(sizes[0]), 1, carried, inside)


def _without(items: Sequence[Any], dim: int) -> list[Any]:
    return [*items[:dim], *items[dim + 1 :]]


def _with(items: Sequence[Any], dim: int, item: Any) -> list[Any]:
    return [*items[:dim], item, *items[dim:]]


def _scan(op: Any) -> list[Any]:
    """The first element is the first of the input, or where `inclusive` is not set the initial value."""
    source, out, total = op.operands
    dim, inclusive = op.attributes["dimension"].value, bool(op.attributes["inclusive"].value)
    shape, block = shape_of(source.type), op.regions[0].blocks[0]

    def along(outer: list[Any], carried: list[Any]) -> list[Any]:
        first = _with(outer, dim, _index(0))
        start = tensor.ExtractOp(source, first).result if inclusive else tensor.ExtractOp(total, outer).result

        def step(index: list[Any], values: list[Any]) -> list[Any]:
            (position,), (target, last) = index, values
            read = position if inclusive else arith.SubIOp(position, _index(1)).result
            element = tensor.ExtractOp(source, _with(outer, dim, read)).result
            (combined,) = inline(block, [last, element])
            return [tensor.InsertOp(combined, target, _with(outer, dim, position)).result, combined]

        begun = tensor.InsertOp(start, carried[0], first).result
        target, last = _loop(_index(1), _index(shape[dim]), 1, [begun, start], step)
        return [target, tensor.InsertOp(last, carried[1], outer).result]

    return _loops(_without(shape, dim), [out, total], along)


def _scatter(op: Any) -> list[Any]:
    """One update after the other; the body combines it with the element that it goes to."""
    updates, indices, original = op.operands
    dims, block = list(op.attributes["dimension_map"]), op.regions[0].blocks[0]
    rank = len(shape_of(original.type))

    def update(at: list[Any], carried: list[Any]) -> list[Any]:
        within = at[1:]
        places: list[Any] = [*[None] * (rank - len(within)), *within]
        for depth, dim in enumerate(dims):
            stored = tensor.ExtractOp(indices, [at[0], _index(depth)]).result
            index = arith.IndexCastOp(ir.IndexType.get(), stored).result
            places[dim] = index if places[dim] is None else arith.AddIOp(index, places[dim]).result
        new, old = tensor.ExtractOp(updates, at).result, tensor.ExtractOp(carried[0], places).result
        (value,) = inline(block, [new, old])
        return [tensor.InsertOp(value, carried[0], places).result]

    return _loops(shape_of(updates.type), [original], update)


def _sort(op: Any) -> list[Any]:
    """Neighbours change places unless the body says that they are in order, in as many passes as there are elements."""
    tensors, dim, block = list(op.operands), op.attributes["dimension"].value, op.regions[0].blocks[0]
    shape = shape_of(tensors[0].type)
    size = shape[dim]

    def sort(outer: list[Any], carried: list[Any]) -> list[Any]:
        def exchange(index: list[Any], values: list[Any]) -> list[Any]:
            here, there = (_with(outer, dim, i) for i in (index[0], arith.AddIOp(index[0], _index(1)).result))
            pairs = [(tensor.ExtractOp(v, here).result, tensor.ExtractOp(v, there).result) for v in values]
            (ordered,) = inline(block, [value for pair in pairs for value in pair])
            results = []
            for value, (a, b) in zip(values, pairs, strict=True):
                low = tensor.InsertOp(select(ordered, a, b), value, here).result
                results.append(tensor.InsertOp(select(ordered, b, a), low, there).result)
            return results

        def two_passes(_: list[Any], values: list[Any]) -> list[Any]:
            for first in (0, 1):
                values = _loop(_index(first), _index(size - 1), 2, values, exchange)
            return values

        return _loop(_index(0), _index((size + 1) // 2), 1, carried, two_passes)

    return _loops(_without(shape, dim), tensors, sort)


_EXPANSIONS: dict[str, Callable[[Any], list[Any]]] = {
    "tm_tensor.scan": _scan,
    "tm_tensor.scatter": _scatter,
    "tm_tensor.sort": _sort,
}
