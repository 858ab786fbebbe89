"""TfIdfVectorizer over integers: how often each n-gram of a pool occurs in a sequence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfmbs.dialect.mlir import arith
from tfmbs.passes.linalg.scalar import compare, select
from tfmbs.passes.linalg.structured import PARALLEL, REDUCTION, filled, generic, mapping
from tfmbs.passes.onnx import build
from tfmbs.passes.onnx.arithmetic import F32, SI64, Arithmetic, cast
from tfmbs.passes.onnx.node import Node, Results
from tfmbs.passes.onnx.slices import clamped

Value = Any

_F = Arithmetic(F32)


def vectorize(node: Node) -> Results:
    """TfIdfVectorizer: for each n-gram of the pool the number of places where it stands, its items `skip` + 1 apart.

    Skips run from 0 to `max_skip_count`; a single item counts once. Modes: TF the count, IDF the weight (or 1) where
    there is one, TFIDF count · weight.
    """
    mode, weights = node.string("mode"), node.numbers("weights")
    columns, pool, lengths = _pool(node)
    shape = node.shape(0)
    length, width = shape[-1], node.result_shape()[-1]
    rows = 1 if len(shape) == 1 else shape[0]
    if mode not in ("TF", "IDF", "TFIDF") or max(columns, default=0) >= width:
        raise node.refuse("mode or ngram_indexes", f"TF, IDF or TFIDF, indexes below {width}", mode)
    value = build.reshape(node.tensor(0), (rows, length))
    counts = _counts(node, value, pool, lengths)
    # Column → n-gram, or none; the indexes name each column at most once.
    grams = np.full(width, -1)
    grams[list(columns)] = np.arange(len(columns))
    if len(set(columns)) != len(columns):
        raise node.refuse("ngram_indexes", "each index once", "an index twice")
    table = node.literal(grams, SI64)
    factors = node.literal(np.ones(width) if weights is None else _by_column(weights, columns, width), F32)

    def column(at: Sequence[Value]) -> Value:
        gram = build.as_index(build.extract(table, [at[1]]))
        exists = compare("sle", build.index(0), gram)
        count = build.extract(counts, [at[0], clamped(gram, len(columns))])
        factor = build.extract(factors, [at[1]])
        if mode == "IDF":
            count = select(_F.less(_F.constant(0), count), factor, _F.constant(0))
        elif mode == "TFIDF":
            count = _F.multiply(count, factor)
        return select(exists, count, _F.constant(0))

    return build.reshape(build.at_places((rows, width), F32.mlir, column), node.result_shape())


def _by_column(weights: Sequence[float], columns: Sequence[int], width: int) -> Any:
    """The weights, which ONNX numbers like `ngram_indexes`, by column."""
    result = np.zeros(width)
    result[list(columns)] = weights
    return result


def _pool(node: Node) -> tuple[Sequence[int], Any, Any]:
    """Columns, items (padded with zeros) and lengths of the n-grams; lengths out of bounds are 0: they never match."""
    items, starts, columns = (node.integers(name) for name in ("pool_int64s", "ngram_counts", "ngram_indexes"))
    if items is None or starts is None or columns is None:
        raise node.refuse("pool", "pool_int64s with ngram_counts and ngram_indexes", "strings, or none")
    low, high = node.integer("min_gram_length"), node.integer("max_gram_length")
    grams: list[tuple[int, ...]] = []
    for number, (start, end) in enumerate(zip(starts, (*starts[1:], len(items)), strict=True)):
        size = number + 1
        grams += [tuple(items[at : at + size]) for at in range(start, end - size + 1, size)]
    if len(grams) != len(columns) or not grams:
        raise node.refuse("ngram_indexes", f"{len(grams)} of them, one per n-gram", len(columns))
    most = max(len(gram) for gram in grams)
    pool = np.array([gram + (0,) * (most - len(gram)) for gram in grams])
    lengths = np.array([len(gram) if low <= len(gram) <= high else 0 for gram in grams])
    return columns, pool, lengths


def _counts(node: Node, value: Value, pool: Any, lengths: Any) -> Value:
    """rows × n-grams, f32: over loops (row, n-gram, skip, place)."""
    rows, length = value.type.shape
    grams, most = pool.shape
    skips, element = node.integer("max_skip_count") + 1, node.element(0)
    items, sizes = node.literal(pool, SI64), node.literal(lengths, SI64)

    def add(_: Value, total: Value) -> Value:
        row, gram, skip, place = (build.loop_index(loop) for loop in range(4))
        size = build.as_index(build.extract(sizes, [gram]))
        step = arith.AddIOp(skip, build.index(1)).result
        last = arith.MulIOp(arith.SubIOp(size, build.index(1)).result, step).result
        hit = compare("slt", arith.AddIOp(place, last).result, build.index(length))
        hit = arith.AndIOp(hit, compare("slt", build.index(0), size)).result
        single = compare("eq", size, build.index(1))
        repeated = arith.AndIOp(single, compare("slt", build.index(0), skip)).result
        hit = select(repeated, arith.ConstantOp(hit.type, 0).result, hit)
        for number in range(most):
            at = arith.AddIOp(place, arith.MulIOp(step, build.index(number)).result).result
            given = cast(build.extract(value, [row, clamped(at, length)]), element, SI64)
            same = compare("eq", given, build.extract(items, [gram, build.index(number)]))
            beyond = compare("sle", size, build.index(number))
            hit = arith.AndIOp(hit, arith.OrIOp(same, beyond).result).result
        return select(hit, _F.add(total, _F.constant(1)), total)

    extents = (filled((skips, length), F32.mlir, 0), mapping(4, [2, 3]))
    out = (filled((rows, grams), F32.mlir, 0), mapping(4, [0, 1]))
    return generic([extents], [out], [PARALLEL] * 2 + [REDUCTION] * 2, add).results[0]


LOWERINGS: dict[str, Callable[[Node], Results | None]] = {"TfIdfVectorizer": vectorize}
