"""The container: sections in an envelope whose every byte is covered by a digest or must be zero. Knows no content."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from blake3 import blake3

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.sections import (
    CHUNK_BYTES,
    DIGEST_BYTES,
    HEADER,
    KIND_BY_CODE,
    KIND_BY_NAME,
    MAGIC,
    MAJOR,
    MAX_ALIGNMENT,
    MINOR,
    OLDEST_MAJOR,
    SECTION,
    Feature,
    SectionFlag,
)

KNOWN_FEATURES = sum(1 << bit for bit in Feature)
NAME_BYTES = 16
_PIECE_BYTES = 1 << 19
"""Bytes that are read in a row before they are digested, which reads at sixteen places: they are in a cache then."""

_LINE_BYTES = 64


class Pieces:
    """Bytes that are put together only where they are written: `parts` at offsets that ascend, zeros between them."""

    def __init__(self, parts: Sequence[tuple[int, memoryview]]) -> None:
        self.parts = parts

    def __len__(self) -> int:
        return self.parts[-1][0] + len(self.parts[-1][1]) if self.parts else 0

    def __bytes__(self) -> bytes:
        return b"".join(data for _, data in self.without_gaps())

    def without_gaps(self) -> Iterator[tuple[int, memoryview]]:
        """The parts, and zeros for what is between them, in order."""
        end = 0
        for offset, part in self.parts:
            if offset > end:
                yield end, memoryview(bytes(offset - end))
            yield offset, part
            end = offset + len(part)


@dataclass(frozen=True)
class Section:
    """One section. `offset` is its first byte in the file, -1 before it is written.

    One that is to be written may have `pieces` instead of `data`.
    """

    kind: int
    name: str
    data: memoryview
    alignment: int
    optional: bool = False
    offset: int = -1
    chunk_digests: bytes = b""
    pieces: Pieces | None = None

    @property
    def length(self) -> int:
        """Its bytes."""
        return len(self.data if self.pieces is None else self.pieces)

    @property
    def is_chunked(self) -> bool:
        """Whether its digest is over the digests of its chunks."""
        return is_chunked(self.kind, self.length)


@dataclass(frozen=True)
class Container:
    """The sections of a file, in file order, without the DIGESTS section."""

    sections: tuple[Section, ...]
    required_features: int = 0
    optional_features: int = 0
    version: tuple[int, int] = (MAJOR, MINOR)
    by_kind: dict[int, Section] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_kind", {section.kind: section for section in self.sections})


def is_chunked(kind: int, length: int) -> bool:
    """Whether a section of this kind and length is digested in chunks."""
    return length > CHUNK_BYTES and kind != KIND_BY_NAME["DIGESTS"].code


def digest(data: Any) -> bytes:
    """BLAKE3, 32 bytes."""
    return blake3(data).digest()


def align(offset: int, alignment: int) -> int:
    """The first multiple of `alignment` from `offset` on."""
    return -(-offset // alignment) * alignment


def _header(data: memoryview) -> dict[str, Any]:
    if bytes(data[: len(MAGIC)]) != MAGIC[: len(data)] or not len(data):
        raise TfmbsError(
            "container.magic", "byte 0x0", "no fabric binary", MAGIC.hex(), bytes(data[:8]).hex() or "nothing"
        )
    if len(data) < HEADER.size:
        raise TfmbsError("container.truncated", "byte 0x0", "the header is cut off", f"{HEADER.size} bytes", len(data))
    header: dict[str, Any] = HEADER.decode(data)
    if not OLDEST_MAJOR <= header["major"] <= MAJOR:
        expected = f"{OLDEST_MAJOR}…{MAJOR}" if OLDEST_MAJOR < MAJOR else MAJOR
        raise TfmbsError("container.version", "byte 0x8", "major version is not read", expected, header["major"])
    if header["file_length"] != len(data):
        raise TfmbsError("container.truncated", "byte 0x10", "file length", header["file_length"], len(data))
    room = (len(data) - HEADER.size) // SECTION.size
    if header["section_count"] > room:
        raise TfmbsError("container.truncated", "byte 0xc", "section count", f"at most {room}", header["section_count"])
    if any(data[i] for i in HEADER.reserved):
        raise TfmbsError("container.layout", "byte 0x28", "reserved header bytes", "zero", "other")
    return header


def _check_seal(data: memoryview, header: dict[str, Any]) -> None:
    end = HEADER.size + header["section_count"] * SECTION.size
    unsealed = HEADER.encode({**header, "digest": (0,) * DIGEST_BYTES})
    if digest(unsealed + bytes(data[HEADER.size : end])) != bytes(header["digest"]):
        raise TfmbsError("container.digest", "byte 0x40", "header and section table do not match their digest")


def _check_features(required: int) -> None:
    unknown = required & ~KNOWN_FEATURES
    if unknown:
        bits = [bit for bit in range(64) if unknown >> bit & 1]
        raise TfmbsError("container.feature", "byte 0x18", f"required feature bits {bits} are not known to this reader")


def _check_row(row: dict[str, Any], where: str, previous: int) -> str:
    """Checks one entry of the section table by itself; returns its name."""
    kind = KIND_BY_CODE.get(row["kind"])
    name = bytes(row["name"]).rstrip(b"\0")
    if not name.isascii() or not name.decode("ascii").isprintable() or not name:
        raise TfmbsError("container.layout", where, "section name", "printable ASCII", name)
    label = name.decode("ascii")
    if row["flags"] & ~(SectionFlag.OPTIONAL | SectionFlag.CHUNKED):
        raise TfmbsError("container.layout", where, f"section {label}: unknown flags", got=row["flags"])
    if row["kind"] <= previous:
        raise TfmbsError("container.layout", where, f"section {label}: kind", f"more than {previous}", row["kind"])
    optional = bool(row["flags"] & SectionFlag.OPTIONAL)
    if kind is None and not optional:
        raise TfmbsError("container.layout", where, f"section {label}: required kind {row['kind']} is not known")
    if kind is not None and (label, row["alignment"], optional) != (kind.name, kind.alignment, kind.optional):
        expected = f"{kind.name}, alignment {kind.alignment}, optional {kind.optional}"
        got = f"{label}, alignment {row['alignment']}, optional {optional}"
        raise TfmbsError("container.layout", where, f"section kind {row['kind']}", expected, got)
    if row["alignment"] & (row["alignment"] - 1) or not 1 <= row["alignment"] <= MAX_ALIGNMENT:
        raise TfmbsError("container.layout", where, f"section {label}: alignment", "a power of two", row["alignment"])
    return label


def _check_place(row: dict[str, Any], where: str, label: str, data: memoryview, end: int) -> None:
    """Checks that a section starts at the first aligned byte after `end`, fits, and has only zeros before it."""
    expected = align(end, row["alignment"])
    if row["offset"] != expected:
        raise TfmbsError("container.layout", where, f"section {label}: offset", hex(expected), hex(row["offset"]))
    if expected > len(data) or not 1 <= row["length"] <= len(data) - expected:
        room = f"1…{max(len(data) - expected, 0)}"
        raise TfmbsError("container.truncated", where, f"section {label}: length", room, row["length"])
    if any(data[end:expected]):
        raise TfmbsError("container.layout", f"byte {end:#x}", f"padding before section {label}", "zeros", "other")
    chunked = is_chunked(row["kind"], row["length"])
    if bool(row["flags"] & SectionFlag.CHUNKED) != chunked:
        raise TfmbsError("container.layout", where, f"section {label}: CHUNKED flag", chunked, not chunked)


def _check_digest(section: Section, expected: bytes, *, lazy: bool) -> None:
    where = f"byte {section.offset:#x}"
    content: bytes | memoryview = section.chunk_digests if section.is_chunked else section.data
    if digest(content) != expected:
        raise TfmbsError("container.digest", where, f"section {section.name} does not match its digest")
    if section.chunk_digests and not lazy:
        check_chunks(section, 0, len(section.data))


Look = Callable[[int, int], object]
"""Looks at bytes first…end of a section."""


def check_chunks(
    section: Section, first: int, end: int, done: set[int] | None = None, look: Look | None = None
) -> None:
    """Compares the chunks that hold bytes first…end of a chunked section with their digests, but those in `done`.

    `look` gets the bytes first…end, a piece at a time; what it raises about a chunk is raised if its digest is right.
    """
    checked = set() if done is None else done
    for chunk in range(first // CHUNK_BYTES, -(-end // CHUNK_BYTES)):
        if chunk in checked and look is None:
            continue
        hasher = None if chunk in checked else blake3()
        found: TfmbsError | None = None
        start, stop = chunk * CHUNK_BYTES, min((chunk + 1) * CHUNK_BYTES, section.length)
        for piece in range(start, stop, _PIECE_BYTES):
            data = section.data[piece : min(piece + _PIECE_BYTES, stop)]
            low, high = max(first, piece), min(end, piece + len(data))
            if look is None:
                np.frombuffer(data, np.uint8)[::_LINE_BYTES].max()
            elif found is None and low < high:
                try:
                    look(low, high)
                except TfmbsError as error:
                    found = error
            if hasher is not None:
                hasher.update(data)
        if hasher is not None:
            compare_chunk(section, chunk, hasher.digest())
            checked.add(chunk)
        if found is not None:
            raise found


def compare_chunk(section: Section, chunk: int, got: bytes) -> None:
    """Raises TfmbsError `container.digest` where a chunk of a chunked section has another digest than `got`."""
    if got != section.chunk_digests[chunk * DIGEST_BYTES : (chunk + 1) * DIGEST_BYTES]:
        where = f"byte {section.offset + chunk * CHUNK_BYTES:#x}"
        what = f"chunk {chunk} of section {section.name} does not match its digest"
        raise TfmbsError("container.digest", where, what)


def _rows(data: memoryview, count: int) -> Iterable[tuple[dict[str, Any], str]]:
    for i in range(count):
        offset = HEADER.size + i * SECTION.size
        where = f"byte {offset:#x}"
        if any(data[offset + b] for b in SECTION.reserved):
            raise TfmbsError("container.layout", where, f"section {i}: reserved bytes", "zero", "other")
        yield SECTION.decode(data, offset), where


def read(buffer: Any, *, lazy: bool = False) -> Container:
    """The container in a bytes-like object, without copying it. Checks everything but the sections' meaning.

    `lazy` leaves the chunks of WEIGHTS to `check_chunks`. Raises TfmbsError with a byte offset.
    """
    data = memoryview(buffer).cast("B")
    header = _header(data)
    _check_seal(data, header)
    _check_features(header["required_features"])
    end = HEADER.size + header["section_count"] * SECTION.size
    sections: list[Section] = []
    lists = memoryview(b"")
    previous = 0
    for row, where in _rows(data, header["section_count"]):
        label = _check_row(row, where, previous)
        previous = row["kind"]
        _check_place(row, where, label, data, end)
        end = row["offset"] + row["length"]
        content = data[row["offset"] : end]
        chunked = bool(row["flags"] & SectionFlag.CHUNKED)
        size = -(-row["length"] // CHUNK_BYTES) * DIGEST_BYTES if chunked else 0
        own, lists = bytes(lists[:size]), lists[size:]
        if len(own) != size:
            raise TfmbsError("container.layout", where, f"section {label}: chunk digests", size, len(own))
        optional = bool(row["flags"] & SectionFlag.OPTIONAL)
        section = Section(row["kind"], label, content, row["alignment"], optional, row["offset"], own)
        _check_digest(section, bytes(row["digest"]), lazy=lazy and label == "WEIGHTS")
        if label == "DIGESTS":
            lists = content
        else:
            sections.append(section)
    if end != len(data):
        raise TfmbsError("container.layout", f"byte {end:#x}", "bytes after the last section", "none", len(data) - end)
    if len(lists):
        raise TfmbsError("container.layout", "DIGESTS", "chunk digests of no section", "none", len(lists))
    return Container(
        tuple(sections),
        header["required_features"],
        header["optional_features"],
        (header["major"], header["minor"]),
    )
