"""IR as text: splitting of inputs, parsing with the true file name in every location, and printing."""

from __future__ import annotations

from collections.abc import Iterator
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

    def text(self) -> str:
        """The content as text. Raises `TfmbsError` (``ir.parse``) if it is not UTF-8."""
        try:
            return self.content.decode()
        except UnicodeDecodeError as error:
            raise TfmbsError("ir.parse", self.name, "byte at offset", "UTF-8 text", f"byte {error.start}") from error


def parse(source: Source, context: Any, diagnostics: Diagnostics, guard: bool = True) -> Any:
    """The verified module that `source` holds.

    MLIR's parser runs out of stack on deeply nested text: with `guard` a forked process parses first.

    Raises:
        TfmbsError: ``ir.parse``, at the line of the first error.
    """
    if not source.content.strip():
        raise TfmbsError("ir.parse", source.name, "the input is empty")
    diagnostics.file = source.name
    content: str | bytes = source.content
    if not source.content.startswith(_BYTECODE):
        content = source.text()
        diagnostics.lines = content.splitlines()
    since = len(diagnostics.reported)
    try:
        if guard:
            probe(lambda _: ir.Module.parse(content, context), [source.name])
        with diagnostics.collect(context):
            module = ir.Module.parse(content, context)
    except TfmbsError as error:
        what = f"MLIR's parser {error.what}, as it does on very deep nesting"
        raise TfmbsError("ir.parse", source.name, what, details=error.details) from error
    except ir.MLIRError as error:
        raise diagnostics.failure("ir.parse", source.name, "the input is no MLIR", since) from error
    except RuntimeError as error:  # bytes of broken bytecode in a message, which the bindings cannot convert
        raise TfmbsError("ir.parse", source.name, "the input is no MLIR") from error
    with context:
        _rename(module.operation, source.name)
    return module


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
