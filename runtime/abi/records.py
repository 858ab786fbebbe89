"""Fixed-size records of a fabric binary: one table of fields each, from which readers, writers and documents derive.

A field is (name, offset in bytes, width in bytes, meaning). Widths are 1, 2, 4 or 8; integers are little-endian. The
tables are checked when this module is imported: no overlap, natural alignment, every byte is a field or zero.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np

from tfmbs.runtime.abi.types import DType, Meaning, Packing, Region

NONE = 0xFFFFFFFF  # "no index" in every u32 index field


@dataclass(frozen=True)
class Field:
    """One integer (or an array of `count` integers) of a record.

    `enum` limits the values; `index` names the record table (or "strings", "geometry") that the value points into; NONE
    is allowed where `optional`. `kind` "f32" is an IEEE single. `low` and `high` bound the valid values. A field that
    came later is `quiet`: text leaves it out where it is 0, as it is in files from before.
    """

    name: str
    offset: int
    kind: str  # u8 u16 u32 u64 i32 f32
    doc: str
    count: int = 1
    enum: type[IntEnum] | None = None
    index: str | None = None
    optional: bool = False
    low: float | None = None
    high: float | None = None
    quiet: bool = False

    @property
    def width(self) -> int:
        return int(self.kind[1:]) // 8

    @property
    def size(self) -> int:
        return self.width * self.count


FieldValue = int | float | tuple[int, ...]
_STRUCT_CODES = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "i32": "i", "f32": "f"}


@dataclass(frozen=True)
class Record:
    """A fixed-size record layout. `size` in bytes; `reserved` lists the byte offsets that must be zero (derived)."""

    name: str
    size: int
    doc: str
    fields: tuple[Field, ...]
    reserved: tuple[int, ...] = field(init=False)
    numpy: np.dtype[Any] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        owner: dict[int, str] = {}
        for f in self.fields:
            if f.offset % f.width:
                raise ValueError(f"record {self.name}: field {f.name} at {f.offset} is not aligned to {f.width}")
            for byte in range(f.offset, f.offset + f.size):
                if byte >= self.size or byte in owner:
                    raise ValueError(
                        f"record {self.name}: field {f.name} overlaps {owner.get(byte, 'the end')} at byte {byte}"
                    )
                owner[byte] = f.name
        object.__setattr__(self, "reserved", tuple(b for b in range(self.size) if b not in owner))
        object.__setattr__(self, "numpy", self._numpy())

    def _numpy(self) -> np.dtype[Any]:
        formats = [
            (f"<{f.kind[0]}{f.width}", (f.count,)) if f.count > 1 else f"<{f.kind[0]}{f.width}" for f in self.fields
        ]
        names, offsets = [f.name for f in self.fields], [f.offset for f in self.fields]
        return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": self.size})

    def encode(self, values: Mapping[str, FieldValue]) -> bytes:
        """Bytes of one record. Raises ValueError for a missing or unknown field and for a value that does not fit."""
        unknown = set(values) - {f.name for f in self.fields}
        if unknown:
            raise ValueError(f"record {self.name}: unknown field {sorted(unknown)[0]}")
        out = bytearray(self.size)
        for f in self.fields:
            if f.name not in values:
                raise ValueError(f"record {self.name}: field {f.name} is missing")
            value = values[f.name]
            items = value if isinstance(value, tuple) else (value,)
            if len(items) != f.count:
                raise ValueError(f"record {self.name}: field {f.name} has {len(items)} values, expected {f.count}")
            try:
                struct.pack_into(f"<{f.count}{_STRUCT_CODES[f.kind]}", out, f.offset, *items)
            except (struct.error, OverflowError) as error:
                raise ValueError(f"record {self.name}: field {f.name} = {value}: {error}") from error
        return bytes(out)

    def decode(self, data: bytes | memoryview, offset: int = 0) -> dict[str, FieldValue]:
        """Field values of the record at `offset`; the inverse of `encode`. Checks nothing but the length."""
        values: dict[str, FieldValue] = {}
        for f in self.fields:
            items = struct.unpack_from(f"<{f.count}{_STRUCT_CODES[f.kind]}", data, offset + f.offset)
            values[f.name] = items[0] if f.count == 1 else items
        return values

    def decode_all(self, data: bytes | memoryview) -> list[dict[str, FieldValue]]:
        """Field values of every record in `data`, whose length is a multiple of `size`."""
        table = np.frombuffer(data, self.numpy)
        columns = [
            [tuple(row) for row in table[f.name].tolist()] if f.count > 1 else table[f.name].tolist()
            for f in self.fields
        ]
        names = [f.name for f in self.fields]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


class Kind(IntEnum):
    """What a descriptor launches (append-only)."""

    GEMM = 1
    GEMV = 2
    CONV2D = 3
    POOL = 4
    VECTOR = 5
    COPY = 6
    CONV3D = 7


class Dataflow(IntEnum):
    """Which operand stays in the array."""

    OUTPUT_STATIONARY = 1
    WEIGHT_STATIONARY = 2
    INPUT_STATIONARY = 3


class ZeroSkip(IntEnum):
    """How zero weights are exploited: not at all, by gating energy, or by a compacted stream that saves cycles."""

    NONE = 0
    ENERGY = 1
    CYCLE = 2


class PoolMode(IntEnum):
    """MAX; AVG over the valid taps; AVG_PADDED over all taps of the window, padding included."""

    NONE = 0
    MAX = 1
    AVG = 2
    AVG_PADDED = 3


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

GEMM_GEOMETRY = Record(
    "gemm_geometry",
    64,
    "out[b,m,n] = sum over ascending k of lhs[b,m,k] * rhs[b,n,k]; strides in elements, out is dense.",
    (
        Field("batch", 0, "u32", "number of independent products", low=1),
        Field("m", 4, "u32", "rows of lhs and out", low=1),
        Field("n", 8, "u32", "columns of out, the output channels", low=1),
        Field("k", 12, "u32", "reduction length", low=1),
        Field("lhs_batch_stride", 16, "u32", "elements between the lhs of two products (0: shared)"),
        Field("lhs_m_stride", 20, "u32", "elements between two rows of lhs"),
        Field("lhs_k_stride", 24, "u32", "elements between two k of lhs"),
        Field("rhs_batch_stride", 28, "u32", "elements between the rhs of two products (0: shared)"),
        Field("rhs_n_stride", 32, "u32", "elements between two n of rhs; packed rhs: k, rows are padded to bytes"),
        Field("rhs_k_stride", 36, "u32", "elements between two k of rhs; packed rhs: 1"),
        Field("lhs_zero", 40, "i32", "zero point subtracted from every integer lhs element"),
    ),
)

WINDOW_GEOMETRY = Record(
    "window_geometry",
    64,
    "A sliding window over NCHW, for CONV2D and POOL; padding at the bottom and right follows from the output size.",
    (
        Field("batch", 0, "u32", "images", low=1),
        Field("in_channels", 4, "u32", "input channels", low=1),
        Field("in_height", 8, "u32", "input rows", low=1),
        Field("in_width", 12, "u32", "input columns", low=1),
        Field("out_channels", 16, "u32", "output channels (POOL: as input)", low=1),
        Field("out_height", 20, "u32", "output rows", low=1),
        Field("out_width", 24, "u32", "output columns", low=1),
        Field("kernel_height", 28, "u32", "window rows", low=1),
        Field("kernel_width", 32, "u32", "window columns", low=1),
        Field("stride_height", 36, "u16", "rows between two windows, at least 1", low=1),
        Field("stride_width", 38, "u16", "columns between two windows, at least 1", low=1),
        Field("dilation_height", 40, "u16", "rows between two taps, at least 1", low=1),
        Field("dilation_width", 42, "u16", "columns between two taps, at least 1", low=1),
        Field("pad_top", 44, "u16", "rows of padding above"),
        Field("pad_left", 46, "u16", "columns of padding on the left"),
        Field("pad_bottom", 48, "u16", "rows of padding below that count as window taps (average pooling)"),
        Field("pad_right", 50, "u16", "columns of padding on the right that count as window taps (average pooling)"),
        Field("groups", 52, "u32", "channel groups (POOL: 1)", low=1),
        Field("lhs_zero", 56, "i32", "zero point subtracted from every integer input element"),
        Field("mode", 60, "u8", "pooling mode (CONV2D: NONE)", enum=PoolMode),
    ),
)

VOLUME_GEOMETRY = Record(
    "volume_geometry",
    80,
    "A sliding window over NCDHW, for CONV3D; padding behind follows from the output size.",
    (
        Field("batch", 0, "u32", "volumes", low=1),
        Field("in_channels", 4, "u32", "input channels", low=1),
        Field("in_depth", 8, "u32", "input planes", low=1),
        Field("in_height", 12, "u32", "input rows", low=1),
        Field("in_width", 16, "u32", "input columns", low=1),
        Field("out_channels", 20, "u32", "output channels", low=1),
        Field("out_depth", 24, "u32", "output planes", low=1),
        Field("out_height", 28, "u32", "output rows", low=1),
        Field("out_width", 32, "u32", "output columns", low=1),
        Field("kernel_depth", 36, "u32", "window planes", low=1),
        Field("kernel_height", 40, "u32", "window rows", low=1),
        Field("kernel_width", 44, "u32", "window columns", low=1),
        Field("stride_depth", 48, "u16", "planes between two windows, at least 1", low=1),
        Field("stride_height", 50, "u16", "rows between two windows, at least 1", low=1),
        Field("stride_width", 52, "u16", "columns between two windows, at least 1", low=1),
        Field("dilation_depth", 54, "u16", "planes between two taps, at least 1", low=1),
        Field("dilation_height", 56, "u16", "rows between two taps, at least 1", low=1),
        Field("dilation_width", 58, "u16", "columns between two taps, at least 1", low=1),
        Field("pad_front", 60, "u16", "planes of padding in front"),
        Field("pad_top", 62, "u16", "rows of padding above"),
        Field("pad_left", 64, "u16", "columns of padding on the left"),
        Field("groups", 68, "u32", "channel groups", low=1),
        Field("lhs_zero", 72, "i32", "zero point subtracted from every integer input element"),
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
        Field("tile_m", 4, "u32", "rows of an output tile", low=1),
        Field("tile_n", 8, "u32", "columns of an output tile", low=1),
        Field("tile_k", 12, "u32", "reduction length of a step", low=1),
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
        Field("args_first", 32, "u32", "first operand window in the args table"),
        Field("args_count", 36, "u16", "number of operand windows, at most 16", high=16),
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

RECORDS: dict[str, Record] = {
    r.name: r
    for r in (
        TENSOR,
        GEMM_GEOMETRY,
        WINDOW_GEOMETRY,
        VOLUME_GEOMETRY,
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
}
