"""Positions of a decoder's tokens: rotation of queries and keys, the cache's mask, and storing of rows in the cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfmbs.compiler.importers.decoder.parts import constant
from tfmbs.compiler.importers.decoder.weights import F32
from tfmbs.dialect.mlir import arith, ir, linalg, math, tensor
from tfmbs.dialect.shapes import shape_of, tensor_type
from tfmbs.passes.linalg import scalar
from tfmbs.passes.linalg.structured import dims, elementwise
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

    def rotate(self, x: Value, heads: int) -> list[Value]:
        """(tokens, heads · width) turned (Su et al., 2021), halves of the part as pairs.

        These halves and what is not turned come apart, each (1, heads, tokens, columns): whoever puts them together
        has them written where they belong.
        """
        half = shape_of(self.cosines.type)[1]
        x = split_heads(x, heads)
        tokens, _, width = shape_of(x.type)
        first = x if width == 2 * half else _slice(x, 0, 2 * half)
        shape = (tokens, heads, 2, half)
        pairs = tensor.ExpandShapeOp(tensor_type(shape, _f32()), first, [[0], [1], [2, 3]], [], shape).result
        turned = [self._turned(pairs, 0, arith.SubFOp), self._turned(pairs, 1, arith.AddFOp)]
        return turned if width == 2 * half else [*turned, by_head(_slice(x, 2 * half, width - 2 * half))]

    def _turned(self, pairs: Value, number: int, combine: Any) -> Value:
        """Of x, member `number` of pairs in (tokens, heads, 2, half), and the other, y: x · cos ± y · sin, by heads."""
        tokens, heads, _, half = shape_of(pairs.type)
        _, head, token, lane = dims(0, 1, 2, 3)
        members = [(pairs, map_of(4, [token, head, ir.AffineConstantExpr.get(n), lane])) for n in (number, 1 - number)]
        angles = map_of(4, [token, lane])

        def body(value: Value, partner: Value, cosine: Value, sine: Value) -> Value:
            return combine(arith.MulFOp(value, cosine).result, arith.MulFOp(partner, sine).result).result

        inputs = [*members, (self.cosines, angles), (self.sines, angles)]
        return elementwise(inputs, (1, heads, tokens, half), _f32(), body)


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


def together(parts: list[Value]) -> Value:
    """Columns of heads, each (1, heads, tokens, columns), beside each other."""
    shapes = [shape_of(part.type) for part in parts]
    shape = (*shapes[0][:3], sum(columns for *_, columns in shapes))
    return tensor.ConcatOp(tensor_type(shape, _f32()), 3, parts).result


def by_token(x: Value) -> Value:
    """(1, heads, tokens, width) as (tokens, heads · width): a permutation, which attention writes by itself."""
    _, heads, tokens, width = shape_of(x.type)
    single = tensor.CollapseShapeOp(tensor_type((heads, tokens, width), _f32()), x, [[0, 1], [2], [3]]).result
    head, token, column = dims(1, 0, 2)
    moved = elementwise(
        [(single, map_of(3, [head, token, column]))], (tokens, heads, width), _f32(), lambda value: value
    )
    return tensor.CollapseShapeOp(tensor_type((tokens, heads * width), _f32()), moved, [[0], [1, 2]]).result


def stored_at(cache: Value, parts: list[Value], start: Value) -> Value:
    """The cache (1, groups, slots, width) with `parts`, columns of (1, groups, tokens, width), from slot `start` on."""
    first = arith.IndexCastOp(
        ir.IndexType.get(), tensor.ExtractOp(start, [scalar.constant(ir.IndexType.get(), 0)]).result
    ).result
    dynamic, column = ir.ShapedType.get_dynamic_stride_or_offset(), 0
    for part in parts:
        shape = shape_of(part.type)
        place = [0, 0, dynamic, column]
        cache = tensor.InsertSliceOp(part, cache, [first], [], [], place, shape, [1, 1, 1, 1]).result
        column += shape[3]
    return cache


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
