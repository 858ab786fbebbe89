"""Diagnostics that a test expects, written beside the IR as for MLIR: ``// expected-error@+1 {{text}}``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tfmbs.compiler.diagnostics import Diagnostic
from tfmbs.runtime.abi.errors import TfmbsError

_EXPECTED = re.compile(
    r"expected-(?P<severity>error|warning|remark|note)(?P<regex>-re)? *"
    r"(?:@(?P<where>[+-]\d+|above|below|unknown))? *\{\{(?P<text>.*)\}\}\s*$"
)


@dataclass(frozen=True)
class Expectation:
    """One expected diagnostic: written in `line` (from 1), about the line `about` (0: at no line)."""

    line: int
    about: int
    severity: str
    pattern: re.Pattern[str]
    text: str

    def matches(self, diagnostic: Diagnostic) -> bool:
        """Whether the diagnostic is this one: severity, line, and the text somewhere in the message."""
        return (
            diagnostic.severity == self.severity
            and diagnostic.place.line == self.about
            and self.pattern.search(diagnostic.message) is not None
        )


def expectations(text: str) -> Iterator[Expectation]:
    """The expectations in `text`; `above` and `below` are the nearest lines without one of their own."""
    lines = text.splitlines()
    found = {number: match for number, line in enumerate(lines, 1) if (match := _EXPECTED.search(line))}
    for number, match in found.items():
        about = _about(number, match["where"], found, len(lines))
        yield Expectation(
            number, about, match["severity"], _pattern(match["text"], bool(match["regex"])), match["text"]
        )


def _about(line: int, where: str | None, found: dict[int, re.Match[str]], last: int) -> int:
    if where is None:
        return line
    if where == "unknown":
        return 0
    if where in ("above", "below"):
        step = -1 if where == "above" else 1
        line += step
        while line in found and 0 < line <= last:
            line += step
        return line
    return line + int(where)


def _pattern(text: str, is_regex: bool) -> re.Pattern[str]:
    """`text` literally; in an ``-re`` expectation the parts inside ``{{}}`` are regular expressions."""
    if not is_regex:
        return re.compile(re.escape(text))
    parts = re.split(r"\{\{(.*?)\}\}", text)
    return re.compile("".join(part if index % 2 else re.escape(part) for index, part in enumerate(parts)))


def mismatches(file: str, text: str, reported: Sequence[Diagnostic], only_expected: bool = False) -> list[TfmbsError]:
    """What is wrong: unexpected errors, warnings and remarks (unless `only_expected`), and missing expected ones.

    Attached notes may be expected, but need not be.
    """
    missing = list(expectations(text))
    problems = []
    for diagnostic in reported:
        if not _take(missing, diagnostic) and not only_expected and diagnostic.severity != "note":
            what = f"unexpected {diagnostic.severity}: {diagnostic.message}"
            problems.append(TfmbsError("ir.verify", diagnostic.place, what))
        for note in diagnostic.notes:
            _take(missing, note)
    problems += [
        TfmbsError("ir.verify", f"{file}:{e.line}", f'expected {e.severity} "{e.text}" was not produced')
        for e in missing
    ]
    return problems


def _take(missing: list[Expectation], diagnostic: Diagnostic) -> bool:
    for expected in missing:
        if expected.matches(diagnostic):
            missing.remove(expected)
            return True
    return False
