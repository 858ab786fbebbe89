"""Fixed-size records of a fabric binary: one table of fields each, from which readers, writers and documents derive."""

from __future__ import annotations

from enum import IntEnum

from tfmbs.runtime.abi.geometries import (
    ATTENTION_GEOMETRY,
    GEMM_GEOMETRY,
    GROUP_GEOMETRY,
    LSTM_GEOMETRY,
    VOLUME_GEOMETRY,
    WINDOW_GEOMETRY,
    Activations,
    Direction,
    GateOrder,
    MaskMode,
    PoolMode,
)
from tfmbs.runtime.abi.record import NONE, Field, FieldValue, Record
from tfmbs.runtime.abi.size_records import PATCH, SIZE, TERM, Patched, Reading
from tfmbs.runtime.abi.types import DType, Meaning, Packing, Region

__all__ = [
    "ATTENTION_GEOMETRY", "DEBUG", "DESCRIPTOR", "ENTRY", "GEMM_GEOMETRY", "GEOMETRY_OF_KIND", "GROUP_GEOMETRY", "IO",
    "LSTM_GEOMETRY", "MASK", "NONE", "ORIGIN", "PATCH", "PROGRAM", "RECORDS", "SCHEDULE", "SEMANTICS", "SIZE", "STATE",
    "TELEMETRY", "TENSOR", "TERM", "VOLUME_GEOMETRY", "WINDOW_GEOMETRY", "Activations", "Dataflow", "Direction",
    "Field", "FieldValue", "GateOrder", "Kind", "MaskMode", "Patched", "PoolMode", "ProgramKind", "Reading", "Record",
    "ZeroSkip",
]  # fmt: skip


class Kind(IntEnum):
    """What a descriptor launches (append-only)."""

    GEMM = 1
    GEMV = 2
    CONV2D = 3
    POOL = 4
    VECTOR = 5
    COPY = 6
    CONV3D = 7
    ATTENTION = 8
    LSTM = 9
    GROUP_GEMM = 10


class Dataflow(IntEnum):
    """Which operand stays in the array."""

    OUTPUT_STATIONARY = 1
    WEIGHT_STATIONARY = 2
    INPUT_STATIONARY = 3


class LoopOrder(IntEnum):
    """Which output tiles follow each other: those of neighbouring rows, or columns; ANY: as the device chooses."""

    ANY = 0
    ROWS = 1
    COLUMNS = 2


class ZeroSkip(IntEnum):
    """How zero weights are exploited: not at all, by gating energy, or by a compacted stream that saves cycles."""

    NONE = 0
    ENERGY = 1
    CYCLE = 2


class ProgramKind(IntEnum):
    """VECTOR: launched by a VECTOR descriptor. EPILOGUE: applied by a kernel to each output chunk."""

    VECTOR = 1
    EPILOGUE = 2


TENSOR = Record(
    "tensor",
    64,
    "A dense row-major tensor in one memory region.",
    (
        Field("region", 0, "u8", "memory region", enum=Region),
        Field("dtype", 1, "u8", "element type", enum=DType),
        Field("packing", 2, "u8", "packing of the elements", enum=Packing),
        Field("rank", 3, "u8", "number of dimensions, at most 8", high=8),
        Field("slot", 4, "u32", "argument number for INPUT and OUTPUT, else 0"),
        Field("offset", 8, "u64", "byte offset in the region, aligned to the element"),
        Field("bytes", 16, "u64", "size in bytes: rows times the bytes of a packed row"),
        Field("dims", 24, "u32", "sizes, outermost first; 0 beyond the rank", count=8),
        Field("name", 56, "u32", "name, for people", index="strings"),
    ),
)

SCHEDULE = Record(
    "schedule",
    32,
    "How a launch is cut into tiles. It changes time, never values.",
    (
        Field("dataflow", 0, "u8", "what stays in the array", enum=Dataflow),
        Field("buffers", 1, "u8", "buffers per streamed operand, at least 1", low=1),
        Field("zero_skip", 2, "u8", "zero-skip mode", enum=ZeroSkip),
        Field("order", 3, "u8", "which output tiles follow each other", enum=LoopOrder, quiet=True),
        Field("tile_m", 4, "u32", "rows of an output tile", low=1),
        Field("tile_n", 8, "u32", "columns of an output tile", low=1),
        Field("tile_k", 12, "u32", "reduction length of a step", low=1),
        Field("block_m", 16, "u32", "rows of a block of the output, 0: all", quiet=True),
        Field("block_n", 20, "u32", "columns of a block of the output, 0: all", quiet=True),
        Field("block_k", 24, "u32", "reduction length for all tiles of a block before the next, 0: all", quiet=True),
    ),
)

MASK = Record(
    "mask",
    32,
    "A set of fabric tiles, at most 256.",
    (Field("words", 0, "u64", "bit i of word i // 64 is tile i", count=4),),
)

DESCRIPTOR = Record(
    "descriptor",
    64,
    "A kernel launch. Descriptors of an entry start in order, each when the tokens it waits for are signalled.",
    (
        Field("kind", 0, "u8", "the kernel", enum=Kind),
        Field("waits_count", 2, "u16", "number of tokens to wait for"),
        Field("lhs", 4, "u32", "left operand, input or source", index="tensor", optional=True),
        Field("rhs", 8, "u32", "right operand, the weights", index="tensor", optional=True),
        Field("out", 12, "u32", "result", index="tensor", optional=True),
        Field("geometry", 16, "u32", "sizes, of the table that belongs to the kind", index="geometry", optional=True),
        Field("schedule", 20, "u32", "tiling", index="schedule", optional=True),
        Field("mask", 24, "u32", "fabric tiles it runs on", index="mask"),
        Field("program", 28, "u32", "VECTOR: the program; else the epilogue", index="program", optional=True),
        Field("args_first", 32, "u32", "first operand window, or further operand, in the args table"),
        Field("args_count", 36, "u16", "number of operand windows or further operands, at most 16", high=16),
        Field("waits_first", 40, "u32", "first token in the waits table"),
        Field("signal", 44, "u32", "token that is signalled when the result is visible; each once"),
        Field("telemetry", 48, "u32", "the layer it belongs to", index="telemetry", optional=True),
        Field("name", 52, "u32", "name, for people", index="strings"),
    ),
)

PROGRAM = Record(
    "program",
    32,
    "A SIW program: a range of words.",
    (
        Field("kind", 0, "u8", "how it is launched", enum=ProgramKind),
        Field("windows", 1, "u8", "operand windows it addresses, at most 16", high=16),
        Field("first_word", 4, "u32", "first word in the SIW section"),
        Field("word_count", 8, "u32", "number of words, the last holds END", low=1),
        Field("name", 12, "u32", "name, for people", index="strings"),
        Field("max_steps", 16, "u64", "words it executes at most, loops unrolled", low=1),
    ),
)

ENTRY = Record(
    "entry",
    64,
    "An entry point: a range of descriptors and what they run on.",
    (
        Field("name", 0, "u32", "name", index="strings"),
        Field("first_descriptor", 4, "u32", "first descriptor"),
        Field("descriptor_count", 8, "u32", "number of descriptors; 0 where no output has elements"),
        Field("inputs_first", 12, "u32", "first input in IO_SIG"),
        Field("inputs_count", 16, "u32", "number of inputs"),
        Field("outputs_first", 20, "u32", "first output in IO_SIG"),
        Field("outputs_count", 24, "u32", "number of outputs"),
        Field("scratch_bytes", 32, "u64", "size of the scratch arena"),
    ),
)

IO = Record(
    "io",
    16,
    "An input or output of an entry point; its tensor gives shape, dtype and slot.",
    (
        Field("name", 0, "u32", "name", index="strings"),
        Field("tensor", 4, "u32", "its tensor", index="tensor"),
        Field("meaning", 8, "u8", "what its elements stand for", enum=Meaning, quiet=True),
    ),
)

STATE = Record(
    "state",
    32,
    "A persistent buffer of a context, zero at first.",
    (
        Field("name", 0, "u32", "name", index="strings"),
        Field("offset", 8, "u64", "byte offset in the state region"),
        Field("bytes", 16, "u64", "size in bytes", low=1),
    ),
)

TELEMETRY = Record(
    "telemetry",
    40,
    "What the compiler knows of a layer's weights; counted after quantization.",
    (
        Field("layer", 0, "u32", "layer name", index="strings"),
        Field("mask", 4, "u32", "fabric tiles of the layer", index="mask"),
        Field("zero_count", 8, "u64", "weights that are zero"),
        Field("total", 16, "u64", "all weights"),
        Field("sparsity", 24, "f32", "zero_count / total, 0 without weights", low=0, high=1),
        Field("fusion_order", 28, "i32", "position in a fused run, -1 when not fused", low=-1),
        Field("fusion_sparsity", 32, "f32", "sparsity over the whole fused run", low=0, high=1),
    ),
)

DEBUG = Record(
    "debug",
    16,
    "Where a record comes from.",
    (
        Field("descriptor", 0, "u32", "descriptor", index="descriptor"),
        Field("location", 4, "u32", "source location, e.g. the ONNX node", index="strings"),
    ),
)

ORIGIN = Record(
    "origin",
    16,
    "Where words of a launch's program come from, if not from where the launch does. Each slot of a word at most once.",
    (
        Field("descriptor", 0, "u32", "descriptor", index="descriptor"),
        Field("location", 4, "u32", "source location, e.g. the ONNX node", index="strings"),
        Field("first_word", 8, "u32", "first word, counted from the program's first"),
        Field("word_count", 12, "u16", "number of words", low=1),
        Field("slots", 14, "u8", "slots that come from there: bit 0 is D, 1 is S, 2 is C", low=1, high=7),
    ),
)

SEMANTICS = Record(
    "semantics",
    32,
    "An op of the network that a launch does a part of: what it is for and what it costs. A launch's first is its own.",
    (
        Field("descriptor", 0, "u32", "descriptor", index="descriptor"),
        Field("number", 4, "u32", "the op's place among those of its entry's network; several launches may do one op"),
        Field("phase", 8, "u32", "phase of the network, or nothing", index="strings"),
        Field("pattern", 12, "u32", "structures that it ends, joined by +, or nothing", index="strings"),
        Field("flops", 16, "u64", "operations, by the formulas of the compiler"),
        Field("bytes", 24, "u64", "bytes of operands and results in the network's own types"),
    ),
)

RECORDS: dict[str, Record] = {
    r.name: r
    for r in (
        TENSOR,
        GEMM_GEOMETRY,
        WINDOW_GEOMETRY,
        VOLUME_GEOMETRY,
        ATTENTION_GEOMETRY,
        GROUP_GEOMETRY,
        LSTM_GEOMETRY,
        SCHEDULE,
        MASK,
        DESCRIPTOR,
        PROGRAM,
        ENTRY,
        IO,
        STATE,
        TELEMETRY,
        DEBUG,
        ORIGIN,
        SIZE,
        PATCH,
        TERM,
        SEMANTICS,
    )
}

GEOMETRY_OF_KIND: dict[Kind, Record | None] = {
    Kind.GEMM: GEMM_GEOMETRY,
    Kind.GEMV: GEMM_GEOMETRY,
    Kind.CONV2D: WINDOW_GEOMETRY,
    Kind.POOL: WINDOW_GEOMETRY,
    Kind.VECTOR: None,
    Kind.COPY: None,
    Kind.CONV3D: VOLUME_GEOMETRY,
    Kind.ATTENTION: ATTENTION_GEOMETRY,
    Kind.GROUP_GEMM: GROUP_GEOMETRY,
    Kind.LSTM: LSTM_GEOMETRY,
}
