"""Positions of a decoder's tokens: rotation of queries and keys, the cache's mask, and storing of rows in the cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfmbs.compiler.importers.decoder.parts import constant
from tfmbs.compiler.importers.decoder.weights import F32
from tfmbs.dialect.mlir import arith, ir, linalg, math, tensor
from tfmbs.dialect.shapes import shape_of, tensor_type
from tfmbs.passes.linalg import scalar
from tfmbs.passes.linalg.structured import dims, elementwise, identity
from tfmbs.passes.linalg.structured import mapping as map_of

Value = Any


@dataclass(frozen=True)
class Positions:
    """Where the tokens of a step stand: their `numbers` (tokens,) of i64, and cosines and sines (tokens, pairs)."""

    numbers: Value
    cosines: Value
    sines: Value

    @classmethod
    def of(cls, start: Value, tokens: int, frequencies: F32) -> Positions:
        """Positions from `start` (1,) of i64 on; the angle of a pair is f32(position) · its frequency."""

        def number(first: Value) -> Value:
            return arith.AddIOp(first, arith.IndexCastOp(_i64(), linalg.IndexOp(0).result).result).result

        numbers = elementwise([(start, map_of(1, [ir.AffineConstantExpr.get(0)]))], (tokens,), _i64(), number)
        inputs = [(numbers, map_of(2, [0])), (constant(frequencies, "frequencies"), map_of(2, [1]))]

        def turned(function: Any) -> Value:
            def body(position: Value, frequency: Value) -> Value:
                angle = arith.MulFOp(arith.SIToFPOp(_f32(), position).result, frequency).result
                return function(angle).result

            return elementwise(inputs, (tokens, frequencies.size), _f32(), body)

        return cls(numbers, turned(math.CosOp), turned(math.SinOp))

    def mask(self, cache: int) -> Value:
        """Which slots of the cache each token is shown: (1, 1, tokens, cache) of i1."""
        tokens = shape_of(self.numbers.type)[0]

        def shown(number: Value) -> Value:
            return scalar.compare("sle", arith.IndexCastOp(_i64(), linalg.IndexOp(3).result).result, number)

        bits = ir.IntegerType.get_signless(1)
        return elementwise([(self.numbers, map_of(4, [2]))], (1, 1, tokens, cache), bits, shown)

    def rotate(self, x: Value, heads: int) -> Value:
        """(tokens, heads · width) as (tokens, heads, width), turned (Su et al., 2021), halves of the part as pairs."""
        tokens, columns = shape_of(x.type)
        width, half = columns // heads, shape_of(self.cosines.type)[1]
        x = split_heads(x, heads)
        first, second = (_slice(x, at, half) for at in (0, half))
        parts = [self._turned(first, second, arith.SubFOp), self._turned(second, first, arith.AddFOp)]
        if width > 2 * half:
            parts.append(_slice(x, 2 * half, width - 2 * half))
        return tensor.ConcatOp(tensor_type((tokens, heads, width), _f32()), 2, parts).result

    def _turned(self, x: Value, other: Value, combine: Any) -> Value:
        """x · cos ± other · sin."""
        angles = map_of(3, [0, 2])
        inputs = [(x, identity(3)), (other, identity(3)), (self.cosines, angles), (self.sines, angles)]

        def body(value: Value, partner: Value, cosine: Value, sine: Value) -> Value:
            return combine(arith.MulFOp(value, cosine).result, arith.MulFOp(partner, sine).result).result

        return elementwise(inputs, shape_of(x.type), _f32(), body)


def _slice(x: Value, at: int, size: int) -> Value:
    """Elements at…at + size of the last axis of three."""
    shape = (*shape_of(x.type)[:2], size)
    return tensor.ExtractSliceOp(tensor_type(shape, _f32()), x, [], [], [], [0, 0, at], shape, [1, 1, 1]).result


def split_heads(x: Value, heads: int) -> Value:
    """(tokens, heads · width) as (tokens, heads, width)."""
    tokens, columns = shape_of(x.type)
    shape = (tokens, heads, columns // heads)
    return tensor.ExpandShapeOp(tensor_type(shape, _f32()), x, [[0], [1, 2]], [], shape).result


def by_head(x: Value) -> Value:
    """(tokens, heads, width) as (1, heads, tokens, width)."""
    tokens, heads, width = shape_of(x.type)
    _, head, token, column = dims(0, 1, 2, 3)
    return elementwise([(x, map_of(4, [token, head, column]))], (1, heads, tokens, width), _f32(), lambda value: value)


def by_token(x: Value) -> Value:
    """(1, heads, tokens, width) as (tokens, heads · width)."""
    _, heads, tokens, width = shape_of(x.type)
    token, head, column = dims(0, 1, 2)
    whole = map_of(3, [ir.AffineConstantExpr.get(0), head, token, column])
    moved = elementwise([(x, whole)], (tokens, heads, width), _f32(), lambda value: value)
    return tensor.CollapseShapeOp(tensor_type((tokens, heads * width), _f32()), moved, [[0], [1, 2]]).result


def stored_at(cache: Value, new: Value, start: Value) -> Value:
    """The cache (1, groups, slots, width) with `new` (1, groups, tokens, width) from slot `start` (1,) on."""
    first = arith.IndexCastOp(
        ir.IndexType.get(), tensor.ExtractOp(start, [scalar.constant(ir.IndexType.get(), 0)]).result
    ).result
    dynamic = ir.ShapedType.get_dynamic_stride_or_offset()
    return tensor.InsertSliceOp(
        new, cache, [first], [], [], [0, 0, dynamic, 0], shape_of(new.type), [1, 1, 1, 1]
    ).result


def last_row(x: Value) -> Value:
    """The last token's row: (1, width)."""
    tokens, width = shape_of(x.type)
    if tokens == 1:
        return x
    return tensor.ExtractSliceOp(
        tensor_type((1, width), _f32()), x, [], [], [], [tokens - 1, 0], [1, width], [1, 1]
    ).result


def _f32() -> Any:
    return ir.F32Type.get()


def _i64() -> Any:
    return ir.IntegerType.get_signless(64)
