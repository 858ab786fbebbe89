"""What integers a value of a loop body can be: intervals, so that code can leave out what changes nothing."""

from __future__ import annotations

from collections.abc import Callable

from tfmbs.runtime.abi.types import DTYPES, DType

Range = tuple[int, int]
"""Least and greatest value."""

INT32: Range = (-(1 << 31), (1 << 31) - 1)
INT64: Range = (-(1 << 63), (1 << 63) - 1)
BIT: Range = (0, 1)


def range_of_type(dtype: DType) -> Range:
    """All values of an integer type."""
    if dtype is DType.BOOL:
        return BIT
    bits = DTYPES[dtype].bits
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if DTYPES[dtype].is_signed else (0, (1 << bits) - 1)


def within(inner: Range, outer: Range) -> bool:
    """Whether every value of `inner` is one of `outer`."""
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def hull(*ranges: Range) -> Range:
    """The least interval that holds all `ranges`."""
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def _product(a: Range, b: Range) -> Range:
    corners = [x * y for x in a for y in b]
    return min(corners), max(corners)


def _divided(a: Range, b: Range) -> Range:
    if b[0] == b[1] > 0:
        return (-(-a[0] // b[0]) if a[0] < 0 else a[0] // b[0], a[1] // b[0] if a[1] >= 0 else -(-a[1] // b[0]))
    most = max(-a[0], a[1], 0)
    return (0, most) if a[0] >= 0 and b[0] >= 0 else (-most, most)


def _remainder(a: Range, b: Range) -> Range:
    bound = max(-a[0], a[1], 0)
    if not b[0] <= 0 <= b[1]:
        bound = min(bound, max(abs(b[0]), abs(b[1])) - 1)
    return (0 if a[0] >= 0 else -bound), (bound if a[1] > 0 else 0)


def _bits(a: Range, b: Range) -> Range:
    """What bitwise operations can make: as many bits as the operands have."""
    low, high = hull(a, b)
    bits = max(high.bit_length(), (~low).bit_length() if low < 0 else 0)
    return (0 if low >= 0 else -(1 << bits)), (1 << bits) - 1


def _and(a: Range, b: Range) -> Range:
    positive = [high for low, high in (a, b) if low >= 0]
    return (0, min(positive)) if positive else _bits(a, b)


def _absolute(a: Range, _: Range) -> Range:
    least, most = sorted(map(abs, a))
    return (0 if a[0] <= 0 <= a[1] else least), most


def _shifted_left(a: Range, b: Range) -> Range | None:
    return (a[0] << b[0], a[1] << b[0]) if 0 <= b[0] == b[1] < INT64[1].bit_length() else None


def _shifted_right(a: Range, _: Range) -> Range:
    return min(a[0], 0), max(a[1], 0)


_RULES: dict[str, Callable[[Range, Range], Range | None]] = {
    "ADD": lambda a, b: (a[0] + b[0], a[1] + b[1]),
    "SUB": lambda a, b: (a[0] - b[1], a[1] - b[0]),
    "MUL": _product,
    "MIN": lambda a, b: (min(a[0], b[0]), min(a[1], b[1])),
    "MAX": lambda a, b: (max(a[0], b[0]), max(a[1], b[1])),
    "NEG": lambda a, _: (-a[1], -a[0]),
    "ABS": _absolute,
    "DIV": _divided,
    "REM": _remainder,
    "AND": _and,
    "OR": _bits,
    "XOR": _bits,
    "SHL": _shifted_left,
    "SHRA": _shifted_right,
    "SHRL": lambda a, b: _shifted_right(a, b) if a[0] >= 0 else None,
}


def result_range(op: str, *args: Range) -> Range | None:
    """What an operation on unbounded integers gives; None: anything.

    Of SHL, SHRA and SHRL that is so for the widths at which the shift counts of `args` mean the same.
    """
    rule = _RULES.get(op)
    return rule(args[0], args[-1]) if rule else None
