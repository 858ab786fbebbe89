"""The header of a GGUF file (versions 2 and 3): metadata, and where each tensor lies.

Every count, length, product and offset is checked against the bytes that there are before it is used: integer overflows
in such headers were CVE-2024-21802, CVE-2025-53630 and CVE-2026-27940. The layout is that of ggml's docs/gguf.md; types
of tensors and the sizes of their blocks are the gguf package's tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

from gguf.constants import GGML_QUANT_SIZES, GGUF_DEFAULT_ALIGNMENT, GGMLQuantizationType, GGUFValueType

from tfmbs.compiler.importers.gguf.cursor import SCALARS, Cursor
from tfmbs.dialect.shapes import Shape
from tfmbs.runtime.abi.errors import TfmbsError

MAGIC, VERSIONS = b"GGUF", (2, 3)
MOST_DIMS, MOST_NAME, MOST_STRING = 4, 64, 1 << 16
_LEAST_KEY = 8 + 4 + 1  # bytes of a key of no letters with its type and the shortest value
_LEAST_TENSOR = 8 + 4 + 8 + 4 + 8  # of a tensor of no name and one dimension
_KEPT_ELEMENTS = 1 << 12  # of an array whose values are kept; the vocabulary's are not needed
_ALIGNMENT = "general.alignment"

_SCALAR_TYPES: dict[int, str] = {
    GGUFValueType.UINT8: "u8",
    GGUFValueType.INT8: "i8",
    GGUFValueType.UINT16: "u16",
    GGUFValueType.INT16: "i16",
    GGUFValueType.UINT32: "u32",
    GGUFValueType.INT32: "i32",
    GGUFValueType.FLOAT32: "f32",
    GGUFValueType.BOOL: "bool",
    GGUFValueType.UINT64: "u64",
    GGUFValueType.INT64: "i64",
    GGUFValueType.FLOAT64: "f64",
}


@dataclass(frozen=True)
class Array:
    """An array of the metadata; `values` only of a short one of numbers."""

    size: int
    values: tuple[Any, ...] | None = None


@dataclass(frozen=True)
class TensorInfo:
    """A tensor of the file. `shape` is outermost first, as numpy has it; `offset` counts from the start of the file."""

    name: str
    kind: GGMLQuantizationType
    shape: Shape
    offset: int
    size: int


@dataclass(frozen=True)
class Header:
    """Metadata by key, tensors by name in the file's order."""

    metadata: Mapping[str, Any]
    tensors: Mapping[str, TensorInfo] = field(default_factory=dict)


def read_header(data: Any, name: str) -> Header:
    """The header of the file `name`, whose bytes are `data` (mapped, or read).

    Raises:
        TfmbsError: ``gguf.parse``, with the byte at which it does not hold; ``gguf.unsupported``, a type of tensor.
    """
    cursor = Cursor(data, name)
    if bytes(data[: len(MAGIC)]) != MAGIC:
        raise cursor.refuse("no GGUF file", MAGIC, bytes(data[: len(MAGIC)]))
    cursor.skip(len(MAGIC), "the magic")
    version = cursor.scalar("u32", "the version")
    if version not in VERSIONS:
        expected = f"{' or '.join(map(str, VERSIONS))}, little-endian"
        raise cursor.refuse("version of the format", expected, version, len(MAGIC))
    tensors = cursor.count("number of tensors", _LEAST_TENSOR)
    metadata = _metadata(cursor, cursor.count("number of keys", _LEAST_KEY))
    if tensors > cursor.left // _LEAST_TENSOR:
        raise cursor.refuse("number of tensors", f"at most {cursor.left // _LEAST_TENSOR}", tensors, 8)
    alignment = _alignment(metadata, name)
    infos = [_tensor_info(cursor, alignment) for _ in range(tensors)]
    return Header(metadata, _placed(cursor, infos, alignment))


def _metadata(cursor: Cursor, count: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(count):
        start = cursor.at
        key = cursor.string("a key", MOST_STRING)
        if key in found:
            raise cursor.refuse(f"key '{key}'", "once", "twice", start)
        found[key] = _value(cursor, f"value of '{key}'", cursor.scalar("u32", f"type of '{key}'"))
    return found


def _value(cursor: Cursor, what: str, kind: int) -> Any:
    if kind in _SCALAR_TYPES:
        return cursor.scalar(_SCALAR_TYPES[kind], what)
    if kind == GGUFValueType.STRING:
        return cursor.string(what, max(MOST_STRING, cursor.left))
    if kind == GGUFValueType.ARRAY:
        return _array(cursor, what)
    raise cursor.refuse(f"type of the {what}", "one of 0…12", kind, cursor.at - 4)


def _array(cursor: Cursor, what: str) -> Array:
    kind = cursor.scalar("u32", f"element type of the {what}")
    if kind == GGUFValueType.STRING:
        size = cursor.count(f"length of the {what}", 8)
        for _ in range(size):
            cursor.skip_string(f"a string of the {what}")
        return Array(size)
    if kind not in _SCALAR_TYPES:  # the package flattens arrays of arrays; no key of the format has one
        raise cursor.refuse(f"element type of the {what}", "numbers or strings", kind, cursor.at - 4)
    name = _SCALAR_TYPES[kind]
    size = cursor.count(f"length of the {what}", SCALARS[name].size)
    if size > _KEPT_ELEMENTS:
        cursor.skip(size * SCALARS[name].size, what)
        return Array(size)
    return Array(size, tuple(cursor.scalar(name, what) for _ in range(size)))


def _alignment(metadata: Mapping[str, Any], name: str) -> int:
    alignment = metadata.get(_ALIGNMENT, GGUF_DEFAULT_ALIGNMENT)
    is_power = isinstance(alignment, int) and alignment > 0 and alignment & (alignment - 1) == 0
    if not is_power or isinstance(alignment, bool):
        raise TfmbsError("gguf.parse", f"{name}: {_ALIGNMENT}", "alignment", "a power of two", alignment)
    return int(alignment)


def _tensor_info(cursor: Cursor, alignment: int) -> tuple[TensorInfo, int]:
    """A tensor with its offset in the data, and where that stands."""
    name = cursor.string("name of a tensor", MOST_NAME)
    what, start = f"tensor '{name}'", cursor.at
    rank = cursor.scalar("u32", f"rank of {what}")
    if not 1 <= rank <= MOST_DIMS:
        raise cursor.refuse(f"rank of {what}", f"1…{MOST_DIMS}", rank, start)
    sizes = [cursor.scalar("u64", f"sizes of {what}") for _ in range(rank)]
    kind = _kind(cursor, what)
    block, block_bytes = GGML_QUANT_SIZES[kind]
    if min(sizes) < 1 or sizes[0] % block:
        expected = f"at least 1, rows of whole blocks of {block}"
        raise cursor.refuse(f"sizes of {what}", expected, " × ".join(map(str, sizes)), start + 4)
    size = prod(sizes) // block * block_bytes
    if size > len(cursor.data):
        raise cursor.refuse(f"sizes of {what}", f"{len(cursor.data)} bytes at most, the file's", size, start + 4)
    offset = cursor.scalar("u64", f"offset of {what}")
    if offset % alignment:
        raise cursor.refuse(f"offset of {what}", f"a multiple of {alignment}", offset, cursor.at - 8)
    return TensorInfo(name, kind, tuple(reversed(sizes)), offset, size), cursor.at - 8


def _kind(cursor: Cursor, what: str) -> GGMLQuantizationType:
    number = cursor.scalar("u32", f"type of {what}")
    try:
        return GGMLQuantizationType(number)
    except ValueError as error:
        raise cursor.refuse(f"type of {what}", "one that the gguf package knows", number, cursor.at - 4) from error


def _placed(cursor: Cursor, infos: list[tuple[TensorInfo, int]], alignment: int) -> dict[str, TensorInfo]:
    """The tensors with offsets in the file: inside of it, apart from each other, and nothing behind the last."""
    start = -(-cursor.at // alignment) * alignment if infos else cursor.at
    size, end = len(cursor.data), start
    placed: dict[str, TensorInfo] = {}
    for info, _ in infos:
        if info.name in placed:
            raise cursor.refuse(f"tensor '{info.name}'", "once", "twice")
        placed[info.name] = TensorInfo(info.name, info.kind, info.shape, start + info.offset, info.size)
    for info, at in sorted(infos, key=lambda pair: pair[0].offset):
        first = start + info.offset
        if not (first <= size and info.size <= size - first):
            expected = f"inside of the file of {size} bytes"
            raise cursor.refuse(f"data of tensor '{info.name}'", expected, f"{info.size} bytes at {first}", at)
        if first < end:
            raise cursor.refuse(f"data of tensor '{info.name}'", f"behind byte {end} of the one before", first, at)
        end = first + info.size
    if size > -(-end // alignment) * alignment:
        raise cursor.refuse("bytes behind the last tensor", f"none but padding to {alignment}", size - end, end)
    return placed
