"""What the sections of a fabric binary hold: their bytes to Python values and back, by kind of content."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfmbs.runtime.abi.container import Section
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.limits import MAX_JSON_BYTES
from tfmbs.runtime.abi.records import FieldValue
from tfmbs.runtime.abi.sections import Content, SectionKind
from tfmbs.runtime.abi.siw import WORD_BITS

WORD_BYTES = WORD_BITS // 8

Row = dict[str, Any]
BytesLike = bytes | bytearray | memoryview


# --- encoding ---------------------------------------------------------------------------------------------------------


def canonical_json(value: Any) -> bytes:
    """The one spelling of a JSON value: sorted keys, no spaces, UTF-8, no NaN or infinity."""
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise TfmbsError("record", "JSON", f"a value that cannot be written: {error}") from error


def _encode_strings(strings: list[str]) -> bytes:
    if not strings:
        return b""
    try:
        encoded = [text.encode() for text in strings]
    except UnicodeEncodeError as error:
        raise TfmbsError("record", "STRINGS", "a string that is no Unicode text", got=ascii(error.object)) from error
    return struct.pack(f"<{len(encoded) + 1}I", len(encoded), *map(len, encoded)) + b"".join(encoded)


def _encode_numbers(kind: SectionKind, numbers: list[int]) -> bytes:
    try:
        return struct.pack(f"<{len(numbers)}I", *numbers)
    except struct.error as error:
        raise TfmbsError("record", kind.name, f"a number that does not fit: {error}") from error


def _encode_records(kind: SectionKind, rows: list[Mapping[str, FieldValue]]) -> bytes:
    record = kind.record
    assert record is not None
    parts: list[bytes] = []
    try:
        parts.extend(record.encode(row) for row in rows)
    except ValueError as error:
        raise TfmbsError("record", f"{kind.name}[{len(parts)}]", str(error)) from error
    return b"".join(parts)


def _encode_words(words: list[bytes]) -> bytes:
    for i, word in enumerate(words):
        if len(word) != WORD_BYTES:
            raise TfmbsError("siw", f"SIW[{i}]", "bytes of a word", WORD_BYTES, len(word))
    return b"".join(words)


def encode_section(kind: SectionKind, value: Any) -> BytesLike:
    """The bytes of a section that holds `value`; none where it is empty. Raises TfmbsError for what does not fit."""
    match kind.content:
        case Content.JSON:
            return canonical_json(value)
        case Content.STRINGS:
            return _encode_strings(value)
        case Content.RECORDS:
            return _encode_records(kind, value)
        case Content.U32:
            return _encode_numbers(kind, value)
        case Content.WORDS:
            return _encode_words(value)
        case _:
            return memoryview(value).cast("B") if len(value) else b""


# --- decoding ---------------------------------------------------------------------------------------------------------


def _refuse(section: Section, what: str, expected: object = None, got: object = None, at: int = 0) -> TfmbsError:
    return TfmbsError("record", f"{section.name} at byte {section.offset + at:#x}", what, expected, got)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise ValueError("a key appears twice in an object")
    return unique


def _decode_json(section: Section) -> Any:
    if len(section.data) > MAX_JSON_BYTES:
        raise TfmbsError("resource-limit", section.name, "bytes", f"at most {MAX_JSON_BYTES}", len(section.data))
    try:
        value = json.loads(bytes(section.data).decode(), object_pairs_hook=_unique)
        canonical = canonical_json(value)
    except (ValueError, RecursionError, TfmbsError) as error:
        raise _refuse(section, f"not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise _refuse(section, "JSON value", "an object", type(value).__name__)
    if canonical != section.data:
        raise _refuse(section, "JSON is not in canonical form (sorted keys, no spaces, UTF-8)")
    return value


def _decode_strings(section: Section) -> list[str]:
    data = section.data
    count = struct.unpack_from("<I", data)[0] if len(data) >= 4 else 0
    start = 4 * (count + 1)
    if count < 1 or start > len(data):
        raise _refuse(section, "string count", f"1…{max(len(data) // 4 - 1, 0)}", count)
    lengths = struct.unpack_from(f"<{count}I", data, 4)
    if sum(lengths) != len(data) - start:
        raise _refuse(section, "bytes of all strings", len(data) - start, sum(lengths))
    strings = []
    for length in lengths:
        try:
            strings.append(bytes(data[start : start + length]).decode())
        except UnicodeDecodeError as error:
            raise _refuse(section, f"string {len(strings)} is not UTF-8", at=start) from error
        start += length
    if len(set(strings)) != count:
        raise _refuse(section, "strings", "each once", "duplicates")
    return strings


def _whole(section: Section, size: int) -> memoryview:
    if len(section.data) % size:
        raise _refuse(section, "length", f"a multiple of {size}", len(section.data))
    return section.data


def _decode_records(section: Section, kind: SectionKind) -> list[Row]:
    record = kind.record
    assert record is not None
    return record.decode_all(_whole(section, record.size))


def _decode_words(section: Section) -> list[bytes]:
    data = bytes(_whole(section, WORD_BYTES))
    return [data[i : i + WORD_BYTES] for i in range(0, len(data), WORD_BYTES)]


_DECODERS: dict[Content, Callable[[Section, SectionKind], Any]] = {
    Content.JSON: lambda section, _: _decode_json(section),
    Content.STRINGS: lambda section, _: _decode_strings(section),
    Content.RECORDS: _decode_records,
    Content.U32: lambda section, _: np.frombuffer(_whole(section, 4), "<u4").tolist(),
    Content.WORDS: lambda section, _: _decode_words(section),
    Content.RAW: lambda section, _: section.data,
}


def decode_section(kind: SectionKind, section: Section) -> Any:
    """What a section holds. Raises TfmbsError `record`, or `resource-limit`, at a byte offset."""
    return _DECODERS[kind.content](section, kind)
