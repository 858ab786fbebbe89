"""Writing a container: to memory, or to a file piece by piece, so that its content is never together in memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from blake3 import blake3

from tfmbs.runtime.abi.container import NAME_BYTES, Container, Section, align, digest
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.files import save_filled
from tfmbs.runtime.abi.records import FieldValue
from tfmbs.runtime.abi.sections import (
    CHUNK_BYTES,
    DIGEST_BYTES,
    HEADER,
    KIND_BY_NAME,
    MAGIC,
    MAX_ALIGNMENT,
    SECTION,
    SectionFlag,
)

_Put = Callable[[int, memoryview], object]
"""Takes the bytes from an offset of the file on; what it is never given is zero."""


def write(container: Container) -> bytearray:
    """The bytes of a file; the same container gives the same bytes.

    Raises TfmbsError `container.layout` for a section whose name or alignment cannot be written.
    """
    sections = _placed(container.sections)
    out = bytearray(_end(sections))
    with memoryview(out) as view:  # assigning to a slice of a bytearray would copy its source first

        def put(offset: int, data: memoryview) -> None:
            view[offset : offset + len(data)] = data

        _put_all(container, sections, put)
    return out


def save_container(
    path: str | os.PathLike[str], container: Container, check: Callable[[Path], object] | None = None
) -> None:
    """Writes a file of the bytes that `write` gives, whole or not at all; `check` sees it before it has its name.

    Raises TfmbsError `io`, `container.layout`, and what `check` does.
    """

    def fill(file: BinaryIO) -> None:
        if not file.seekable():
            file.write(write(container))
            return
        sections = _placed(container.sections)
        file.truncate(_end(sections))

        def put(offset: int, data: memoryview) -> None:
            file.seek(offset)
            file.write(data)

        _put_all(container, sections, put)

    save_filled(path, fill, check)


def _placed(sections: Iterable[Section]) -> list[Section]:
    """The sections in file order with their offsets, behind a DIGESTS section where one is chunked, which is zeros."""
    ordered = sorted(sections, key=lambda section: section.kind)
    for section in ordered:
        _check_writable(section)
    chunks = sum(-(-section.length // CHUNK_BYTES) for section in ordered if section.is_chunked)
    if chunks:
        kind = KIND_BY_NAME["DIGESTS"]
        ordered.insert(0, Section(kind.code, kind.name, memoryview(bytes(chunks * DIGEST_BYTES)), kind.alignment))
    placed, position = [], HEADER.size + SECTION.size * len(ordered)
    for section in ordered:
        placed.append(replace(section, offset=align(position, section.alignment)))
        position = placed[-1].offset + section.length
    return placed


def _check_writable(section: Section) -> None:
    name = section.name
    if not 1 <= len(name) <= NAME_BYTES or not name.isascii() or not name.isprintable():
        raise TfmbsError("container.layout", name, "section name", f"1…{NAME_BYTES} printable ASCII characters")
    if section.alignment & (section.alignment - 1) or not 1 <= section.alignment <= MAX_ALIGNMENT:
        raise TfmbsError("container.layout", name, "alignment", "a power of two", section.alignment)


def _end(sections: list[Section]) -> int:
    return sections[-1].offset + sections[-1].length if sections else HEADER.size


def _put_all(container: Container, sections: list[Section], put: _Put) -> None:
    """Puts the sections, then what covers them: chunk digests, section table, header."""
    covers = [_put_section(section, put) for section in sections]
    chunks = b"".join(cover for section, cover in zip(sections, covers, strict=True) if section.is_chunked)
    if chunks:
        put(sections[0].offset, memoryview(chunks))
        covers[0] = chunks
    table = b"".join(_row(section, cover) for section, cover in zip(sections, covers, strict=True))
    header: dict[str, FieldValue] = {
        "magic": tuple(MAGIC),
        "major": container.version[0],
        "minor": container.version[1],
        "section_count": len(sections),
        "file_length": _end(sections),
        "required_features": container.required_features,
        "optional_features": container.optional_features,
        "digest": (0,) * DIGEST_BYTES,
    }
    sealed = digest(HEADER.encode(header) + table)
    put(0, memoryview(HEADER.encode({**header, "digest": tuple(sealed)}) + table))


def _put_section(section: Section, put: _Put) -> bytes | memoryview:
    """Puts one section; returns what its digest is over: the digests of its chunks, or its content.

    Each chunk is digested while it is still in the processor's caches.
    """
    if not section.is_chunked:
        content = section.data if section.pieces is None else memoryview(bytes(section.pieces))
        put(section.offset, content)
        return content
    digests, hasher = bytearray(), blake3()
    for offset, data in _slices(section):
        put(section.offset + offset, data)
        hasher.update(data)
        if (offset + len(data)) % CHUNK_BYTES == 0:
            digests += hasher.digest()
            hasher = blake3()
    if section.length % CHUNK_BYTES:
        digests += hasher.digest()
    return bytes(digests)


def _slices(section: Section) -> Iterator[tuple[int, memoryview]]:
    """The content of a section without gaps, in order, cut where its chunks end."""
    parts = [(0, section.data)] if section.pieces is None else section.pieces.without_gaps()
    for start, data in parts:
        first = 0
        while first < len(data):
            size = min(len(data) - first, CHUNK_BYTES - (start + first) % CHUNK_BYTES)
            yield start + first, data[first : first + size]
            first += size


def _row(section: Section, content: bytes | memoryview) -> bytes:
    flags = (SectionFlag.OPTIONAL if section.optional else 0) | (SectionFlag.CHUNKED if section.is_chunked else 0)
    return SECTION.encode(
        {
            "kind": section.kind,
            "flags": flags,
            "offset": section.offset,
            "length": section.length,
            "alignment": section.alignment,
            "name": tuple(section.name.encode("ascii").ljust(NAME_BYTES, b"\0")),
            "digest": tuple(digest(content)),
        }
    )
