"""The C++ view of movement programs: `runtime/native/movement.gen.h`.

Written by `python -m tfmbs.runtime.abi.movement.header`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import IntEnum
from pathlib import Path

from tfmbs.runtime.abi.cpp_header import camel
from tfmbs.runtime.abi.movement.fields import (
    ACCESS_FIELDS,
    MOVEMENT_FIELDS,
    PARAMETERS,
    PART_FIELDS,
    TOKEN_FIELDS,
    Memory,
    Op,
)
from tfmbs.runtime.abi.movement.timed_words import (
    TIMED_ENGINE_FIELDS,
    TIMED_OP_FIELDS,
    TIMED_WINDOW_FIELDS,
    TIMED_WORD_FIELDS,
    Control,
    ScalarOp,
)

PATH = Path(__file__).resolve().parents[2] / "native" / "movement.gen.h"

_PROLOGUE = """\
// Movement programs: the rows of their tables.
// Generated from runtime/abi/movement by `python -m tfmbs.runtime.abi.movement.header`; do not edit.
#pragma once

#include <cstdint>

namespace tfmbs::movement {
"""


def _enum(enum: type[IntEnum]) -> Iterator[str]:
    yield f"enum class {enum.__name__} : int64_t {{"
    yield from (f"  {member.name} = {member.value}," for member in enum)
    yield "};"
    yield ""


def _struct(name: str, fields: Sequence[str]) -> Iterator[str]:
    yield f"struct {name} {{"
    yield from (f"  int64_t {field};" for field in fields)
    yield "};"
    yield f"static_assert(sizeof({name}) == {8 * len(fields)});"
    yield ""


def header() -> str:
    """The text of the header."""
    lines = [_PROLOGUE]
    for enum in (Op, Memory, Control, ScalarOp):
        lines += _enum(enum)
    lines += _struct("Movement", MOVEMENT_FIELDS)
    lines += _struct("Part", PART_FIELDS)
    lines += _struct("Access", ACCESS_FIELDS)
    lines += _struct("Token", TOKEN_FIELDS)
    lines += _struct("TimedWord", TIMED_WORD_FIELDS)
    lines += _struct("TimedOp", TIMED_OP_FIELDS)
    lines += _struct("TimedWindow", TIMED_WINDOW_FIELDS)
    lines += _struct("TimedEngine", TIMED_ENGINE_FIELDS)
    for op, fields in PARAMETERS.items():
        if fields:
            lines += _struct(camel(op.name.lower()), fields)
    lines.append("}  // namespace tfmbs::movement")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PATH.write_text(header())
