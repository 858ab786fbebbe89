"""Conversions of the byte reference between all element types, by bytes, against exact arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.scalar_code import (
    CANONICAL,
    FLOATS,
    INTEGERS,
    NUMPY,
    SMALL,
    apply,
    bits,
    canonical,
    floats,
    integers,
    same_bits,
)

Array = NDArray[Any]
pytestmark = pytest.mark.usefixtures("no_numpy_warnings")


def magnitudes(element: str) -> NDArray[np.longdouble]:
    """Every magnitude of a small type by its bit pattern; infinity stands for the number that would come next."""
    last = {"f16": 0x7C00, "bf16": 0x7F80}[element]
    values = np.arange(last, dtype=np.uint16).view(NUMPY[element]).astype(np.longdouble)
    return np.append(values, values[-1] + (values[-1] - values[-2]))


def nearest(x: NDArray[np.longdouble], element: str) -> Array:
    """The nearest number of a small type, of two the one with an even pattern, found in the list of all of them."""
    table, size = magnitudes(element), np.abs(x)
    below = np.clip(np.searchsorted(table, size, "right") - 1, 0, len(table) - 2)
    middle = (table[below] + table[below + 1]) / 2
    up = (size > middle) | ((size == middle) & (below % 2 == 1))
    pattern = np.where(np.isnan(x), 0, below + up) | np.signbit(x).astype(int) << 15
    return np.where(np.isnan(x), CANONICAL[element], pattern).astype(np.uint16).view(NUMPY[element])


def around(element: str, dtype: Any) -> Array:
    """The numbers of a small type, the middles between them and what lies next to these."""
    table = magnitudes(element)
    middles = ((table[:-1] + table[1:]) / 2).astype(dtype)
    beside = [np.nextafter(middles, dtype(limit)) for limit in (0, np.inf)]
    positive = np.concatenate([table.astype(dtype), middles, *beside])
    return np.concatenate([positive, -positive, floats({4: "f32", 8: "f64"}[np.dtype(dtype).itemsize])])


@pytest.mark.parametrize("target", SMALL)
@pytest.mark.parametrize("source", ["f32", "f64"])
def test_rounding_to_small_floats(source: str, target: str) -> None:
    x = around(target, NUMPY[source].type)
    (got,) = apply(f"%r0 = arith.truncf %a0 : {source} to {target}", [source], [target], x)
    same_bits(got, nearest(x.astype(np.longdouble), target))


def test_f64_to_f32_rounds_once() -> None:
    x = np.concatenate([floats("f64"), around("bf16", np.float64)])
    same_bits(
        apply("%r0 = arith.truncf %a0 : f64 to f32", ["f64"], ["f32"], x)[0], canonical(x.astype(np.float32), "f32")
    )


@pytest.mark.parametrize(("source", "target"), [(a, b) for b in ("f32", "f64") for a in FLOATS[:3] if a != b])
def test_widening_is_exact_and_makes_nan_canonical(source: str, target: str) -> None:
    x = floats(source)
    (got,) = apply(f"%r0 = arith.extf %a0 : {source} to {target}", [source], [target], x)
    same_bits(got, canonical(x.astype(NUMPY[target]), target))


def test_small_floats_into_each_other() -> None:
    x = floats("bf16")
    code = "%w = arith.extf %a0 : bf16 to f32\n%r0 = arith.truncf %w : f32 to f16"
    same_bits(apply(code, ["bf16"], ["f16"], x)[0], nearest(x.astype(np.longdouble), "f16"))


def hard_integers(element: str) -> Array:
    """Edges, and integers that lie at or beside the middle between two numbers of some float type."""
    if element == "i1":
        return integers(element)
    width = int(element[1:])
    around_middles = [
        sign * ((1 << top) + (1 << max(top - kept, 0)) + offset)
        for top in range(width - 1)
        for kept in (8, 9, 11, 12, 24, 25, 53, 54)
        for offset in (-1, 0, 1)
        for sign in (1, -1)
    ]
    low, high = -(1 << width - 1), (1 << width - 1) - 1
    return np.concatenate(
        [integers(element), np.array([x for x in around_middles if low <= x <= high], NUMPY[element])]
    )


@pytest.mark.parametrize("target", FLOATS)
@pytest.mark.parametrize("source", INTEGERS)
def test_integer_to_float_rounds_once(source: str, target: str) -> None:
    x = hard_integers(source)
    code = f"%r0 = arith.sitofp %a0 : {source} to {target}\n%r1 = arith.uitofp %a0 : {source} to {target}"
    got = apply(code, [source], [target] * 2, x)
    signed = -x.astype(np.longdouble) if source == "i1" else x.astype(np.longdouble)
    for result, exact in zip(got, (signed, bits(x).astype(np.longdouble)), strict=True):
        expected = nearest(exact, target) if target in SMALL else exact.astype(NUMPY[target])
        same_bits(result, expected + NUMPY[target].type(0))  # an integer has no negative zero


@pytest.mark.parametrize("source", FLOATS)
@pytest.mark.parametrize("target", INTEGERS)
def test_float_to_integer_saturates(source: str, target: str) -> None:
    width = int(target[1:])
    ends = np.array([sign * 2.0**n for n in (width - 1, width) for sign in (1, -1)])
    near = np.concatenate(
        [ends, *(ends + d for d in (-1.0, -0.5, 0.5, 1.0)), *(ends * (1 + d) for d in (-(2.0**-20), 2.0**-20))]
    )
    x = np.concatenate([floats(source), near.astype(NUMPY[source])])
    code = f"%r0 = arith.fptosi %a0 : {source} to {target}\n%r1 = arith.fptoui %a0 : {source} to {target}"
    signed, unsigned = apply(code, [source], [target] * 2, x)
    for got, low, high in ((signed, -(1 << width - 1), (1 << width - 1) - 1), (unsigned, 0, (1 << width) - 1)):
        exact = np.trunc(np.where(np.isnan(x), 0, x).astype(np.longdouble))
        clipped = [min(max(int(np.clip(v, -(2.0**70), 2.0**70)), low), high) & ((1 << width) - 1) for v in exact]
        same_bits(bits(got), np.array(clipped, np.uint64).astype(bits(got).dtype))


@pytest.mark.parametrize(
    ("first", "second"), [("f16", "i16"), ("bf16", "i16"), ("f16", "bf16"), ("f32", "i32"), ("f64", "i64")]
)
def test_bitcasts_keep_bits(first: str, second: str) -> None:
    x = floats(first)
    code = f"%r0 = arith.bitcast %a0 : {first} to {second}\n%r1 = arith.bitcast %r0 : {second} to {first}"
    there, back = apply(code, [first], [second, first], x)
    same_bits(bits(there), bits(x))
    same_bits(back, x)


@pytest.mark.parametrize(("source", "target"), [(a, b) for a in INTEGERS for b in INTEGERS if a != b])
def test_integers_of_other_widths(source: str, target: str) -> None:
    x, widths = integers(source), (int(source[1:]), int(target[1:]))
    pattern = bits(x).astype(np.uint64)
    negative = (pattern >> np.uint64(widths[0] - 1)) != 0
    sign = np.where(negative, ~np.uint64(0) << np.uint64(widths[0] - 1), np.uint64(0))
    mask = np.uint64((1 << widths[1]) - 1)
    if widths[1] < widths[0]:
        (got,) = apply(f"%r0 = arith.trunci %a0 : {source} to {target}", [source], [target], x)
        same_bits(bits(got), (pattern & mask).astype(bits(got).dtype))
        return
    code = f"%r0 = arith.extsi %a0 : {source} to {target}\n%r1 = arith.extui %a0 : {source} to {target}"
    signed, unsigned = apply(code, [source], [target] * 2, x)
    same_bits(bits(signed), ((pattern | sign) & mask).astype(bits(signed).dtype))
    same_bits(bits(unsigned), pattern.astype(bits(unsigned).dtype))


def test_index_is_sixty_four_bits() -> None:
    x = integers("i32")
    code = """%r0 = arith.index_cast %a0 : i32 to index
      %u = arith.index_castui %a0 : i32 to index
      %r1 = arith.index_cast %u : index to i64"""
    signed, unsigned = apply(code, ["i32"], ["index", "i64"], x)
    same_bits(signed, x.astype(np.int64))
    same_bits(unsigned, x.view(np.uint32).astype(np.int64))
