"""MLIR's diagnostics as plain records: collected while IR is parsed or transformed, and turned into `TfmbsError`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tfmbs.dialect.location import UNKNOWN, Place, place
from tfmbs.dialect.mlir import ir
from tfmbs.runtime.abi.errors import TfmbsError

_POSITION = re.compile(r"(?P<name>.+?):(?P<line>\d+)(?::(?P<column>\d+))?", re.DOTALL)

# The bindings cannot read the resource in which `compiler.reproducer` stores a pipeline, and say so at each parse.
_UNREAD_REPRODUCER = "ignoring unknown external resources for 'mlir_reproducer'"


@dataclass(frozen=True)
class Diagnostic:
    """One error, warning, remark or note; `notes` are attached to it."""

    severity: str
    place: Place
    message: str
    notes: tuple[Diagnostic, ...] = ()

    def __str__(self) -> str:
        return f"{self.severity}: {self.place}: {self.message}"

    def lines(self) -> Iterator[str]:
        """The diagnostic and its notes, one line each."""
        yield str(self)
        for note in self.notes:
            yield from note.lines()


def from_error(error: TfmbsError) -> Diagnostic:
    """A `TfmbsError` as a diagnostic at the position its location names, so that both can be expected the same way."""
    position = _POSITION.fullmatch(error.location)
    where = (
        Place(position["name"], int(position["line"]), int(position["column"] or 0))
        if position
        else Place(error.location)
    )
    return Diagnostic("error", where, str(error).removeprefix(f"error: {error.location}: "))


@dataclass
class Diagnostics:
    """What was reported so far, in order, about IR that was read from the `lines` of `file`, if any.

    MLIR calls a text ``-``; `file` replaces that.
    """

    file: str = "-"
    lines: Sequence[str] = ()
    reported: list[Diagnostic] = field(default_factory=list)

    @contextmanager
    def collect(self, context: Any) -> Iterator[None]:
        """Takes over the diagnostics of `context` inside the with block.

        Raises:
            MLIRError: passed on, after what it carries was recorded.
        """
        handler = context.attach_diagnostic_handler(self._take)
        try:
            yield
        except ir.MLIRError as error:
            self.reported += map(self._record, error.error_diagnostics)
            raise
        finally:
            handler.detach()

    def _take(self, diagnostic: Any) -> bool:
        if diagnostic.message != _UNREAD_REPRODUCER:
            self.reported.append(self._record(diagnostic))
        return True

    def _record(self, diagnostic: Any) -> Diagnostic:
        where = place(diagnostic.location)
        if where.name == "-":
            where = Place(self.file, where.line, where.column)
        severity = diagnostic.severity.name.lower()
        return Diagnostic(severity, where, diagnostic.message.strip(), tuple(map(self._record, diagnostic.notes)))

    def errors(self, since: int = 0) -> list[Diagnostic]:
        """The errors among what was reported after the first `since` diagnostics."""
        return [diagnostic for diagnostic in self.reported[since:] if diagnostic.severity == "error"]

    def failure(self, code: str, where: object, what: str, since: int = 0, details: str = "") -> TfmbsError:
        """The first error reported after the first `since` diagnostics as an exception, the others as its details.

        `where` and `what` stand in if nothing was reported; `details` end the details.
        """
        errors = self.errors(since)
        lines = [line for diagnostic in errors for line in diagnostic.lines()][1:]
        if errors:
            where = errors[0].place if errors[0].place != UNKNOWN else where
            what = errors[0].message
            lines = [*self._excerpt(errors[0].place), *lines]
        return TfmbsError(code, where, what, details="\n".join([*lines, details]).strip("\n"))

    def _excerpt(self, where: Place) -> Iterator[str]:
        """The line of the source text and a mark below the column."""
        if where.name == self.file and 0 < where.line <= len(self.lines):
            line = self.lines[where.line - 1]
            yield line
            yield "".join("\t" if c == "\t" else " " for c in line[: max(where.column - 1, 0)]) + "^"
