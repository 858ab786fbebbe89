"""`Image`: the decoded content of a fabric binary, and the way from and to its bytes."""

from __future__ import annotations

import json
import mmap
import os
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tfmbs.runtime.abi import container
from tfmbs.runtime.abi.container import Container, Section, check_chunks
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.limits import MAX_JSON_BYTES
from tfmbs.runtime.abi.records import FieldValue, Record
from tfmbs.runtime.abi.sections import KIND_BY_NAME, KINDS, MAJOR, MINOR, Content, Feature, SectionKind
from tfmbs.runtime.abi.siw import WORD_BITS
from tfmbs.runtime.abi.types import DType, Region

WORD_BYTES = WORD_BITS // 8

Row = dict[str, Any]
Verify = Literal["eager", "lazy"]
BytesLike = bytes | bytearray | memoryview


@dataclass
class Image:
    """One list per record table (dictionaries as `Record.encode` takes), and what is not a record.

    `words` are instruction words of 16 bytes, `args` and `waits` u32, `weights` the WEIGHTS region, `extras` optional
    sections of kinds that this version does not know, carried unchanged.
    """

    meta: dict[str, Any] = field(default_factory=dict)
    strings: list[str] = field(default_factory=list)
    target: dict[str, Any] = field(default_factory=dict)
    descriptors: list[Row] = field(default_factory=list)
    programs: list[Row] = field(default_factory=list)
    words: list[bytes] = field(default_factory=list)
    tensors: list[Row] = field(default_factory=list)
    gemm_geometries: list[Row] = field(default_factory=list)
    window_geometries: list[Row] = field(default_factory=list)
    schedules: list[Row] = field(default_factory=list)
    masks: list[Row] = field(default_factory=list)
    args: list[int] = field(default_factory=list)
    waits: list[int] = field(default_factory=list)
    entries: list[Row] = field(default_factory=list)
    states: list[Row] = field(default_factory=list)
    io: list[Row] = field(default_factory=list)
    telemetry: list[Row] = field(default_factory=list)
    weights: BytesLike = b""
    debug: list[Row] = field(default_factory=list)
    signature: bytes = b""
    extras: list[Section] = field(default_factory=list)
    optional_features: int = 0
    version: tuple[int, int] = (MAJOR, MINOR)
    file: Container | None = field(default=None, repr=False, compare=False)
    _checked_tensors: set[int] = field(default_factory=set, repr=False, compare=False)
    _checked_chunks: set[int] = field(default_factory=set, repr=False, compare=False)

    @property
    def features(self) -> int:
        """The required feature bits that the content needs."""
        has_trits = any(tensor["dtype"] == DType.TRIT for tensor in self.tensors)
        needs = {Feature.VECTOR: self.programs, Feature.TERNARY: has_trits, Feature.STATE: self.states}
        return sum(1 << bit for bit, used in needs.items() if used)

    def section(self, name: str) -> memoryview:
        """The bytes of one section as they are in a file, for devices that read tables in place; empty if absent."""
        kind = KIND_BY_NAME[name]
        stored = self.file.by_kind.get(kind.code) if self.file else None
        return stored.data if stored else memoryview(_encode(kind, getattr(self, kind.attribute)))

    def table(self, record: Record) -> np.ndarray[Any, np.dtype[Any]]:
        """One record table as a structured array (read only)."""
        kind = next(kind for kind in KINDS if kind.record is record)
        return np.frombuffer(self.section(kind.name), record.numpy)

    def to_bytes(self) -> bytearray:
        """The bytes of the `.tfb`; the same content gives the same bytes. Raises TfmbsError for what does not fit."""
        sections = list(self.extras)
        for kind in KINDS:
            data = _encode(kind, getattr(self, kind.attribute)) if kind.attribute else b""
            if len(data):
                sections.append(Section(kind.code, kind.name, memoryview(data), kind.alignment, kind.optional))
        return container.write(Container(tuple(sections), self.features, self.optional_features, self.version))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the file, whole or not at all."""
        container.save(path, self.to_bytes())

    @classmethod
    def from_buffer(cls, buffer: BytesLike | mmap.mmap, verify: Verify = "eager") -> Image:
        """Decodes and checks a `.tfb`; weights stay in `buffer`.

        `verify="lazy"` leaves digests and codes of weights to `check_weights`. Raises TfmbsError with a byte offset.
        """
        # The checks are written on images, hence imported here.
        from tfmbs.runtime.abi.verify import verify_image

        file = container.read(buffer, lazy=True)
        image = cls(optional_features=file.optional_features, version=file.version, file=file)
        for section in file.sections:
            _decode_into(image, section)
        if image.features != file.required_features:
            expected, got = hex(image.features), hex(file.required_features)
            raise TfmbsError("container.feature", "byte 0x18", "required features of this content", expected, got)
        verify_image(image)
        if verify == "eager":
            image.check_weights()
        return image

    def check_weights(self, tensors: Iterable[int] | None = None) -> None:
        """Checks digests and codes of weights: of these tensors, or of the whole region. What was checked is skipped.

        After `verify="lazy"` a device calls it before it first reads a tensor; otherwise there is nothing left to do.
        """
        from tfmbs.runtime.abi.verify.weights import check_gaps, check_tensor_data

        section = self.file.by_kind.get(KIND_BY_NAME["WEIGHTS"].code) if self.file else None
        whole = tensors is None
        indices = [i for i, row in enumerate(self.tensors) if row["region"] == Region.WEIGHTS]
        for index in indices if whole else set(indices).intersection(tensors or ()):
            if index in self._checked_tensors:
                continue
            row = self.tensors[index]
            if section is not None and section.chunk_digests:
                check_chunks(section, row["offset"], row["offset"] + row["bytes"], self._checked_chunks)
            check_tensor_data(self, index)
            self._checked_tensors.add(index)
        if whole:
            if section is not None and section.chunk_digests:
                check_chunks(section, 0, len(section.data), self._checked_chunks)
            check_gaps(self)

    @classmethod
    def load(cls, path: str | os.PathLike[str], verify: Verify = "eager") -> Image:
        """`from_buffer` on a mapped file: weights are not read until they are used (or checked)."""
        name = Path(path)
        try:
            with name.open("rb") as file:
                empty = os.fstat(file.fileno()).st_size == 0
                data: bytes | mmap.mmap = b"" if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise TfmbsError("io", name, f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
        try:
            return cls.from_buffer(data, verify)
        except TfmbsError as error:
            where = f"{name}: {error.location}"
            raise TfmbsError(error.code, where, error.what, error.expected, error.got, error.details) from error


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
    encoded = [text.encode() for text in strings]
    return struct.pack(f"<{len(encoded) + 1}I", len(encoded), *map(len, encoded)) + b"".join(encoded)


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


def _encode(kind: SectionKind, value: Any) -> BytesLike:
    match kind.content:
        case Content.JSON:
            return canonical_json(value)
        case Content.STRINGS:
            return _encode_strings(value)
        case Content.RECORDS:
            return _encode_records(kind, value)
        case Content.U32:
            return struct.pack(f"<{len(value)}I", *value)
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


def _decode_into(image: Image, section: Section) -> None:
    kind = next((kind for kind in KINDS if kind.code == section.kind), None)
    if kind is None:
        image.extras.append(section)
    else:
        setattr(image, kind.attribute, _DECODERS[kind.content](section, kind))
