"""The records of run-time sizes: bounds of an entry point's sizes, and the fields of other records that follow them.

The other tables hold the content at the upper bounds: a plain, valid binary. For smaller sizes a reader writes the
values of polynomials over the fields that `PATCH` records name, and checks the result like a plain binary.
"""

from __future__ import annotations

from enum import IntEnum

from tfmbs.runtime.abi.record import Field, Record

MAX_SIZES = 4
"""Run-time sizes of one entry point."""

MAX_PIECES = 64
"""Entry points of one name, each for other ranges of sizes."""

MAX_DEGREE = 3
"""Degree of a polynomial, in all sizes together."""


class Patched(IntEnum):
    """Codes of the sections whose records may depend on sizes; SIW are instruction words, `at` is a bit there."""

    PROGRAM = 6
    SIW = 7
    TENSOR = 8
    GEMM_GEOMETRY = 9
    WINDOW_GEOMETRY = 10
    SCHEDULE = 11
    ENTRY = 15
    VOLUME_GEOMETRY = 23
    ATTENTION = 24
    LSTM_GEOMETRY = 25
    GROUP_GEOMETRY = 26
    SEMANTICS = 30


class Reading(IntEnum):
    """What becomes of a number: NUMBER: itself. F32: the bits of the F32 nearest to it."""

    NUMBER = 0
    F32 = 1


SIZE = Record(
    "size",
    16,
    "A run-time size of an entry point. Entries of one name share it among ranges of sizes that are disjoint.",
    (
        Field("entry", 0, "u32", "the entry point", index="entry"),
        Field("name", 4, "u32", "name", index="strings"),
        Field("low", 8, "u32", "least value", low=1),
        Field("high", 12, "u32", "greatest value, the one of the other tables", low=1),
    ),
)

PATCH = Record(
    "patch",
    24,
    "A number that depends on the sizes of an entry point: the sum of its terms over `divisor`, without a remainder.",
    (
        Field("entry", 0, "u32", "the entry point whose sizes it depends on", index="entry"),
        Field("row", 4, "u32", "number of the record, or word"),
        Field("first_term", 8, "u32", "first term"),
        Field("divisor", 12, "u32", "what the sum is divided by", low=1),
        Field("term_count", 16, "u16", "number of terms", low=1),
        Field("section", 18, "u8", "section of the record", enum=Patched),
        Field("reading", 19, "u8", "what becomes of the number", enum=Reading, quiet=True),
        Field("at", 20, "u16", "first byte of the number in the record; first bit in an instruction word"),
        Field("shift", 22, "u8", "low bits of the number that are left out", high=63),
        Field("part", 23, "u8", "1: only as many bits as the field has; 0: the number must fit", high=1),
    ),
)

TERM = Record(
    "term",
    16,
    "A term of a polynomial: coefficient · size₀^degree₀ · size₁^degree₁ ….",
    (
        Field("coefficient", 0, "i64", "the factor, not 0"),
        Field("degrees", 8, "u8", "power of each size of the entry point", count=MAX_SIZES, high=MAX_DEGREE),
    ),
)
