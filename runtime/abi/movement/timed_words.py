"""Vector programs as numbers: what the timing rule of `siw_cycles` and the walk over their accesses need of each word.

Native code executes these tables; it knows no opcode.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.siw_cycles import Operation, Place, decoded_words
from tfmbs.runtime.abi.siw_deps import INTERLOCKED_UNITS
from tfmbs.runtime.abi.siw_timing import READS_END, RESULT_AT_END, Timing, has_beats

Table = npt.NDArray[np.int64]


class Control(IntEnum):
    """What the C slot of a word does to the flow."""

    NONE = 0
    SETVL = 1
    SETVLR = 2
    LOOP = 3
    SKIP = 4
    BREAK = 5
    END = 6


class ScalarOp(IntEnum):
    """What the S slot of a word does to a scalar."""

    NONE = 0
    LI = 1
    LIH = 2
    ADDI = 3
    SADD = 4
    SSUB = 5
    SMUL = 6
    SMIN = 7
    SMAX = 8
    SGET = 9


TIMED_WORD_FIELDS = (
    "op_first", "op_count", "deps", "left", "control", "condition", "amount", "scalar", "scalar_target", "base",
    "index", "immediate",
)  # fmt: skip
"""A word: its operations, waits, control with a scalar and an immediate, and the scalars of slot S."""

TIMED_OP_FIELDS = (
    "number", "slot", "has_beats", "least_lanes", "is_scan", "cycles", "latency", "ends_late", "reads_end",
    "accumulates", "is_load", "is_store", "is_slow", "window", "is_indexed", "is_stream", "read_first", "read_count",
    "write_first", "write_count",
)  # fmt: skip
"""An operation: which opcode, its slot, how long it takes, what it waits for, its window (-1: none), and the places
that it reads and writes."""

TIMED_WINDOW_FIELDS = ("memory", "offset", "element_bytes", "elements")
"""A window: where its tensor lies."""

TIMED_ENGINE_FIELDS = ("lanes", "core_ps", "dma_ps", "width", "external_per_million", "max_words")
"""What a program runs on: elements per beat; periods; bytes of a DMA engine's beat, and those that external memory
moves in 10⁶ picoseconds; most words."""

_INDEXED = frozenset({"GATHER", "SCATTER", "GATHER64", "SCATTER64"})
_STREAMS = frozenset({"RECV", "SEND"})
_PLACE_OF = {"v": 0, "s": siw.VECTOR_REGISTERS, "vl": siw.VECTOR_REGISTERS + siw.SCALAR_REGISTERS}


@dataclass(frozen=True)
class TimedWords:
    """The tables of a program."""

    words: Table
    ops: Table
    places: Table


def timed_words(words: Sequence[bytes], timing: Timing) -> TimedWords:
    """The tables of a valid program, on a vector engine."""
    rows: list[tuple[int, ...]] = []
    ops: list[tuple[int, ...]] = []
    places: list[int] = []
    for word in decoded_words(words):
        fields = word.fields
        control = Control[word.control] if word.control in Control.__members__ else Control.NONE
        scalar = next((o.op.name for o in word.operations if o.op.name in ScalarOp.__members__), "NONE")
        base, index = fields["s_base"], fields["s_index"]
        rows.append(
            (
                len(ops), len(word.operations), word.deps, word.left, control, fields["c_reg"], fields["c_imm"],
                ScalarOp[scalar], fields["s_reg"], base, index, fields["s_imm"],
            )
        )  # fmt: skip
        ops += [_op(operation, fields["s_win"], fields["c_src"], timing, places) for operation in word.operations]
    return TimedWords(
        np.array(rows, np.int64).reshape(-1, len(TIMED_WORD_FIELDS)),
        np.array(ops, np.int64).reshape(-1, len(TIMED_OP_FIELDS)),
        np.array(places, np.int64),
    )


def _op(operation: Operation, s_window: int, c_window: int, timing: Timing, places: list[int]) -> tuple[int, ...]:
    op = operation.op
    beats = has_beats(op)
    reads = [_place(place) for place in operation.reads]
    writes = [_place(place) for place in operation.writes]
    first = len(places)
    places += reads + writes
    accesses = op.is_load or op.is_store
    return (
        op.code * len("DSC") + "DSC".index(op.slot), "DSC".index(op.slot), beats,
        siw.REDUCTION_LANES if op.name == "FOLD" else 1, op.unit == "scan",
        timing.cycles_per_beat(op) if beats else 1, timing.result_latency(op), op.name in RESULT_AT_END,
        op.name in READS_END, op.acc and bool(op.vectors), op.is_load, op.is_store,
        not op.is_load and op.unit in INTERLOCKED_UNITS, _window(op.slot, s_window, c_window) if accesses else -1,
        op.name in _INDEXED, op.name in _STREAMS, first, len(reads), first + len(reads), len(writes),
    )  # fmt: skip


def _window(slot: str, s_window: int, c_window: int) -> int:
    return s_window if slot == "S" else c_window


def _place(place: Place) -> int:
    kind, number = place
    return _PLACE_OF[kind] + number
