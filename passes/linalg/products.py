"""Exact products as structured ops: every accumulation is spelled out, on tensors and on memrefs alike.

An f32 accumulator is `math.fma` in ascending k from +0.0; a trit counts as the f32 or integer of its value. Integer
elements are widened to i32 and the left zero point is subtracted. Behind the accumulation, one elementwise op makes
NaN canonical and applies the epilogue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from tfmbs.dialect.mlir import arith, ir, linalg, math
from tfmbs.dialect.shapes import Shape, Window, element_of, shape_of
from tfmbs.passes.linalg import scalar
from tfmbs.passes.linalg.residues import unpack_residues
from tfmbs.passes.linalg.sparse_trits import unpack_sparse
from tfmbs.passes.linalg.structured import PARALLEL, REDUCTION, dims, identity, inline, mapping
from tfmbs.runtime.abi.types import PACKED_PER_BYTE, RESIDUES, SPARSE, Packing

BASES = {Packing.PT5: 3, Packing.T2: 4, Packing.NIBBLES: 16}
"""What each packing's bytes are numbers to the base of; the first element is the least significant digit."""
SIGN_BIT = 8


@dataclass(frozen=True)
class Product:
    """A product with its operands as stored elements (trits one per byte).

    `accumulator` is f32 or i32; `zero` is subtracted from integer elements of `lhs`. `block` is the epilogue or None,
    `operands` and `roles` are the epilogue's. `out` is the memref to write, None for a new tensor.
    """

    lhs: Any
    rhs: Any
    shape: Shape
    channel_axis: int
    accumulator: Any
    element: Any
    zero: int = 0
    block: Any = None
    operands: Sequence[Any] = ()
    roles: Sequence[str] = ()
    out: Any = None
    discardable: Any = None

    @property
    def is_float(self) -> bool:
        """Whether the accumulator is f32."""
        return isinstance(self.accumulator, ir.F32Type)

    def accumulate(self, a: Any, b: Any, acc: Any) -> Any:
        """The next accumulator, scalar code."""
        if self.is_float:
            factor = b if isinstance(b.type, ir.F32Type) else scalar.to_float(b)
            return math.FmaOp(a, factor, acc).result
        wide = scalar.widen(a)
        if self.zero:
            wide = arith.SubIOp(wide, scalar.constant(wide.type, self.zero)).result
        return arith.AddIOp(acc, arith.MulIOp(wide, scalar.widen(b)).result).result


def gemm(place: Any, product: Product) -> Any:
    """[B×]M×N from lhs [B×]M×K and rhs [B×]N×K."""
    rank = len(product.shape)
    batch = list(range(rank - 2))
    m, n, k = rank - 2, rank - 1, rank
    acc = place.run(
        [(product.lhs, mapping(rank + 1, [*batch, m, k])), (product.rhs, mapping(rank + 1, [*batch, n, k]))],
        (place.filled(product.shape, product.accumulator, 0), mapping(rank + 1, [*batch, m, n])),
        [PARALLEL] * rank + [REDUCTION],
        product.accumulate,
        product.discardable,
    )
    return finish(place, product, acc)


def convolution(place: Any, product: Product, window: Window, groups: int) -> Any:
    """N×O×axes' from lhs N×C×axes and rhs O×(C/groups)×kernel, over two or three spatial axes.

    The loops run image, output channel, then k (channel, then the kernel's axes), then the output's axes: each
    accumulator still sees ascending k.
    """
    sizes = shape_of(product.lhs.type)[2:]
    rank = len(sizes)
    image, out_channel, channel, *rest = dims(*range(3 + 2 * rank))
    kernel, positions = rest[:rank], rest[rank:]
    in_channel = channel
    if groups > 1:
        outs, ins = product.shape[1] // groups, shape_of(product.rhs.type)[1]
        in_channel = ir.AffineExpr.get_floor_div(out_channel, outs) * ins + channel
    taps = [
        position * stride + tap * step
        for position, stride, tap, step in zip(positions, window.strides, kernel, window.dilations, strict=True)
    ]
    lhs = product.lhs
    if any(window.pads):
        before, behind = window.pads[:rank], window.pads[rank:]
        lhs = place.padded(lhs, (0, 0, *before), (0, 0, *behind), product.zero)

    def body(x: Any, w: Any, acc: Any) -> Any:
        after = product.accumulate(x, w, acc)
        # A padded integer element is the zero point and adds 0; in f32, 0 · w could change the accumulator.
        if not any(window.pads) or not product.is_float:
            return after
        return scalar.select(_inside(window, sizes), after, acc)

    loops = 3 + 2 * rank
    acc = place.run(
        [
            (lhs, mapping(loops, [image, in_channel, *taps])),
            (product.rhs, mapping(loops, [out_channel, channel, *kernel])),
        ],
        (place.filled(product.shape, product.accumulator, 0), mapping(loops, [image, out_channel, *positions])),
        [PARALLEL] * 2 + [REDUCTION] * (1 + rank) + [PARALLEL] * rank,
        body,
        product.discardable,
    )
    return finish(place, product, acc)


def _inside(window: Window, sizes: Sequence[int]) -> Any:
    """Whether the tap of the current iteration of `convolution` lies on the input, as i1."""
    conditions = []
    rank = len(sizes)
    for axis in range(rank):
        position, tap = linalg.IndexOp(3 + rank + axis).result, linalg.IndexOp(3 + axis).result
        index = ir.IndexType.get()
        start = arith.MulIOp(position, scalar.constant(index, window.strides[axis])).result
        offset = arith.MulIOp(tap, scalar.constant(index, window.dilations[axis])).result
        padded = arith.AddIOp(start, offset).result
        tapped = arith.SubIOp(padded, scalar.constant(index, window.pads[axis])).result
        # Unsigned, so that positions before the image are too large as well.
        conditions.append(scalar.compare("ult", tapped, scalar.constant(index, sizes[axis])))
    return reduce(lambda one, other: arith.AndIOp(one, other).result, conditions)


def finish(place: Any, product: Product, acc: Any, exact: bool = True) -> Any:
    """Canonical NaN (where `exact`) and the epilogue, element by element."""
    canonical = exact and product.is_float
    if product.block is None and not canonical and product.out is None:
        return acc
    rank = len(product.shape)
    maps = [_role_map(product, role, value) for role, value in zip(product.roles, product.operands, strict=True)]

    def body(value: Any, *rest: Any) -> Any:
        start = scalar.canonical(value) if canonical else value
        return inline(product.block, [start, *rest[:-1]]) if product.block is not None else start

    out = place.empty(product.shape, product.element) if product.out is None else product.out
    inputs = [(acc, identity(rank)), *zip(product.operands, maps, strict=True)]
    return place.run(inputs, (out, identity(rank)), [PARALLEL] * rank, body, product.discardable)


def _role_map(product: Product, role: str, value: Any) -> Any:
    rank = len(product.shape)
    if role == "element":
        return identity(rank)
    if role == "channel":
        return mapping(rank, [product.channel_axis])
    return mapping(rank, [ir.AffineConstantExpr.get(0)] * len(shape_of(value.type)))


def unpack(place: Any, packed: Any, packing: Packing, shape: Shape) -> Any:
    """Elements one per byte of logical `shape` (axis 0 are the rows) from `packed` rows × bytes."""
    if packing in (Packing.I8, Packing.DENSE):
        return packed
    rows, row = shape[0], int(np.prod(shape[1:], dtype=np.int64))
    if packing in SPARSE:
        flat = unpack_sparse(place, packed, row)
        return flat if len(shape) == 2 else place.reshaped(flat, shape)
    if packing in RESIDUES:
        flat = unpack_residues(place, packed, (rows, row), abreast=packing is Packing.A5)
        return flat if len(shape) == 2 else place.reshaped(flat, shape)
    per_byte, base = PACKED_PER_BYTE[packing], BASES[packing]
    _, column = dims(0, 1)
    weights = place.constant(np.array([base**i for i in range(per_byte)], np.int32), "digit_weights")

    def digit(byte: Any, weight: Any, _: Any) -> Any:
        code = arith.ExtUIOp(weight.type, byte).result
        shifted = arith.DivUIOp(code, weight).result
        value = arith.RemUIOp(shifted, scalar.constant(weight.type, base)).result
        if packing is Packing.NIBBLES:  # two's complement: flip the sign bit, take its weight away
            value = arith.XOrIOp(value, scalar.constant(weight.type, SIGN_BIT)).result
        offset = SIGN_BIT if packing is Packing.NIBBLES else 1
        shifted = arith.SubIOp(value, scalar.constant(weight.type, offset)).result
        return arith.TruncIOp(element_of(packed), shifted).result

    flat = place.run(
        [
            (packed, mapping(2, [0, ir.AffineExpr.get_floor_div(column, per_byte)])),
            (weights, mapping(2, [ir.AffineExpr.get_mod(column, per_byte)])),
        ],
        (place.empty((rows, row), element_of(packed)), identity(2)),
        [PARALLEL] * 2,
        digit,
    )
    return flat if len(shape) == 2 else place.reshaped(flat, shape)
