"""How a fixed-size record of a fabric binary is described: fields by offset, from which readers and writers derive.

Widths are 1, 2, 4 or 8 bytes; integers are little-endian. A layout is checked when it is made: no overlap, natural
alignment, every byte is a field or zero.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np

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
    kind: str  # u8 u16 u32 u64 i32 i64 f32
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
_STRUCT_CODES = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "i32": "i", "i64": "q", "f32": "f"}


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
