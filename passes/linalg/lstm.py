"""The steps of a long short-term memory as structured ops on memrefs in a loop, as docs/numerics.md has them.

The graph-level op is expanded into other graph ops (`tfmbs-expand-lstm`); launches and records are spelled out here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tfmbs.dialect.graph_lstm import GATES
from tfmbs.dialect.mlir import arith, ir, math, memref
from tfmbs.dialect.shapes import Shape, shape_of
from tfmbs.passes.linalg import scalar
from tfmbs.passes.linalg.places import Memrefs
from tfmbs.passes.linalg.siw_machine import counted, index
from tfmbs.passes.linalg.structured import PARALLEL, REDUCTION, identity, mapping

_PLACE = Memrefs()


@dataclass(frozen=True)
class Operands:
    """Memrefs: input T×B×I, weights D×4·H×I, recurrent D×4·H×H, the result (T or T+1)×D×B×H, and those by roles."""

    input: Any
    weights: Any
    recurrent: Any
    out: Any
    further: Mapping[str, Any] = field(default_factory=dict)


def lstm(operands: Operands, direction: str, gates: str, discardable: Any) -> None:
    """Writes the states of all directions, and the last cells where the result has a place for them."""
    for way in range(shape_of(operands.recurrent.type)[0]):
        _Way(operands, way, direction == "reverse" or way == 1, gates, discardable).run()


class _Way:
    """One direction."""

    def __init__(self, operands: Operands, way: int, backwards: bool, gates: str, discardable: Any) -> None:
        self.steps, self.batch, self.width = shape_of(operands.input.type)
        self.hidden = shape_of(operands.recurrent.type)[2]
        self.rows = GATES * self.hidden
        self.input, self.out, self.way, self.backwards = operands.input, operands.out, way, backwards
        self.weights = _plane(operands.weights, [way], (self.rows, self.width))
        self.recurrent = _plane(operands.recurrent, [way], (self.rows, self.hidden))
        self.further = {
            name: _plane(value, [way], shape_of(value.type)[1:]) for name, value in operands.further.items()
        }
        self.at = {gate: gates.index(gate) * self.hidden for gate in gates}
        self.discardable = discardable

    def run(self) -> None:
        of_inputs, state, cell = self._inputs(), self._first("hidden"), self._first("cell")
        with counted(index(self.steps)) as t:
            place = arith.SubIOp(index(self.steps - 1), t).result if self.backwards else t
            self._step(_plane(of_inputs, [place], (self.batch, self.rows)), state, cell)
            _copy(state, _plane(self.out, [place, self.way], (self.batch, self.hidden)))
        if shape_of(self.out.type)[0] > self.steps:
            _copy(cell, _plane(self.out, [self.steps, self.way], (self.batch, self.hidden)))

    def _inputs(self) -> Any:
        """What inputs contribute to the gates, T×B×4·H."""
        shape = (self.steps, self.batch, self.rows)
        product = self._product(shape, (self.input, [0, 1, 3]), (self.weights, [2, 3]))
        return self._biased(product, "bias")

    def _first(self, name: str) -> Any:
        """A state that the steps change, with its first elements."""
        shape, f32 = (self.batch, self.hidden), ir.F32Type.get()
        if name not in self.further:
            return _PLACE.filled(shape, f32, 0)
        state = _PLACE.empty(shape, f32)
        _copy(self.further[name], state)
        return state

    def _step(self, given: Any, state: Any, cell: Any) -> None:
        product = self._product((self.batch, self.rows), (state, [0, 2]), (self.recurrent, [1, 2]))
        of_state, full = self._biased(product, "recurrent_bias"), identity(2)
        sums = _PLACE.empty((self.batch, self.rows), ir.F32Type.get())
        _PLACE.run([(of_state, full), (given, full)], (sums, full), [PARALLEL] * 2, lambda x, y, _: _add(x, y))

        def gate(name: str) -> Any:
            return memref.subview(sums, [0, self.at[name]], [self.batch, self.hidden], [1, 1]), full

        def new_cell(i: Any, f: Any, c: Any, before: Any) -> Any:
            kept = _multiply(scalar.special("sigmoid", f), before)
            return _add(kept, _multiply(scalar.special("sigmoid", i), scalar.special("tanh", c)))

        def new_state(o: Any, c: Any, _: Any) -> Any:
            return _multiply(scalar.special("sigmoid", o), scalar.special("tanh", c))

        _PLACE.run([gate("i"), gate("f"), gate("c")], (cell, full), [PARALLEL] * 2, new_cell)
        _PLACE.run([gate("o"), (cell, full)], (state, full), [PARALLEL] * 2, new_state)

    def _product(self, shape: Shape, lhs: tuple[Any, list[int]], rhs: tuple[Any, list[int]]) -> Any:
        """Σ of products in ascending order of the last loop, from +0.0; the telemetry is that of these."""
        rank, f32 = len(shape), ir.F32Type.get()
        inputs = [(value, mapping(rank + 1, axes)) for value, axes in (lhs, rhs)]
        start = (_PLACE.filled(shape, f32, 0), mapping(rank + 1, list(range(rank))))
        iterators = [PARALLEL] * rank + [REDUCTION]
        sums = _PLACE.run(inputs, start, iterators, lambda x, y, acc: math.FmaOp(x, y, acc).result, self.discardable)
        full = identity(rank)
        return _PLACE.run([], (sums, full), [PARALLEL] * rank, scalar.canonical)

    def _biased(self, value: Any, name: str) -> Any:
        """`value` with a bias for each of its columns, if there is one."""
        if name not in self.further:
            return value
        rank = len(shape_of(value.type))
        bias = (self.further[name], mapping(rank, [rank - 1]))
        return _PLACE.run([bias], (value, identity(rank)), [PARALLEL] * rank, lambda b, x: _add(x, b))


def _add(x: Any, y: Any) -> Any:
    return scalar.canonical(arith.AddFOp(x, y).result)


def _multiply(x: Any, y: Any) -> Any:
    return scalar.canonical(arith.MulFOp(x, y).result)


def _copy(source: Any, target: Any) -> None:
    full = identity(len(shape_of(source.type)))
    _PLACE.run([(source, full)], (target, full), [PARALLEL] * full.n_dims, lambda x, _: x)


def _plane(value: Any, at: list[Any], shape: Shape) -> Any:
    """The part of a memref at these indices of its first axes, numbers or `index` values; the rest is `shape`."""
    strides, start = value.type.get_strides_and_offset()
    dynamic = ir.ShapedType.get_dynamic_stride_or_offset()
    moving = [position for position in at if not isinstance(position, int)]
    offsets = [position if isinstance(position, int) else dynamic for position in at]
    is_fixed = not moving and start != dynamic
    start = start + sum(a * b for a, b in zip(at, strides, strict=False)) if is_fixed else dynamic
    layout = ir.StridedLayoutAttr.get(start, list(strides)[len(at) :])
    type_ = ir.MemRefType.get(list(shape), value.type.element_type, layout=layout)
    sizes = [1] * len(at) + list(shape)
    all_offsets = offsets + [0] * len(shape)
    return memref.SubViewOp(type_, value, moving, [], [], all_offsets, sizes, [1] * len(sizes)).result
