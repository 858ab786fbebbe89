"""The envelope of a `.tfb`: its header and section-table records, feature bits, and the table of section kinds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from tfmbs.runtime.abi.minor import NEWEST
from tfmbs.runtime.abi.records import RECORDS, Field, Record

MAGIC = b"\x89TFB\r\n\x1a\n"
MAJOR, MINOR = 1, NEWEST
OLDEST_MAJOR = max(1, MAJOR - 1)  # majors N and N - 1 are read; there was no 0
CHUNK_BYTES = 1 << 20
DIGEST_BYTES = 32
SECTION_ALIGNMENT = 64
WEIGHTS_ALIGNMENT = 4096
MAX_ALIGNMENT = 1 << 16


class Feature(IntEnum):
    """Bit numbers of the required features. A file sets exactly the bits its content needs."""

    VECTOR = 0
    TERNARY = 1
    STATE = 2
    INT4 = 3
    SPARSE = 4
    RESIDUES = 5
    ABREAST = 6


class SectionFlag(IntEnum):
    """OPTIONAL: readers that do not know the kind skip it. CHUNKED: the digest is over the digests of 1 MiB chunks."""

    OPTIONAL = 1
    CHUNKED = 2


HEADER = Record(
    "header",
    96,
    "The first bytes of a file; the section table follows.",
    (
        Field("magic", 0, "u8", "89 'TFB' 0D 0A 1A 0A", count=8),
        Field("major", 8, "u16", "format version, incompatible changes"),
        Field("minor", 10, "u16", "format version, compatible changes"),
        Field("section_count", 12, "u32", "number of sections"),
        Field("file_length", 16, "u64", "bytes of the whole file"),
        Field("required_features", 24, "u64", "features a reader must have"),
        Field("optional_features", 32, "u64", "features a reader may ignore"),
        Field("digest", 64, "u8", "BLAKE3 of header and section table, this field being zero", count=DIGEST_BYTES),
    ),
)

SECTION = Record(
    "section",
    80,
    "One entry of the section table. Each section starts at the first aligned byte after the one before it.",
    (
        Field("kind", 0, "u32", "what it holds"),
        Field("flags", 4, "u32", "section flags"),
        Field("offset", 8, "u64", "first byte, from the start of the file"),
        Field("length", 16, "u64", "bytes, at least 1; an empty section is left out"),
        Field("alignment", 24, "u32", "alignment of the offset, a power of two; bytes before it are zero"),
        Field("name", 32, "u8", "name in ASCII, padded with zeros", count=16),
        Field("digest", 48, "u8", "BLAKE3 of the bytes, or of the chunk digests where CHUNKED", count=DIGEST_BYTES),
    ),
)


class Content(IntEnum):
    """How the bytes of a section are read."""

    DIGESTS = 1
    JSON = 2
    STRINGS = 3
    RECORDS = 4
    U32 = 5
    WORDS = 6
    RAW = 7


@dataclass(frozen=True)
class SectionKind:
    """One kind of section: its code (append-only), and the attribute of `Image` that holds what it decodes to."""

    name: str
    code: int
    content: Content
    doc: str
    attribute: str = ""
    record: Record | None = None
    alignment: int = SECTION_ALIGNMENT
    optional: bool = False


def _table(name: str, code: int, record: str, attribute: str, *, optional: bool = False) -> SectionKind:
    layout = RECORDS[record]
    return SectionKind(name, code, Content.RECORDS, layout.doc, attribute, layout, optional=optional)


KINDS: tuple[SectionKind, ...] = (
    SectionKind("DIGESTS", 1, Content.DIGESTS, "Chunk digests of every CHUNKED section, in table order.", alignment=32),
    SectionKind("META", 2, Content.JSON, "Facts about the model and the compiler, for people and tools.", "meta"),
    SectionKind("STRINGS", 3, Content.STRINGS, "Count (u32), lengths (u32 each), UTF-8 bytes; each once.", "strings"),
    SectionKind("TARGET", 4, Content.JSON, "The target it was compiled for; devices check it.", "target"),
    _table("CODE", 5, "descriptor", "descriptors"),
    _table("PROGRAM", 6, "program", "programs"),
    SectionKind("SIW", 7, Content.WORDS, "Instruction words, 16 bytes each.", "words"),
    _table("TENSOR", 8, "tensor", "tensors"),
    _table("GEMM_GEOMETRY", 9, "gemm_geometry", "gemm_geometries"),
    _table("WINDOW_GEOMETRY", 10, "window_geometry", "window_geometries"),
    _table("SCHEDULE", 11, "schedule", "schedules"),
    _table("MASK", 12, "mask", "masks"),
    SectionKind("ARGS", 13, Content.U32, "Operand windows of the descriptors: tensor numbers.", "args"),
    SectionKind("WAITS", 14, Content.U32, "Tokens that the descriptors wait for.", "waits"),
    _table("ENTRY", 15, "entry", "entries"),
    _table("STATE", 16, "state", "states"),
    _table("IO_SIG", 17, "io", "io"),
    _table("TELEMETRY", 18, "telemetry", "telemetry"),
    SectionKind("WEIGHTS", 19, Content.RAW, "The WEIGHTS region, mapped.", "weights", alignment=WEIGHTS_ALIGNMENT),
    _table("DEBUG", 20, "debug", "debug", optional=True),
    SectionKind("SIGNATURE", 21, Content.RAW, "Signature of the header digest; carried.", "signature", optional=True),
    _table("ORIGIN", 22, "origin", "origins", optional=True),
    _table("VOLUME_GEOMETRY", 23, "volume_geometry", "volume_geometries"),
    _table("ATTENTION", 24, "attention_geometry", "attention_geometries"),
    _table("LSTM_GEOMETRY", 25, "lstm_geometry", "lstm_geometries"),
    _table("GROUP_GEOMETRY", 26, "group_geometry", "group_geometries"),
    _table("SIZES", 27, "size", "sizes"),
    _table("PATCHES", 28, "patch", "patches"),
    _table("TERMS", 29, "term", "terms"),
    _table("SEMANTICS", 30, "semantics", "semantics", optional=True),
)
KIND_BY_CODE: dict[int, SectionKind] = {kind.code: kind for kind in KINDS}
KIND_BY_NAME: dict[str, SectionKind] = {kind.name: kind for kind in KINDS}
KIND_OF_RECORD: dict[str, SectionKind] = {kind.record.name: kind for kind in KINDS if kind.record}
if not len(KIND_BY_CODE) == len(KIND_BY_NAME) == len(KINDS):
    raise ValueError("section kinds: a name or a code is used twice")
