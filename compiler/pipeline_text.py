"""The text of pipelines, ``builtin.module(func.func(p{a=1}),q)``, read into a flat list of placed passes and back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tfmbs.passes.options import skip_group
from tfmbs.runtime.abi.errors import TfmbsError

MODULE = "builtin.module"
_MAX_DEPTH = 16
_SHOWN = 200
_NAME = re.compile(r"\s*([\w.-]*)\s*")


@dataclass(frozen=True)
class Placed:
    """One pass of a pipeline: the anchors around it, outermost first, its name, and its options without braces."""

    path: tuple[str, ...]
    name: str
    options: str = ""

    def nested(self, anchor: str) -> Placed:
        """The same pass, one level further in."""
        return replace(self, path=(*self.path, anchor))

    def __str__(self) -> str:
        return f"{self.name}{{{self.options}}}" if self.options else self.name


def parse_pipeline(text: str) -> tuple[Placed, ...]:
    """Reads a pipeline whose outermost anchor is ``builtin.module``.

    Raises:
        TfmbsError: ``pass.unknown``, with the column of what is wrong.
    """
    reader = _Reader(text)
    passes = tuple(reader.elements(()))
    if reader.position != len(text):
        raise reader.error("unexpected text behind the pipeline")
    if not re.match(r"\s*builtin\.module\s*\(", text) or reader.top_level != 1:
        raise TfmbsError("pass.unknown", "pipeline", "outermost anchor", f"'{MODULE}(...)'", repr(text))
    return passes


class _Reader:
    """Recursive descent over one pipeline text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.top_level = 0

    def error(self, what: str) -> TfmbsError:
        return TfmbsError("pass.unknown", f"pipeline column {self.position + 1}", f"{what} in '{self.text[:_SHOWN]}'")

    def peek(self) -> str:
        return self.text[self.position : self.position + 1]

    def elements(self, path: tuple[str, ...]) -> Iterator[Placed]:
        """The comma-separated elements up to the closing parenthesis or the end."""
        if self.peek() == ")":
            return
        while True:
            self.top_level += not path
            yield from self.element(path)
            if self.peek() != ",":
                return
            self.position += 1

    def element(self, path: tuple[str, ...]) -> Iterator[Placed]:
        name = self.name()
        if len(path) > _MAX_DEPTH:
            raise self.error("more anchors in each other than any IR has")
        if self.peek() == "(":
            self.position += 1
            yield from self.elements((*path, name))
            if self.peek() != ")":
                raise self.error("unbalanced parenthesis")
            self.position += 1
            self.spaces()
        else:
            yield Placed(path, name, self.options())

    def name(self) -> str:
        found = _NAME.match(self.text, self.position)
        name = found[1] if found else ""
        if not found or not name:
            raise self.error("expected the name of a pass or an anchor")
        self.position = found.end()
        return name

    def options(self) -> str:
        if self.peek() != "{":
            return ""
        start, end = self.position, skip_group(self.text, self.position)
        if end < 0:
            raise self.error("unbalanced braces")
        self.position = end
        self.spaces()
        return self.text[start + 1 : end - 1].strip()

    def spaces(self) -> None:
        while self.peek().isspace():
            self.position += 1


def format_pipeline(passes: Sequence[Placed], root: str = MODULE) -> str:
    """The inverse of `parse_pipeline`; neighbours under the same anchors share them."""
    return f"{root}({_format(passes, 1)})"


def _format(passes: Sequence[Placed], depth: int) -> str:
    parts: list[str] = []
    start = 0
    while start < len(passes):
        anchor = passes[start].path[depth : depth + 1]
        end = start + 1
        while anchor and end < len(passes) and passes[end].path[depth : depth + 1] == anchor:
            end += 1
        parts.append(f"{anchor[0]}({_format(passes[start:end], depth + 1)})" if anchor else str(passes[start]))
        start = end
    return ",".join(parts)
