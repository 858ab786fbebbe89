"""Runs the example in every docstring of a pass: it must turn the IR under ``Before:`` into the IR under ``After:``."""

from __future__ import annotations

import difflib
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tfmbs.compiler.diagnostics import Diagnostics
from tfmbs.compiler.driver import Driver
from tfmbs.compiler.source import Source, parse
from tfmbs.dialect.mlir import context
from tfmbs.passes.registry import Pass, all_passes

_BLOCK = r":\n\n((?:(?: {4}.*)?\n)+)"
_EXAMPLE = re.compile(rf"(?:^Options: *(.*)\n\n)?^Before{_BLOCK}^After{_BLOCK}", re.MULTILINE)


@dataclass(frozen=True)
class Example:
    options: str
    before: str
    after: str


def examples(documented: type[Pass]) -> Iterator[Example]:
    text = inspect.cleandoc(documented.__doc__ or "") + "\n"
    for options, before, after in _EXAMPLE.findall(text):
        yield Example(options, textwrap.dedent(before), textwrap.dedent(after))


def printed(text: str, name: str, pipeline: str = "builtin.module()") -> str:
    """`text` after `pipeline`, in a context of its own: names of resources depend on what was parsed before."""
    with context() as fresh:
        module = parse(Source(name, text.encode()), fresh, Diagnostics())
        Driver().run_text(module.operation, pipeline)
        return str(module)


PASSES = {found.pass_name(): found for found in all_passes()}


@pytest.mark.parametrize("name", PASSES)
def test_example(name: str) -> None:
    found = list(examples(PASSES[name]))
    assert found, f"the docstring of {name} has no example with Before: and After:"
    for example in found:
        options = f"{{{example.options}}}" if example.options else ""
        got = printed(example.before, "Before", f"builtin.module({name}{options})")
        expected = printed(example.after, "After")
        diff = "".join(
            difflib.unified_diff(expected.splitlines(True), got.splitlines(True), "After", f"what {name} gives")
        )
        assert not diff, f"\n{diff}"


@pytest.mark.parametrize("name", PASSES)
def test_documentation(name: str) -> None:
    found = PASSES[name]
    assert found.summary().endswith("."), "the first paragraph of the docstring is a sentence"
    assert found.from_text(found().options_text()) == found()
