"""The assembler: text to `Image`. Statements begin with a directive; a line that does not is an instruction word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfmbs.runtime.abi.asm.cursor import Cursor
from tfmbs.runtime.abi.asm.data import parse_data, parse_hex
from tfmbs.runtime.abi.asm.rows import parse_row, quoted
from tfmbs.runtime.abi.asm.words import parse_word
from tfmbs.runtime.abi.container import Section
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.sections import KINDS, Content

_RECORDS = {kind.record.name: (kind.record, kind.attribute) for kind in KINDS if kind.record}
_NUMBERS = {kind.attribute for kind in KINDS if kind.content is Content.U32}
_JSON = {kind.attribute for kind in KINDS if kind.content is Content.JSON}


class _Assembler:
    def __init__(self, text: str, name: str) -> None:
        self.cursor = Cursor(text, name)
        self.image = Image()
        self.strings: dict[str, int] = {}
        self.weights = bytearray()
        self.directives: dict[str, Callable[[], None]] = {
            "string": self._string,
            "signature": self._signature,
            "version": self._version,
            "optional_features": self._optional_features,
            "extra": self._extra,
        }

    def run(self) -> Image:
        while self.cursor.skip_lines():
            self._statement()
        self.image.weights = bytes(self.weights)
        return self.image

    def _statement(self) -> None:
        cursor = self.cursor
        if not cursor.text.startswith(".", cursor.position):
            self.image.words.append(parse_word(cursor))
            return
        data = parse_data(cursor)
        if data is not None:
            self.weights += data
        else:
            self._directive()
        cursor.end_line()

    def _directive(self) -> None:
        cursor, start = self.cursor, self.cursor.position
        cursor.expect(".")
        name = cursor.word("a directive")
        if name in _RECORDS:
            record, attribute = _RECORDS[name]
            getattr(self.image, attribute).append(parse_row(cursor, record, self.strings))
        elif name in _NUMBERS:
            self._numbers(getattr(self.image, name))
        elif name in _JSON:
            setattr(self.image, name, self._object())
        elif name in self.directives:
            self.directives[name]()
        else:
            raise cursor.error(f"directive .{name} is not known", at=start)

    def _object(self) -> dict[str, Any]:
        start = self.cursor.position
        value = self.cursor.json()
        if not isinstance(value, dict):
            raise self.cursor.error("JSON value", "an object", at=start)
        return value

    def _numbers(self, out: list[int]) -> None:
        out.append(self._bounded(32))
        while self.cursor.accept(","):
            out.append(self._bounded(32))

    def _bounded(self, bits: int) -> int:
        self.cursor.at_end()
        start = self.cursor.position
        value = self.cursor.integer()
        if not 0 <= value < 1 << bits:
            raise self.cursor.error("number", f"{bits} bits", value, at=start)
        return value

    def _string(self) -> None:
        start = self.cursor.position
        text = self.cursor.string()
        if text in self.strings:
            raise self.cursor.error(f"string {quoted(text)} appears twice", at=start)
        self.strings[text] = len(self.image.strings)
        self.image.strings.append(text)

    def _signature(self) -> None:
        self.image.signature = parse_hex(self.cursor)

    def _version(self) -> None:
        self.image.declared_version = self._bounded(16), self._bounded(16)

    def _optional_features(self) -> None:
        self.image.optional_features = self._bounded(64)

    def _extra(self) -> None:
        kind, alignment, name = self._bounded(32), self._bounded(32), self.cursor.string()
        data = memoryview(parse_hex(self.cursor))
        self.image.extras.append(Section(kind, name, data, alignment, optional=True))


def assemble(text: str, name: str = "<text>") -> Image:
    """The image that `text` describes; only its syntax is checked. Raises TfmbsError `asm` at line and column."""
    return _Assembler(text, name).run()
