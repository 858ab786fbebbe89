"""The examples in docstrings of passes: IR before and after, which the test suite runs and the page of passes shows."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from tfmbs.passes.registry import Pass

_BLOCK = r":\n+((?:(?: {4}.*)?\n)+)"
_EXAMPLE = re.compile(rf"(?:^Options: *(.*)\n+)?^Before{_BLOCK}^After{_BLOCK}", re.MULTILINE)


@dataclass(frozen=True)
class Example:
    """The pass with these textual options turns `before` into `after`."""

    options: str
    before: str
    after: str


def examples(documented: type[Pass]) -> Iterator[Example]:
    """The examples of a pass, in order."""
    for options, before, after in _EXAMPLE.findall(_docstring(documented)):
        yield Example(options, *(f"{textwrap.dedent(block).strip()}\n" for block in (before, after)))


def prose(documented: type[Pass]) -> str:
    """The docstring without the examples."""
    return _EXAMPLE.sub("", _docstring(documented)).strip()


def _docstring(documented: type[Pass]) -> str:
    return f"{inspect.cleandoc(documented.__doc__ or '')}\n"
