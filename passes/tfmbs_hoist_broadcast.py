"""The pass ``tfmbs-hoist-broadcast``: what is the same along a loop is not computed again for each of its elements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from tfmbs.dialect.mlir import ir, linalg
from tfmbs.dialect.scalars import OF_MATH, SCALAR_OPS, is_scalar_code
from tfmbs.dialect.shapes import shape_of
from tfmbs.passes.graph.kernels import ops_of
from tfmbs.passes.linalg.structured import elementwise, generic, mapping
from tfmbs.passes.registry import Pass

SLOW = (
    SCALAR_OPS | frozenset(OF_MATH) | {f"arith.{name}" for name in ("divf", "divsi", "divui", "remf", "remsi", "remui")}
)
SLOW |= {"math.sqrt"}
"""Operations that take more than a cycle per lane group: worth a loop of their own."""


@dataclass(frozen=True)
class TfmbsHoistBroadcast(Pass):
    """Compute slow scalar code that some loops of a `linalg.generic` do not change in a generic without these loops.

    Upstream's fusion brings the rows' factors of a normalization, for one, into the code of all elements. A value is
    hoisted where it has a division, root or special function behind it, and saves `least` repetitions or more.

    Before:

        #id = affine_map<(d0, d1) -> (d0, d1)>
        #row = affine_map<(d0, d1) -> (d0)>
        func.func @f(%x: tensor<4x64xf32>, %v: tensor<4xf32>) -> tensor<4x64xf32> {
          %0 = tensor.empty() : tensor<4x64xf32>
          %1 = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
              ins(%x, %v : tensor<4x64xf32>, tensor<4xf32>) outs(%0 : tensor<4x64xf32>) {
          ^bb0(%a: f32, %b: f32, %out: f32):
            %2 = math.sqrt %b : f32
            %3 = arith.mulf %a, %2 : f32
            linalg.yield %3 : f32
          } -> tensor<4x64xf32>
          return %1 : tensor<4x64xf32>
        }

    After:

        #map = affine_map<(d0) -> (d0)>
        #map1 = affine_map<(d0, d1) -> (d0, d1)>
        #map2 = affine_map<(d0, d1) -> (d0)>
        func.func @f(%arg0: tensor<4x64xf32>, %arg1: tensor<4xf32>) -> tensor<4x64xf32> {
          %0 = tensor.empty() : tensor<4x64xf32>
          %1 = tensor.empty() : tensor<4xf32>
          %2 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%arg1 : tensor<4xf32>)
              outs(%1 : tensor<4xf32>) {
          ^bb0(%in: f32, %out: f32):
            %4 = math.sqrt %in : f32
            linalg.yield %4 : f32
          } -> tensor<4xf32>
          %3 = linalg.generic {indexing_maps = [#map1, #map2, #map2, #map1], iterator_types = ["parallel", "parallel"]}
              ins(%arg0, %arg1, %2 : tensor<4x64xf32>, tensor<4xf32>, tensor<4xf32>) outs(%0 : tensor<4x64xf32>) {
          ^bb0(%in: f32, %in_0: f32, %in_1: f32, %out: f32):
            %4 = arith.mulf %in, %in_1 : f32
            linalg.yield %4 : f32
          } -> tensor<4x64xf32>
          return %3 : tensor<4x64xf32>
        }
    """

    least: int = 16

    def run(self, module: Any) -> None:
        for op in ops_of(module, linalg.GenericOp):
            if all(isinstance(value.type, ir.RankedTensorType) for value in op.operation.operands):
                _Hoisting(op.operation, self.least).run()


class _Hoisting:
    """One generic."""

    def __init__(self, op: Any, least: int) -> None:
        self.op, self.least = op, least
        self.block = op.regions[0].blocks[0]
        self.maps = [attribute.value for attribute in op.attributes["indexing_maps"]]
        self.kinds = [str(kind).split("<")[1].rstrip(">") for kind in op.attributes["iterator_types"]]
        self.ins = len(self.maps) - len(op.results)
        self.sizes = self._sizes()
        self.body = [inner.operation for inner in self.block.operations][:-1]
        self.loops: dict[Any, frozenset[int]] = {}
        for argument, affine_map in zip(self.block.arguments, self.maps, strict=True):
            self.loops[argument] = frozenset(d for d in range(affine_map.n_dims) if _uses(affine_map, d))
        for init in list(self.block.arguments)[self.ins :]:
            self.loops[init] = frozenset(range(len(self.kinds)))

    def run(self) -> None:
        """Rewrites the generic where that pays."""
        values = self._hoisted() if self.sizes is not None else []
        if not values:
            return
        with self.op.location, ir.InsertionPoint(self.op):
            hoisted = [(self._computed(value), mapping(len(self.kinds), sorted(self.loops[value]))) for value in values]
            self._replaced(values, hoisted)

    @property
    def _yielded(self) -> list[Any]:
        return list(self.block.operations[len(self.block.operations) - 1].operation.operands)

    def _sizes(self) -> dict[int, int] | None:
        """Sizes of the loops; None where an operand does not say one by itself."""
        sizes = {}
        for operand, affine_map in zip(self.op.operands, self.maps, strict=True):
            for size, expr in zip(shape_of(operand.type), affine_map.results, strict=True):
                if isinstance(expr, ir.AffineDimExpr) and size >= 0:
                    sizes[expr.position] = size
        return sizes if len(sizes) == len(self.kinds) else None

    def _hoisted(self) -> list[Any]:
        """The last values that depend on fewer loops, with something slow behind them."""
        assert self.sizes is not None
        everything = frozenset(range(len(self.kinds)))
        for op in self.body:
            if len(op.regions) or len(op.results) != 1 or not (is_scalar_code(op.name) or op.name == "linalg.index"):
                for result in op.results:
                    self.loops[result] = everything
            elif op.name == "linalg.index":
                self.loops[op.results[0]] = frozenset({op.attributes["dim"].value})
            else:
                self.loops[op.results[0]] = frozenset().union(*(self.loops.get(v, frozenset()) for v in op.operands))
        found = []
        for op in self.body:
            value = op.results[0] if len(op.results) == 1 else None
            if value is None or not self.loops[value] or self._repeated(value) < self.least:
                continue
            users = [use.owner.operation for use in value.uses]
            last = any(
                user.name == "linalg.yield"
                or len(user.results) != 1
                or self.loops[user.results[0]] != self.loops[value]
                for user in users
            )
            if last and any(inner.name in SLOW for inner in self._behind(value)):
                found.append(value)
        return found

    def _repeated(self, value: Any) -> int:
        assert self.sizes is not None
        return prod(size for loop, size in self.sizes.items() if loop not in self.loops[value])

    def _behind(self, *values: Any, known: Sequence[Any] = ()) -> list[Any]:
        """The ops of the body that compute values, in order; what is `known` needs none."""
        needed = {value for value in values if value not in known}
        behind = []
        for op in reversed(self.body):
            if any(result in needed for result in op.results):
                needed |= {operand for operand in op.operands if operand not in known}
                behind.append(op)
        return behind[::-1]

    def _computed(self, value: Any) -> Any:
        """The tensor of a value, over the loops that it depends on."""
        assert self.sizes is not None
        behind, loops = self._behind(value), sorted(self.loops[value])
        arguments = list(self.block.arguments)
        read = [a for a in arguments if any(a == operand for op in behind for operand in op.operands)]
        found = {loop: ir.AffineDimExpr.get(number) for number, loop in enumerate(loops)}
        exprs = [found.get(loop, ir.AffineConstantExpr.get(0)) for loop in range(len(self.kinds))]
        places = ir.AffineMap.get(len(loops), 0, exprs)
        numbers = [arguments.index(argument) for argument in read]
        inputs = [
            (self.op.operands[n], ir.AffineMap.get(len(loops), 0, [e.compose(places) for e in self.maps[n].results]))
            for n in numbers
        ]

        def body(*scalars: Any) -> Any:
            known = dict(zip(read, scalars, strict=True))
            _clone(behind, known, {d: loops.index(d) for d in loops})
            return known[value]

        return elementwise(inputs, tuple(self.sizes[d] for d in loops), value.type, body)

    def _replaced(self, values: Sequence[Any], hoisted: Sequence[Any]) -> None:
        """The generic with the hoisted tensors as further inputs."""
        operands = list(zip(self.op.operands, self.maps, strict=True))
        inputs, inits = [*operands[: self.ins], *hoisted], operands[self.ins :]
        kept = {"tfmbs.schedule", "telemetry", "tfmbs.semantics"} & set(self.op.attributes)

        def body(*scalars: Any) -> list[Any]:
            given = [*scalars[: self.ins], *scalars[len(inputs) :]]
            known = dict(zip(self.block.arguments, given, strict=True))
            known |= dict(zip(values, scalars[self.ins : len(inputs)], strict=True))
            _clone(self._behind(*self._yielded, known=values), known, {})
            return [known.get(operand, operand) for operand in self._yielded]

        attributes = {name: self.op.attributes[name] for name in kept}
        built = generic(inputs, inits, self.kinds, body, attributes)
        for old, new in zip(self.op.results, built.operation.results, strict=True):
            old.replace_all_uses_with(new)
        self.op.erase()


def _uses(affine_map: Any, loop: int) -> bool:
    """Whether an affine map's results change with a loop."""
    return any(
        ir.AffineMap.get(affine_map.n_dims, 0, [expr]) != _without(expr, affine_map.n_dims, loop)
        for expr in affine_map.results
    )


def _without(expr: Any, loops: int, loop: int) -> Any:
    """The map to an expression whose loop stands still."""
    fixed = [ir.AffineConstantExpr.get(0) if d == loop else ir.AffineDimExpr.get(d) for d in range(loops)]
    return ir.AffineMap.get(loops, 0, [expr.compose(ir.AffineMap.get(loops, 0, fixed))])


def _clone(ops: Sequence[Any], known: dict[Any, Any], loops: dict[int, int]) -> None:
    """Copies of ops at the current insertion point; `known` maps what they read, and then what they define."""
    for op in ops:
        copy = op.clone()
        for number, operand in enumerate(op.operands):
            copy.operands[number] = known.get(operand, operand)
        if op.name == "linalg.index" and loops:
            copy.attributes["dim"] = ir.IntegerAttr.get(
                ir.IntegerType.get_signless(64), loops[op.attributes["dim"].value]
            )
        known.update(zip(op.results, copy.results, strict=True))
