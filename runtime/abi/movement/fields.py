"""What movement programs are written in: kinds of movements, memories and their levels, and the fields of all tables.

The C++ view of these is `movement.gen.h` (see `header`).
"""

from __future__ import annotations

from enum import IntEnum


class Op(IntEnum):
    """What a movement does (parameters in `Program.parameters`, by the field tables below)."""

    COPY = 0
    """Its `parts`, in order."""
    GATHER = 1
    """Pixels under the taps of a window, from blocks of input rows in L2 to a tile in L1, see `GATHER_FIELDS`."""
    FOLD = 2
    """A tile of a product in the array, see `FOLD_FIELDS`."""
    EPILOGUE = 3
    """A program on the results of a tile, see `EPILOGUE_FIELDS`."""
    VECTOR = 4
    """A part of a vector program, see `VECTOR_FIELDS`."""
    POOL = 5
    """The windows of a pooling for outputs of channels, see `POOL_FIELDS`."""
    SOFTMAX = 6
    """Scores of an attention become weights, see `SOFTMAX_FIELDS`."""
    QUANTIZE = 7
    """Parts of rows become integers by the factors of the rows, see `QUANTIZE_FIELDS`."""
    GATES = 8
    """Gates of an LSTM, and what becomes of its states, see `GATES_FIELDS`."""
    CLEAR = 9
    """Bytes of an L1 become zeros, see `CLEAR_FIELDS`."""
    MAGNITUDE = 10
    """The largest magnitudes of rows so far, and in the end their factors, see `MAGNITUDE_FIELDS`."""


class Level(IntEnum):
    """A level of the memory hierarchy."""

    EXTERNAL = 0
    L3 = 1
    L2 = 2
    L1 = 3


class Memory(IntEnum):
    """Codes of memories; inputs, outputs and L1s count on from theirs. WORKSPACE is external, and each launch's own."""

    WEIGHTS = 0
    SCRATCH = 1
    STATE = 2
    L3 = 3
    L2 = 4
    WORKSPACE = 5
    L1 = 1 << 10
    INPUT = 1 << 16
    OUTPUT = 1 << 32


FOLD_FIELDS = (
    "memory", "lhs", "rhs", "sums", "rows", "columns", "depth", "is_float", "is_first", "lhs_zero", "packing",
    "rhs_row_bytes", "is_window", "pixel", "rhs_is_float",
    "lhs_stride", "sums_stride", "group", "factors", "kept",
)  # fmt: skip
"""lhs and rhs are byte addresses in `memory`. lhs is rows×depth, its rows `lhs_stride` elements apart, or dense
depth×rows of a window (`is_window`), whose first row is output `pixel`; rhs has `columns` rows of `rhs_row_bytes`; of
packing A5 their number is rounded up to a multiple of those that lie abreast. Sums are rows×columns words, columns×rows
of a window, with rows `sums_stride` words apart; `is_first`: they start from 0. With a `group`, so many elements share
a scale: a row of rhs, or all rows that lie abreast, are a packed row for each group, and behind them the scales; sums
are f32, divided in the end by the factors of the rows of lhs, if they are somewhere (not -1). With a `depth` below
`group` it is a part of the only group: of reals any, else the last, and sums so far are those of integers. Where `kept`
is not -1, only those k are multiplied for which some column has a weight: so many, or one where there is none."""

GATHER_FIELDS = (
    "memory", "address", "pixel", "rows", "channels", "element_bytes", "rows_per_block", "zero", "blocks",
)  # fmt: skip
"""`rows` outputs from `pixel` on; what is not there reads as `zero`. Then, for each of `blocks`, its number (each plane
has whole blocks of `rows_per_block` input rows) and its address in L2: (channels, rows of it, width) elements."""

EPILOGUE_FIELDS = (
    "memory", "sums", "out", "rows", "columns", "is_window", "element", "stride", "channel", "channel_step",
    "element_bytes", "chunk_rows", "windows",
)  # fmt: skip
"""The rows of the tile as it lies there, the first being at result `element`, the next `stride` further; their lanes
have channels from `channel` on, `channel_step` apart. Words are issued once for `chunk_rows` rows, or for a part of a
row with more elements than VL can be. Then for each of `windows`: number, first L1 address,
and count of segments, and for each of these first byte in the tensor and bytes; they follow each other in L1."""

VECTOR_FIELDS = (
    "memory", "accesses", "is_first", "is_direct", "timed", "stored_bytes", "loads", "stores",
)  # fmt: skip
"""So many `accesses` of a program to its windows, and what comes with them; -1: all that are left. Then the runs that
it loads and those that it stores, so many of each: memory, first byte, bytes of each, how many, and the bytes from one
to the next; the address in L1 of the first, and the bytes from one to the next there. `is_direct`: the program accesses
external memory itself, and stores `stored_bytes` of its bytes. Where its control depends on operands, `timed` is its
number in `Program.timed`, else -1: then it is executed when it starts, and takes what the walk says that knows the
scalars taken from lanes."""

POOL_FIELDS = ("memory", "in", "out", "is_wide", "channels", "first", "lanes", "first_row", "rows")
"""Outputs `first` to `first + lanes` of each of `channels`, of whose input rows `rows` from `first_row` on lie in L1.
Results are 32-bit lanes (`is_wide`) or elements."""

SOFTMAX_FIELDS = (
    "memory", "scores", "rows", "columns", "first", "mask", "mask_row_stride", "mask_column_stride",
)  # fmt: skip
"""Scores of queries `first` to `first + rows` become weights; the mask lies in L1 with strides in elements."""

QUANTIZE_FIELDS = ("memory", "in", "out", "factors", "rows", "columns")
"""f32 elements of rows, the integers that they become, see `Activations.ABSMAX`, and the factor of each row."""

MAGNITUDE_FIELDS = ("memory", "in", "factors", "rows", "columns", "is_first", "is_last")
"""f32 elements of rows, and the largest magnitude of each row so far; with the last ones it becomes the factor."""

GATES_FIELDS = (
    "memory", "of_input", "of_state", "bias", "recurrent_bias", "cell", "hidden", "rows", "columns",
)  # fmt: skip
"""For `columns` elements of the states of `rows`: sums of each row have those of each gate, one after the other, and so
do biases (-1: none); `cell` and `hidden` are rows×columns, the first being read and written, the other written."""

CLEAR_FIELDS = ("memory", "address", "bytes")

PARAMETERS = {
    Op.COPY: (),
    Op.GATHER: GATHER_FIELDS,
    Op.FOLD: FOLD_FIELDS,
    Op.EPILOGUE: EPILOGUE_FIELDS,
    Op.VECTOR: VECTOR_FIELDS,
    Op.POOL: POOL_FIELDS,
    Op.SOFTMAX: SOFTMAX_FIELDS,
    Op.QUANTIZE: QUANTIZE_FIELDS,
    Op.GATES: GATES_FIELDS,
    Op.CLEAR: CLEAR_FIELDS,
    Op.MAGNITUDE: MAGNITUDE_FIELDS,
}

MOVEMENT_FIELDS = (
    "op", "engine", "queue", "launch", "tile", "busy_ps", "lag_ps", "pipe_ps", "bytes", "source", "target", "macs",
    "operations", "wait_first", "wait_count", "part_first", "part_count", "parameter_first", "parameter_count",
)  # fmt: skip
"""Columns of the table of movements. `engine` is its number in the machine, `queue` that of all queues; `busy_ps` is
how long it takes at least, the last `lag_ps` of which it leaves its engine to the next one; `pipe_ps` is how long it
keeps external memory; `bytes` move from level `source` to level `target`;
`macs` are multiply-accumulates, `operations` elements of vector code or pooling taps."""

PART_FIELDS = (
    "source", "from", "target", "to", "count0", "from0", "to0", "count1", "from1", "to1", "run",
)  # fmt: skip
"""Columns of the table of copies: memory and byte address on both sides; run bytes, count1 times by strides from1 and
to1, that count0 times by from0 and to0."""


ACCESS_FIELDS = ("movement", "memory", "low", "high", "writes")
"""Columns of the table of accesses: bytes `low` to `high` of a memory that a movement reads or writes, beside those of
its copies."""


TOKEN_FIELDS = ("launch", "movement")
"""Columns of the table of tokens: a movement that every access of a launch to external memory comes after, but for
those to WEIGHTS."""


def level_of(memory: int) -> Level:
    """The level that a memory belongs to."""
    if memory == Memory.L3:
        return Level.L3
    if memory == Memory.L2:
        return Level.L2
    return Level.L1 if Memory.L1 <= memory < Memory.INPUT else Level.EXTERNAL
