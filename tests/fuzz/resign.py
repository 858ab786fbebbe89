"""Makes the digests of a changed container right again, so that what lies behind them is tested."""

from __future__ import annotations

from typing import Any

from tfmbs.runtime.abi import container
from tfmbs.runtime.abi.records import Record
from tfmbs.runtime.abi.sections import CHUNK_BYTES, DIGEST_BYTES, HEADER, SECTION, SectionFlag


def replace_fields(data: bytearray, record: Record, offset: int, /, **changes: Any) -> None:
    """Changes fields of the record at `offset` and leaves its reserved bytes."""
    reserved = {byte: data[offset + byte] for byte in record.reserved}
    data[offset : offset + record.size] = record.encode({**record.decode(data, offset), **changes})
    for byte, value in reserved.items():
        data[offset + byte] = value


def seal(data: bytearray) -> None:
    """Makes the digest of header and section table right, for a table that may lie anywhere."""
    header = HEADER.decode(data)
    unsealed = HEADER.encode({**header, "digest": (0,) * DIGEST_BYTES})
    table = bytes(data[HEADER.size : HEADER.size + header["section_count"] * SECTION.size])
    replace_fields(data, HEADER, 0, digest=tuple(container.digest(unsealed + table)))


def resign(data: bytes | bytearray) -> bytearray:
    """A copy with right digests of all sections and of the header. The section table must lie inside the file."""
    out = bytearray(data)
    count = HEADER.decode(out)["section_count"]
    for offset in range(HEADER.size, HEADER.size + count * SECTION.size, SECTION.size):
        row = SECTION.decode(out, offset)
        content = memoryview(out)[row["offset"] : row["offset"] + row["length"]]
        listed = _chunk_digests(content) if row["flags"] & SectionFlag.CHUNKED else content
        replace_fields(out, SECTION, offset, digest=tuple(container.digest(listed)))
    seal(out)
    return out


def _chunk_digests(content: memoryview) -> bytes:
    return b"".join(container.digest(content[i : i + CHUNK_BYTES]) for i in range(0, len(content), CHUNK_BYTES))
