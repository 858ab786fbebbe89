"""Reading of little-endian fields from bytes that may lie about their own sizes."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from tfmbs.runtime.abi.errors import TfmbsError

_FORMATS = {"u8": "B", "i8": "b", "u16": "H", "i16": "h", "u32": "I", "i32": "i", "f32": "f"}
SCALARS: dict[str, struct.Struct] = {
    name: struct.Struct(f"<{code}")
    for name, code in {**_FORMATS, "bool": "B", "u64": "Q", "i64": "q", "f64": "d"}.items()
}
"""Fields of a fixed size, by name."""


@dataclass
class Cursor:
    """A position in `data`. Nothing is read that is not there, and no size is believed before it is compared."""

    data: Any
    name: str
    at: int = 0

    @property
    def left(self) -> int:
        """Bytes from here to the end."""
        return len(self.data) - self.at

    def refuse(self, what: str, expected: object = None, got: object = None, at: int | None = None) -> TfmbsError:
        """The error ``gguf.parse`` at a byte, by default at this one."""
        where = f"{self.name}: byte {self.at if at is None else at}"
        return TfmbsError("gguf.parse", where, what, expected, got)

    def scalar(self, kind: str, what: str) -> Any:
        """The next field, of a kind of `SCALARS`."""
        form = SCALARS[kind]
        if form.size > self.left:
            raise self.refuse(f"the file ends in {what}", f"{form.size} bytes", self.left)
        (value,) = form.unpack_from(self.data, self.at)
        if kind == "bool" and value > 1:
            raise self.refuse(what, "0 or 1", value)
        self.at += form.size
        return bool(value) if kind == "bool" else value

    def count(self, what: str, least: int) -> int:
        """The next u64, a number of things that take at least `least` bytes each."""
        start = self.at
        number: int = self.scalar("u64", what)
        if number > self.left // least:
            raise self.refuse(what, f"at most {self.left // least}, for which there are bytes", number, start)
        return number

    def skip(self, size: int, what: str) -> None:
        """Goes on behind `size` bytes."""
        if size > self.left:
            raise self.refuse(f"the file ends in {what}", f"{size} bytes", self.left)
        self.at += size

    def skip_string(self, what: str) -> None:
        """Goes on behind a string."""
        self.skip(self.count(f"length of {what}", 1), what)

    def string(self, what: str, most: int) -> str:
        """The next string, of at most `most` bytes."""
        size, start = self.count(f"length of {what}", 1), self.at
        if size > most:
            raise self.refuse(f"length of {what}", f"at most {most}", size, start - 8)
        self.at += size
        try:
            return bytes(self.data[start : self.at]).decode()
        except UnicodeDecodeError as error:
            raise self.refuse(what, "UTF-8", f"byte {error.start} of it", start) from error
