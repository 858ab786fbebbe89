"""Integer arithmetic of the byte reference in all widths and index, against Python's integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.unit.scalar_code import INTEGERS, NUMPY, apply, bits, integer_pairs, integers, same_bits

Array = NDArray[Any]
ALL = (*INTEGERS, "index")


def width_of(element: str) -> int:
    return 64 if element == "index" else int(element[1:])


def signed(x: Array, width: int) -> list[int]:
    return [-int(v) for v in x] if width == 1 else [int(v) for v in x]


def stored(values: list[int], element: str) -> Array:
    width = width_of(element)
    pattern = np.array([v & ((1 << width) - 1) for v in values], np.uint64)
    return pattern.astype(f"u{NUMPY[element].itemsize}").view(NUMPY[element])


def quotient(a: int, b: int) -> int:
    if b == 0:
        return 0
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def shifted(operation: Callable[[int, int], int], beyond: Callable[[int], int]) -> Callable[[int, int, int], int]:
    return lambda a, b, width: operation(a, b) if b < width else beyond(a)


SIGNED: dict[str, Callable[[int, int], int]] = {
    "addi": lambda a, b: a + b,
    "subi": lambda a, b: a - b,
    "muli": lambda a, b: a * b,
    "divsi": quotient,
    "remsi": lambda a, b: a - quotient(a, b) * b,
    "floordivsi": lambda a, b: a // b if b else 0,
    "ceildivsi": lambda a, b: -(-a // b) if b else 0,
    "minsi": min,
    "maxsi": max,
    "andi": lambda a, b: a & b,
    "ori": lambda a, b: a | b,
    "xori": lambda a, b: a ^ b,
}
UNSIGNED: dict[str, Callable[[int, int], int]] = {
    "divui": quotient,
    "remui": lambda a, b: a - quotient(a, b) * b,
    "ceildivui": lambda a, b: -(-a // b) if b else 0,
    "minui": min,
    "maxui": max,
}


@pytest.mark.parametrize("element", ALL)
def test_arithmetic_wraps_and_division_has_a_result_for_all_operands(element: str) -> None:
    a, b = integer_pairs(element)
    names = [*SIGNED, *UNSIGNED]
    code = "\n".join(f"%r{i} = arith.{name} %a0, %a1 : {element}" for i, name in enumerate(names))
    width = width_of(element)
    values = {"s": list(zip(signed(a, width), signed(b, width), strict=True))}
    values["u"] = [(x % (1 << width), y % (1 << width)) for x, y in values["s"]]
    for name, got in zip(names, apply(code, [element] * 2, [element] * len(names), a, b), strict=True):
        operation, kind = (SIGNED[name], "s") if name in SIGNED else (UNSIGNED[name], "u")
        if width == 1 and name in ("ceildivsi", "floordivsi"):
            continue  # below: exact or by zero
        same_bits(got, stored([operation(x, y) for x, y in values[kind]], element))


def test_one_bit_divides_by_one_or_by_zero() -> None:
    a, b = integer_pairs("i1")
    names = ["divsi", "divui", "floordivsi", "ceildivsi", "ceildivui"]
    code = "\n".join(f"%r{i} = arith.{name} %a0, %a1 : i1" for i, name in enumerate(names))
    for got in apply(code, ["i1"] * 2, ["i1"] * len(names), a, b):
        same_bits(got, a & b)


@pytest.mark.parametrize("element", ALL)
def test_shift_counts_of_the_width_or_more(element: str) -> None:
    a, b = integer_pairs(element)
    width = width_of(element)
    code = "\n".join(f"%r{i} = arith.{name} %a0, %a1 : {element}" for i, name in enumerate(("shli", "shrsi", "shrui")))
    left, arithmetic, logical = apply(code, [element] * 2, [element] * 3, a, b)
    counts = [min(c % (1 << width), width) for c in signed(b, width)]
    values = signed(a, width)
    same_bits(left, stored([v << c for v, c in zip(values, counts, strict=True)], element))
    same_bits(arithmetic, stored([v >> c for v, c in zip(values, counts, strict=True)], element))
    same_bits(logical, stored([v % (1 << width) >> c for v, c in zip(values, counts, strict=True)], element))


ORDER = {"eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "lt": lambda a, b: a < b, "le": lambda a, b: a <= b,
         "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b}  # fmt: skip


@pytest.mark.parametrize("element", ALL)
def test_comparisons(element: str) -> None:
    a, b = integer_pairs(element)
    width = width_of(element)
    names = ["eq", "ne", *(kind + name for kind in "su" for name in ("lt", "le", "gt", "ge"))]
    code = "\n".join(f"%r{i} = arith.cmpi {name}, %a0, %a1 : {element}" for i, name in enumerate(names))
    for name, got in zip(names, apply(code, [element] * 2, ["i1"] * len(names), a, b), strict=True):
        modulus = 1 << width if name[0] == "u" else None
        x, y = ([v % modulus if modulus else v for v in signed(z, width)] for z in (a, b))
        holds = ORDER[name[-2:]]
        same_bits(got, np.array([holds(p, q) for p, q in zip(x, y, strict=True)]))


@pytest.mark.parametrize("element", INTEGERS[1:])
def test_counting_bits(element: str) -> None:
    x, width = integers(element), width_of(element)
    code = "\n".join(f"%r{i} = math.{name} %a0 : {element}" for i, name in enumerate(("absi", "ctpop", "ctlz", "cttz")))
    got = apply(code, [element], [element] * 4, x)
    patterns = [int(v) for v in bits(x)]
    expected = [
        [abs(v) for v in signed(x, width)],
        [p.bit_count() for p in patterns],
        [width - p.bit_length() for p in patterns],
        [(p & -p).bit_length() - 1 if p else width for p in patterns],
    ]
    for result, values in zip(got, expected, strict=True):
        same_bits(result, stored(values, element))


def test_promises_are_not_believed() -> None:
    x = np.array([2**31 - 1, -1, 5], np.int32)
    code = """%r0 = arith.addi %a0, %a0 overflow<nsw, nuw> : i32
      %n = arith.extui %a0 nneg : i32 to i64
      %r1 = arith.divui %n, %n exact : i64"""
    wrapped, ones = apply(code, ["i32"], ["i32", "i64"], x)
    assert wrapped.tolist() == [-2, -2, 10]
    assert ones.tolist() == [1, 1, 1]
