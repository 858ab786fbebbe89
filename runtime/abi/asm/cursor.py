"""A position in assembly text, and the tokens that can be read from it."""

from __future__ import annotations

import json
import re
from enum import IntEnum
from typing import Any

from tfmbs.runtime.abi.errors import TfmbsError

_BLANK = re.compile(r"[ \t]*(?:;[^\n]*)?")
_BLANK_LINES = re.compile(r"(?:[ \t\r\n]|;[^\n]*)*")
_TOKEN = re.compile(r'"|[^\s,;|=\[\]"]+|.', re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INTEGER = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]+|[0-9]+)(?![A-Za-z0-9_.])")
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?|inf|nan)(?![A-Za-z0-9_.])")
_REST = re.compile(r"[^\s;]*")
_JSON = json.JSONDecoder()


class Cursor:
    """Reads tokens of `text` one after the other; every refusal names file, line and column."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name
        self.position = 0

    def error(self, what: str, expected: object = None, got: object = None, at: int | None = None) -> TfmbsError:
        """The error for what is read at `at`, by default here."""
        position = self.position if at is None else at
        line = self.text.count("\n", 0, position) + 1
        column = position - (self.text.rfind("\n", 0, position) + 1) + 1
        return TfmbsError("asm", f"{self.name}:{line}:{column}", what, expected, got)

    def unexpected(self, what: str) -> TfmbsError:
        """The error for a token that is not `what`."""
        found = _TOKEN.match(self.text, self.position)
        token = found.group() if found and found.group() != "\n" else "end of line" if found else "end of file"
        return self.error("syntax", what, token)

    def skip_lines(self) -> bool:
        """Skips blanks, comments and line ends; returns whether there is more."""
        self._match(_BLANK_LINES)
        return self.position < len(self.text)

    def end_line(self) -> None:
        """Reads the end of a statement."""
        self._match(_BLANK)
        if self.position < len(self.text) and self.text[self.position] not in "\r\n":
            raise self.unexpected("end of line")

    def at_end(self) -> bool:
        """Whether nothing but a comment is left on this line."""
        self._match(_BLANK)
        return self.position == len(self.text) or self.text[self.position] in "\r\n"

    def accept(self, literal: str) -> bool:
        """Reads `literal` if it comes next."""
        self._match(_BLANK)
        if not self.text.startswith(literal, self.position):
            return False
        self.position += len(literal)
        return True

    def expect(self, literal: str) -> None:
        """Reads `literal`."""
        if not self.accept(literal):
            raise self.unexpected(literal)

    def word(self, what: str) -> str:
        """Reads an identifier."""
        return self._token(_NAME, what)

    def integer(self, what: str = "an integer") -> int:
        """Reads a decimal or hexadecimal integer."""
        start = self.position
        token = self._token(_INTEGER, what)
        try:
            return int(token, 0)
        except ValueError as error:
            raise self.error("syntax", what, token[:24], at=start) from error

    def number(self) -> float:
        """Reads a decimal number, `inf` or `nan`."""
        return float(self._token(_FLOAT, "a number"))

    def rest(self) -> str:
        """Reads what follows up to a blank or the end of the line."""
        self._match(_BLANK)
        return self._match(_REST)

    def member(self, enum: type[IntEnum]) -> int:
        """Reads the name of a member."""
        expected = "/".join(enum.__members__)
        self._match(_BLANK)
        start = self.position
        name = self.word(expected)
        if name not in enum.__members__:
            raise self.error(enum.__name__, expected, name, at=start)
        return int(enum[name])

    def json(self) -> Any:
        """Reads a JSON value, which may go over several lines."""
        self._match(_BLANK_LINES)
        try:
            value, self.position = _JSON.raw_decode(self.text, self.position)
        except json.JSONDecodeError as error:
            raise self.error("JSON", error.msg, at=error.pos) from error
        except (ValueError, RecursionError) as error:
            raise self.error("JSON", "numbers and nesting of a sensible size") from error
        return value

    def string(self) -> str:
        """Reads a string, quoted as in JSON."""
        self._match(_BLANK)
        start = self.position
        value = self.json() if self.text.startswith('"', start) else None
        if not isinstance(value, str):
            raise self.unexpected("a string")
        if any(0xD800 <= ord(c) < 0xE000 for c in value):
            raise self.error("string", "Unicode text", "a lone surrogate", at=start)
        return value

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.position)
        if found is None:
            return ""
        self.position = found.end()
        return found.group()

    def _token(self, pattern: re.Pattern[str], what: str) -> str:
        self._match(_BLANK)
        token = self._match(pattern)
        if not token:
            raise self.unexpected(what)
        return token
