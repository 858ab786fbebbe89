"""Discrete Fourier transforms by their definition: Σ x[n] · exp(∓2πi·k·n / N), in ascending n, each step fused.

The factors are a table of N entries, cos and sin of 2π·j / N computed in f64; k·n is taken modulo N in integers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from tfmbs.dialect.mlir import arith, math
from tfmbs.passes.linalg.scalar import compare, constant, select
from tfmbs.passes.linalg.structured import PARALLEL, REDUCTION, filled, generic, mapping
from tfmbs.passes.onnx import build
from tfmbs.passes.onnx.arithmetic import F64, SI64, Arithmetic, accumulator, cast, chosen
from tfmbs.passes.onnx.node import Node, Results

Value = Any


@dataclass(frozen=True)
class Signal:
    """Samples of a transform: `sample(at, n, part)` is part 0 (real) or 1 (imaginary) of x[n], or None where it is 0.

    `at` are the result's indices without k and the part. `count` samples are read, of a transform of `length` (index).
    """

    sample: Callable[[Sequence[Value], Value, int], Value | None]
    count: int
    length: Value
    table: Value


def dft(node: Node) -> Results:
    """DFT and its inverse, one-sided or not: A×n×B×(1 or 2) along an axis, its last dimension real and imaginary part.

    The length is an operand, or that of the signal; longer signals are cut off, shorter ones continue with zeros. An
    axis of run time is one of those that the declared shape allows: each is computed, and the one that is named chosen.
    """
    axes = _axes(node)
    results = [_along(node, axis) for axis in axes]
    if len(axes) == 1:
        return results[0]
    named = build.extract(build.reshape(node.tensor(2), ()), [])
    a, rank = Arithmetic(node.element(2)), len(node.shape(0))
    hits = [
        arith.OrIOp(*(compare("eq", named, a.constant(number)) for number in (axis, axis - rank))).result
        for axis in axes[:-1]
    ]

    def choose(*values: Value) -> Value:
        return chosen(list(zip(hits, values[:-1], strict=True)), values[-1])

    return build.broadcasting(results, node.result_shape(), node.result_element().mlir, choose)


def _along(node: Node, axis: int) -> Value:
    shape = node.shape(0)
    inverse, onesided = bool(node.integer("inverse")), bool(node.integer("onesided"))
    size, bins = shape[axis], node.result_shape()[axis]
    parts = shape[-1]
    value = build.reshape(node.tensor(0), (prod(shape[:axis]), size, prod(shape[axis + 1 : -1]), parts))
    if inverse and onesided:
        return _real_inverse(node, value, axis)
    length, most = _length(node, 1, bins if not onesided else size, onesided and _is_dynamic(node, 1), bins)
    count = min(size, most)

    def sample(at: Sequence[Value], n: Value, part: int) -> Value | None:
        if part >= parts:
            return None
        x = build.extract(value, [at[0], n, at[1], build.index(part)])
        return _zero_beyond(x, n, length) if _is_dynamic(node, 1) else x

    signal = Signal(sample, count, length, _table(node, length, most))
    sizes = (value.type.shape[0], bins, value.type.shape[2])
    result = _transform(node, signal, sizes, inverse)
    return build.reshape(result, node.result_shape())


def _axes(node: Node) -> list[int]:
    """The axis of the transform: operand 2 from opset 20 on, an attribute before; or all that it can be."""
    rank = len(node.shape(0))
    axis = node.integer("axis", 1) if node.attribute("axis") is not None else -2
    if node.has(2):
        given = node.constant(2)
        if given is None:
            return _possible_axes(node)
        axis = int(given.reshape(-1)[0])
    if not -rank <= axis < rank or axis % rank == rank - 1:
        raise node.refuse("axis", f"an axis of a signal of rank {rank}, not its last", axis)
    return [axis % rank]


def _possible_axes(node: Node) -> list[int]:
    """Axes that lead to the declared shape: all others keep their sizes."""
    shape, result = node.shape(0)[:-1], node.result_shape()[:-1]
    changed = [axis for axis, (before, after) in enumerate(zip(shape, result, strict=True)) if before != after]
    if len(changed) > 1:
        raise node.refuse("declared shape", "one that differs in one axis", "more")
    if changed or node.has(1):
        return changed or list(range(len(shape)))
    onesided = node.integer("onesided")
    return [axis for axis, size in enumerate(shape) if not onesided or size == size // 2 + 1]


def _is_dynamic(node: Node, operand: int) -> bool:
    return node.has(operand) and node.constant(operand) is None


def _length(node: Node, operand: int, default: int, ambiguous: bool, bins: int) -> tuple[Value, int]:
    """Length of a transform as index, and the most that it can be.

    A one-sided result of `bins` elements does not tell whether the length is even: then the operand is read.
    """
    given = node.constant(operand)
    if given is not None:
        length = int(given.reshape(-1)[0])
        return build.index(length), length
    if not ambiguous:
        return build.index(default), default
    most = 2 * bins - 1
    read = build.as_index(cast(build.extract(build.reshape(node.tensor(operand), ()), []), node.element(operand), SI64))
    inside = arith.MaxSIOp(arith.MinSIOp(read, build.index(most)).result, build.index(1)).result
    return inside, most


def _zero_beyond(x: Value, n: Value, length: Value) -> Value:
    return select(compare("ult", n, length), x, constant(x.type, 0.0))


def _table(node: Node, length: Value, most: int) -> Value:
    """cos and sin of 2π·j / length for j below `most`, N×2 of the accumulator's type; a literal where it is known."""
    wide = accumulator(node.element(0))
    owner = length.owner.operation if hasattr(length.owner, "operation") else length.owner
    if owner.name == "arith.constant":
        angles = 2 * np.pi * np.arange(most) / most
        return node.literal(np.stack([np.cos(angles), np.sin(angles)], 1), wide)
    a = Arithmetic(F64)

    def entry(at: Sequence[Value]) -> Value:
        j, size = (
            arith.UIToFPOp(F64.mlir, arith.IndexCastOp(SI64.mlir, value).result).result for value in (at[0], length)
        )
        angle = a.divide(a.multiply(a.constant(2 * np.pi), j), size)
        is_cosine = compare("eq", at[1], build.index(0))
        return cast(select(is_cosine, math.CosOp(angle).result, math.SinOp(angle).result), F64, wide)

    return build.at_places((most, 2), wide.mlir, entry)


def _transform(node: Node, signal: Signal, sizes: Sequence[int], inverse: bool) -> Value:
    """The transform as …×k×…×2 from sizes (outer…, k, inner): the loop before the last of `sizes` runs over k."""
    source, wide = node.element(0), accumulator(node.element(0))
    a, rank = Arithmetic(wide), len(sizes)
    k_loop = rank - 2

    def add(_: Value, real: Value, imaginary: Value) -> list[Value]:
        at = [build.loop_index(loop) for loop in range(rank + 1)]
        n = at[rank]
        turn = arith.RemUIOp(arith.MulIOp(at[k_loop], n).result, signal.length).result
        cosine, sine = (build.extract(signal.table, [turn, build.index(part)]) for part in (0, 1))
        if not inverse:
            sine = arith.NegFOp(sine).result
        outer = [index for loop, index in enumerate(at[:rank]) if loop != k_loop]
        parts = [signal.sample(outer, n, part) for part in (0, 1)]
        x, y = (None if part is None else cast(part, source, wide) for part in parts)
        real, imaginary = math.FmaOp(x, cosine, real).result, math.FmaOp(x, sine, imaginary).result
        if y is not None:
            real = math.FmaOp(arith.NegFOp(y).result, sine, real).result
            imaginary = math.FmaOp(y, cosine, imaginary).result
        return [real, imaginary]

    loops = rank + 1
    outs = [(filled(tuple(sizes), wide.mlir, 0), mapping(loops, list(range(rank)))) for _ in range(2)]
    samples = (filled((signal.count,), wide.mlir, 0), mapping(loops, [rank]))
    op = generic([samples], outs, [PARALLEL] * rank + [REDUCTION], add)
    real, imaginary = op.results

    def part(at: Sequence[Value]) -> Value:
        both = (build.extract(value, list(at[:-1])) for value in (real, imaginary))
        x = select(compare("eq", at[-1], build.index(0)), *both)
        if inverse:
            size = arith.UIToFPOp(F64.mlir, arith.IndexCastOp(SI64.mlir, signal.length).result).result
            x = a.divide(x, cast(size, F64, wide))
        return cast(x, wide, source)

    return build.at_places((*sizes, 2), source.mlir, part)


def _real_inverse(node: Node, value: Value, axis: int) -> Value:
    """The real signal whose one-sided spectrum is given: inner frequencies count twice, that of N / 2 once."""
    source, wide = node.element(0), accumulator(node.element(0))
    a, length = Arithmetic(wide), node.result_shape()[axis]
    outer, size, inner, _ = value.type.shape
    table = _table(node, build.index(length), length)

    def add(_: Value, total: Value) -> Value:
        at = [build.loop_index(loop) for loop in range(4)]
        turn = arith.RemUIOp(arith.MulIOp(at[1], at[3]).result, build.index(length)).result
        cosine, sine = (build.extract(table, [turn, build.index(part)]) for part in (0, 1))
        x, y = (cast(build.extract(value, [at[0], at[3], at[2], build.index(p)]), source, wide) for p in (0, 1))
        doubled = arith.MulIOp(at[3], build.index(2)).result
        once = arith.OrIOp(compare("eq", at[3], build.index(0)), compare("eq", doubled, build.index(length))).result
        weight = select(once, a.constant(1), a.constant(2))
        total = math.FmaOp(a.multiply(weight, x), cosine, total).result
        return math.FmaOp(arith.NegFOp(a.multiply(weight, y)).result, sine, total).result

    out = (filled((outer, length, inner), wide.mlir, 0), mapping(4, [0, 1, 2]))
    samples = (filled((min(size, length // 2 + 1),), wide.mlir, 0), mapping(4, [3]))
    sums = generic([samples], [out], [PARALLEL] * 3 + [REDUCTION], add).results[0]

    def scaled(at: Sequence[Value]) -> Value:
        return cast(a.divide(build.extract(sums, list(at)), a.constant(length)), wide, source)

    return build.reshape(build.at_places((outer, length, inner), source.mlir, scaled), node.result_shape())


def stft(node: Node) -> Results:
    """STFT: transforms of B×L×(1 or 2) signals in frames that start `frame_step` apart, weighted by a window.

    The declared shape says how many frames there are; places beyond the signal count as zeros.
    """
    batch, size, parts = (*node.shape(0), 1)[:3]
    value, bins = build.reshape(node.tensor(0), (batch, size, parts)), node.result_shape()[2]
    onesided, has_window = bool(node.integer("onesided", 1)), node.has(2)
    if has_window:
        most = node.shape(2)[0]
        length = build.index(most)
    else:
        length, most = _length(node, 3, bins if not onesided else size, onesided and _is_dynamic(node, 3), bins)
    step = build.as_index(cast(build.extract(build.reshape(node.tensor(1), ()), []), node.element(1), SI64))

    def sample(at: Sequence[Value], n: Value, part: int) -> Value | None:
        if part >= parts:
            return None
        place = arith.AddIOp(arith.MulIOp(at[1], step).result, n).result
        inside = arith.AndIOp(compare("ult", place, build.index(size)), compare("ult", n, length)).result
        near = arith.MaxSIOp(arith.MinSIOp(place, build.index(size - 1)).result, build.index(0)).result
        x = build.extract(value, [at[0], near, build.index(part)])
        if has_window:
            x = arith.MulFOp(x, build.extract(node.tensor(2), [n])).result
        return select(inside, x, constant(x.type, 0.0))

    signal = Signal(sample, most, length, _table(node, length, most))
    frames = node.result_shape()[1]
    # Loops (batch, frame, k, nothing): the transform expects an inner loop behind k.
    padded = Signal(lambda at, n, part: signal.sample(at[:2], n, part), most, length, signal.table)
    return build.reshape(_transform(node, padded, (batch, frames, bins, 1), False), node.result_shape())


LOWERINGS: dict[str, Callable[[Node], Results | None]] = {"DFT": dft, "STFT": stft}
