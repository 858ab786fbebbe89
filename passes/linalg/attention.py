"""The steps of attention as structured ops on memrefs, as docs/numerics.md has them.

Graph-level attention is expanded into other graph ops (`tfmbs-expand-attention`); launches and records, which have
strides and shared heads, are spelled out here. Both use `masked` and `cleared` for what happens to a score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tfmbs.dialect.mlir import arith, ir, linalg, math
from tfmbs.dialect.shapes import Shape, shape_of
from tfmbs.passes.linalg import scalar
from tfmbs.passes.linalg.structured import PARALLEL, REDUCTION, dims, identity, mapping
from tfmbs.runtime.abi.siw import REDUCTION_LANES

QUERY_AXIS, KEY_AXIS = 2, 3
"""Loops over queries and keys, of those over scores (batch, head, query, key)."""


@dataclass(frozen=True)
class Masking:
    """What happens to scores: see `tfmbs.attention`. With `exact`, NaN is made canonical here, not by a later pass."""

    scale: float
    mode: str
    fill: float
    causal: bool
    offset: int
    clear: bool
    exact: bool

    @classmethod
    def of(cls, op: Any, exact: bool) -> Masking:
        """That of an op at graph or kernel level."""
        return cls(op.scale, op.mask_mode, op.fill, op.causal, op.offset, op.clear, exact)

    @property
    def hides(self) -> bool:
        """Whether a score can be hidden."""
        return self.causal or self.mode in ("add_shown", "select")

    def masked(self, score: Any, mask: Any) -> Any:
        """The score, scaled and masked, of the current iteration; scalar code."""
        added = self._added(score, mask)
        return scalar.select(self._shown(added, mask), added, scalar.f32(self.fill)) if self.hides else added

    def cleared(self, weight: Any, score: Any, mask: Any) -> Any:
        """The weight, or +0 where the score that the iteration started from is hidden."""
        return scalar.select(self._shown(self._added(score, mask), mask), weight, scalar.f32(0.0))

    def _added(self, score: Any, mask: Any) -> Any:
        if self.scale != 1.0:
            score = self._result(arith.MulFOp(score, scalar.f32(self.scale)).result)
        if self.mode in ("add", "add_shown"):
            score = self._result(arith.AddFOp(score, mask).result)
        return score

    def _result(self, value: Any) -> Any:
        return scalar.canonical(value) if self.exact else value

    def _shown(self, added: Any, mask: Any) -> Any:
        conditions = []
        if self.mode == "select":
            is_bit = mask.type == scalar.integer_type(1)
            conditions.append(mask if is_bit else scalar.compare("ne", mask, scalar.constant(mask.type, 0)))
        if self.mode == "add_shown":
            conditions.append(scalar.compare("une", added, scalar.f32(-np.inf)))
        if self.causal:
            index = ir.IndexType.get()
            query, key = linalg.IndexOp(QUERY_AXIS).result, linalg.IndexOp(KEY_AXIS).result
            last = arith.AddIOp(query, scalar.constant(index, self.offset)).result
            conditions.append(scalar.compare("sle", key, last))
        shown = conditions[0]
        for condition in conditions[1:]:
            shown = arith.AndIOp(shown, condition).result
        return shown


def mask_map(rank: int, shape: Shape) -> Any:
    """The map of a mask, shared along its sizes of 1, under loops that start with those over scores."""
    zero = ir.AffineConstantExpr.get(0)
    return mapping(rank, [axis if size > 1 else zero for axis, size in enumerate(shape)])


@dataclass(frozen=True)
class Operands:
    """Memrefs: query B×H×M×D, key B×G×N×D, value B×G×N×E, mask or None, and the result B×H×M×E."""

    query: Any
    key: Any
    value: Any
    mask: Any
    out: Any


def attention(place: Any, operands: Operands, masking: Masking, discardable: Any) -> None:
    """Writes the attention to its result."""
    query, key, value, mask, out = operands.query, operands.key, operands.value, operands.mask, operands.out
    batch, heads, rows, _ = shape_of(query.type)
    groups, columns = shape_of(key.type)[1:3]
    b, h, m, n, k = dims(*range(5))
    group = ir.AffineExpr.get_floor_div(h, heads // groups)
    f32, scores_shape, rows_shape = ir.F32Type.get(), (batch, heads, rows, columns), (batch, heads, rows)
    full, kept = identity(4), mapping(4, [0, 1, 2])

    def product(lhs: Any, lhs_map: Any, rhs: Any, rhs_map: Any, shape: Shape) -> Any:
        start = (place.filled(shape, f32, 0), mapping(5, [0, 1, 2, 3]))
        iterators = [PARALLEL] * 4 + [REDUCTION]
        inputs = [(lhs, lhs_map), (rhs, rhs_map)]
        return place.run(inputs, start, iterators, lambda x, y, acc: math.FmaOp(x, y, acc).result, discardable)

    def each(inputs: list[Any], body: Any, target: Any = None) -> Any:
        target = place.empty(scores_shape, f32) if target is None else target
        return place.run(inputs, (target, identity(4)), [PARALLEL] * 4, lambda *s: body(*s[:-1]), discardable)

    def reduced(source: Any, init: float, body: Any) -> Any:
        start = (place.filled(rows_shape, f32, init), kept)
        return place.run([(source, full)], start, [PARALLEL] * 3 + [REDUCTION], body, discardable)

    raw = product(query, mapping(5, [b, h, m, k]), key, mapping(5, [b, group, n, k]), scores_shape)
    scores = each([(raw, full)], scalar.canonical)
    masks = [] if mask is None else [(mask, mask_map(4, shape_of(mask.type)))]
    hidden = each([(scores, full), *masks], lambda x, *own: masking.masked(x, own[0] if own else None))
    most = reduced(hidden, -np.inf, lambda x, top: arith.MaximumFOp(top, x).result)
    powers = each([(hidden, full), (most, kept)], _power)
    total = _total(place, powers, discardable)
    weights = each([(powers, full), (total, kept)], lambda x, acc: scalar.canonical(arith.DivFOp(x, acc).result))
    if masking.clear and masking.hides:
        inputs = [(weights, full), (scores, full), *masks]
        weights = each(inputs, lambda w, x, *own: masking.cleared(w, x, own[0] if own else None))
    # Loops batch, head, query, element, key.
    parts = product(weights, mapping(5, [b, h, m, k]), value, mapping(5, [b, group, k, n]), shape_of(out.type))
    each([(parts, full)], scalar.canonical, out)


def _power(score: Any, top: Any) -> Any:
    return scalar.special("exp", scalar.canonical(arith.SubFOp(score, top).result))


def _total(place: Any, powers: Any, discardable: Any) -> Any:
    """The sum of each row of B×H×M×N in the order of the contract: 16 partial sums, then these by halves."""
    *rows_shape, _ = shape_of(powers.type)
    f32, lane = ir.F32Type.get(), ir.AffineExpr.get_mod(ir.AffineDimExpr.get(KEY_AXIS), REDUCTION_LANES)
    parts = place.run(
        [(powers, identity(4))],
        (place.filled((*rows_shape, REDUCTION_LANES), f32, 0), mapping(4, [0, 1, 2, lane])),
        [PARALLEL] * 3 + [REDUCTION],
        lambda x, acc: arith.AddFOp(acc, x).result,
        discardable,
    )
    constants = [ir.AffineConstantExpr.get(number) for number in range(REDUCTION_LANES)]
    inputs = [(parts, mapping(3, [0, 1, 2, constant])) for constant in constants]

    def folded(*scalars: Any) -> Any:
        sums = list(scalars[:-1])
        while len(sums) > 1:
            half = len(sums) // 2
            sums = [arith.AddFOp(a, b).result for a, b in zip(sums[:half], sums[half:], strict=True)]
        return scalar.canonical(sums[0])

    out = (place.empty(tuple(rows_shape), f32), identity(3))
    return place.run(inputs, out, [PARALLEL] * 3, folded, discardable)
