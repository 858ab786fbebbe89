"""What integers a value of a loop body can be: intervals, so that code can leave out what changes nothing."""

from __future__ import annotations

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


def _corners(op: str, a: Range, b: Range) -> Range:
    values = [x + y if op == "ADD" else x * y for x in a for y in b]
    return min(values), max(values)


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


def result_range(op: str, *args: Range) -> Range | None:
    """What an operation on unbounded integers gives; None: anything.

    Of SHL, SHRA and SHRL that is so for the widths at which the shift counts of `args` mean the same.
    """
    a, b = args[0], args[-1]
    if op == "SUB":
        return _corners("ADD", a, (-b[1], -b[0]))
    if op in ("ADD", "MUL"):
        return _corners(op, a, b)
    if op == "FMA":
        return _corners("ADD", _corners("MUL", a, args[1]), b)
    if op == "MIN":
        return min(a[0], b[0]), min(a[1], b[1])
    if op == "MAX":
        return max(a[0], b[0]), max(a[1], b[1])
    if op == "NEG":
        return -a[1], -a[0]
    if op == "ABS":
        return (0 if a[0] <= 0 <= a[1] else min(abs(a[0]), abs(a[1]))), max(abs(a[0]), abs(a[1]))
    if op == "SHL":
        return (a[0] << b[0], a[1] << b[0]) if 0 <= b[0] == b[1] < 64 else None
    if op == "SHRA" or (op == "SHRL" and a[0] >= 0):
        return min(a[0], 0), max(a[1], 0)
    rule = {"DIV": _divided, "REM": _remainder, "AND": _and, "OR": _bits, "XOR": _bits}.get(op)
    return rule(a, b) if rule else None
