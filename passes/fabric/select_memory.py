"""Selection rules of what a body does beside arithmetic: loop indices, memory at computed places, branches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tfmbs.dialect.mlir import ir
from tfmbs.passes.fabric.scalars import View, refuse
from tfmbs.passes.siw.nest import Access, Compute, Gather, Index, Scatter
from tfmbs.passes.siw.ranges import INT32, within
from tfmbs.runtime.abi.types import DType

if TYPE_CHECKING:
    from tfmbs.passes.fabric.select import Rule, Selector


def _index(selector: Selector, op: Any) -> int:
    if not selector.rank:
        raise refuse(op, f"{op.name} in an epilogue")
    return selector.loop_index(int(op.attributes["dim"].value))


class Place:
    """The sum of indices times strides: a part that is linear in the loops, and the position of the rest."""

    def __init__(self, selector: Selector, view: View) -> None:
        self._selector = selector
        self.linear = Index(DType.I64, view.offset, (0,) * selector.rank, view.base)
        self.rest: int | None = None

    def add(self, position: int, factor: int) -> None:
        """Adds an index at a position of the body, times a stride."""
        selector, value = self._selector, self._selector.body[position]
        if factor == 0:
            return
        if isinstance(value, Compute) and value.op == "ADD" and self._is_exact_sum(position, value):
            for argument in value.args:
                self.add(argument, factor)
            return
        part = selector.as_linear(position)
        if part is not None and (part.base is None or (self.linear.base is None and factor == 1)):
            strides = tuple(a + b * factor for a, b in zip(self.linear.strides, part.strides, strict=True))
            offset = self.linear.offset + part.offset * factor
            self.linear = Index(DType.I64, offset, strides, part.base or self.linear.base)
            return
        if factor != 1:
            position = selector.exact("MUL", position, selector.number(factor))
        self.rest = position if self.rest is None else selector.exact("ADD", self.rest, position)

    def _is_exact_sum(self, position: int, value: Compute) -> bool:
        """Whether a sum is not known to wrap: an index that wraps is out of bounds anyway in 64 bits."""
        selector = self._selector
        if selector.is_wide(position):
            return True
        low, high = (sum(selector.range(a)[end] for a in value.args) for end in (0, 1))
        return within((low, high), INT32)


def place(selector: Selector, op: Any, memref: Any, indices: Sequence[int]) -> tuple[Access, int | None]:
    """The access of a memref at computed indices, and the position of a displacement that is not linear, if any."""
    view = selector.view(memref, op)
    at = Place(selector, view)
    for position, stride in zip(indices, view.strides, strict=True):
        at.add(position, stride)
    linear = at.linear
    return Access(view.window, view.dtype, linear.offset, linear.strides, linear.base), at.rest


def _load(selector: Selector, op: Any) -> int:
    memref, *indices = op.operands
    access, rest = place(selector, op, memref, [selector.guarded(selector.value(i, op)) for i in indices])
    return selector.add(access if rest is None else Gather(access, rest))


def _store(selector: Selector, op: Any) -> tuple[int, ...]:
    value, memref, *indices = op.operands
    if selector.is_conditional:
        raise refuse(op, f"{op.name} in a branch")
    access, rest = place(selector, op, memref, [selector.value(i, op) for i in indices])
    selector.scatters.append(Scatter(access, rest, selector.value(value, op), source=selector.source))
    return ()


def _branch(selector: Selector, op: Any) -> list[int]:
    """scf.if without memory effects: both branches, and a choice."""
    condition = selector.value(op.operands[0], op)
    results = []
    for region, holds in zip(op.regions, (True, False), strict=True):
        with selector.under(condition, holds=holds):
            results.append(selector.block(region.blocks[0]) if len(region.blocks) else [])
    return [selector.choose(condition, yes, no) for yes, no in zip(*results, strict=True)]


def _apply(selector: Selector, op: Any) -> int:
    """affine.apply."""
    affine_map = op.attributes["map"].value
    args = selector.args(op)
    return expression(selector, op, affine_map.results[0], args[: affine_map.n_dims], args[affine_map.n_dims :])


def expression(selector: Selector, op: Any, expr: Any, dims: Sequence[int], symbols: Sequence[int] = ()) -> int:
    """The position of an affine expression of index values; division and remainder round to minus infinity."""
    if isinstance(expr, ir.AffineConstantExpr):
        return selector.number(expr.value)
    if isinstance(expr, ir.AffineDimExpr | ir.AffineSymbolExpr):
        return (dims if isinstance(expr, ir.AffineDimExpr) else symbols)[int(expr.position)]
    for kind, rule in _EXPRESSIONS.items():
        if isinstance(expr, kind):
            a, b = (expression(selector, op, part, dims, symbols) for part in (expr.lhs, expr.rhs))
            return rule(selector, a, b)
    raise refuse(op, f"{op.name}: index {expr}")


def _ceiling(selector: Selector, a: int, b: int) -> int:
    zero = selector.constant(0)
    return selector.exact("SUB", zero, selector.floor_divide(selector.exact("SUB", zero, a), b))


_EXPRESSIONS: dict[Any, Callable[[Selector, int, int], int]] = {
    ir.AffineAddExpr: lambda selector, a, b: selector.exact("ADD", a, b),
    ir.AffineMulExpr: lambda selector, a, b: selector.exact("MUL", a, b),
    ir.AffineModExpr: lambda selector, a, b: selector.floor_remainder(a, b),
    ir.AffineFloorDivExpr: lambda selector, a, b: selector.floor_divide(a, b),
    ir.AffineCeilDivExpr: _ceiling,
}


RULES: dict[str, Rule] = {
    "affine.apply": _apply,
    "linalg.index": _index,
    "memref.load": _load,
    "memref.store": _store,
    "scf.if": _branch,
}
