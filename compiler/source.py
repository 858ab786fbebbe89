"""IR as text: splitting of inputs, parsing with the true file name in every location, and printing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tfmbs.compiler.diagnostics import Diagnostics
from tfmbs.compiler.probe import probe
from tfmbs.dialect.mlir import ir
from tfmbs.runtime.abi.errors import TfmbsError

SPLIT_MARKER = "// -----"
_BYTECODE = b"ML\xefR"


@dataclass(frozen=True)
class Source:
    """An input: its name in messages, and its bytes (text or MLIR bytecode)."""

    name: str
    content: bytes

    def split(self, marker: str) -> Iterator[Source]:
        """The parts between the lines that start with `marker`, each padded so that its lines keep their numbers."""
        lines = self.content.splitlines(keepends=True)
        start = 0
        for number, line in enumerate([*lines, marker.encode()]):
            if line.startswith(marker.encode()):
                yield Source(self.name, b"\n" * start + b"".join(lines[start:number]))
                start = number + 1

    def __str__(self) -> str:
        return self.name

    def text(self) -> str:
        """The content as text. Raises `TfmbsError` (``ir.parse``) if it is not UTF-8."""
        try:
            return self.content.decode()
        except UnicodeDecodeError as error:
            raise TfmbsError("ir.parse", self.name, "byte at offset", "UTF-8 text", f"byte {error.start}") from error

    def readable(self) -> str | bytes:
        """The content as MLIR's parser takes it. Raises `TfmbsError` as `text`."""
        return self.content if self.content.startswith(_BYTECODE) else self.text()


def parse(source: Source, context: Any, diagnostics: Diagnostics, guard: bool = True) -> Any:
    """The verified module that `source` holds.

    With `guard` a forked process parses first, see `probe_parser`.

    Raises:
        TfmbsError: ``ir.parse``, at the line of the first error.
    """
    if not source.content.strip():
        raise TfmbsError("ir.parse", source.name, "the input is empty")
    content = source.readable()
    diagnostics.file = source.name
    diagnostics.lines = content.splitlines() if isinstance(content, str) else ()
    if guard:
        probe_parser([source], context)
    since = len(diagnostics.reported)
    try:
        with diagnostics.collect(context):
            module = ir.Module.parse(content, context)
    except ir.MLIRError as error:
        raise diagnostics.failure("ir.parse", source.name, "the input is no MLIR", since) from error
    except RuntimeError as error:  # bytes of broken bytecode in a message, which the bindings cannot convert
        raise TfmbsError("ir.parse", source.name, "the input is no MLIR") from error
    with context:
        _rename(module.operation, source.name)
    return module


def probe_parser(sources: Sequence[Source], context: Any) -> None:
    """Parses all `sources` in a forked process: MLIR's parser runs out of stack where text is nested very deeply.

    Raises:
        TfmbsError: ``ir.parse``, the parser crashed.
    """

    def attempt(source: Source) -> None:
        # What is merely wrong is reported where the source is parsed in earnest; the next one has its attempt here.
        with suppress(ir.MLIRError, RuntimeError, TfmbsError):
            ir.Module.parse(source.readable(), context)

    try:
        probe(attempt, sources)
    except TfmbsError as error:
        what = f"MLIR's parser {error.what}, as it does on very deep nesting"
        raise TfmbsError("ir.parse", error.location, what, details=error.details) from error


def _rename(module: Any, name: str) -> None:
    """Gives every location in the parsed text, which MLIR calls ``-``, the file's name."""

    def renamed(location: Any) -> Any:
        if isinstance(location, ir.FileLineColLoc) and location.filename == "-":
            return ir.Location.file(name, location.start_line, location.start_col)
        return location

    def visit(op: Any) -> Any:
        op.location = renamed(op.location)
        for region in op.regions:
            for block in region:
                for argument in block.arguments:
                    argument.set_location(renamed(argument.location))
        return ir.WalkResult.ADVANCE

    module.walk(visit)
