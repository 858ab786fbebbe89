"""Runs the example in every docstring of a pass: it must turn the IR under ``Before:`` into the IR under ``After:``."""

from __future__ import annotations

import difflib

import pytest

from tfmbs.compiler.diagnostics import Diagnostics
from tfmbs.compiler.driver import Driver
from tfmbs.compiler.source import Source, parse
from tfmbs.dialect.mlir import context
from tfmbs.passes.examples import examples
from tfmbs.passes.page import PATH, passes_page
from tfmbs.passes.registry import all_passes


def printed(text: str, pipeline: str = "builtin.module()") -> str:
    """`text` after `pipeline`, in a context of its own: names of resources depend on what was parsed before."""
    with context() as fresh:
        module = parse(Source("example.mlir", text.encode()), fresh, Diagnostics())
        Driver().run_text(module.operation, pipeline)
        return str(module)


PASSES = {found.pass_name(): found for found in all_passes()}


@pytest.mark.parametrize("name", PASSES)
def test_example(name: str) -> None:
    found = list(examples(PASSES[name]))
    assert found, f"the docstring of {name} has no example with Before: and After:"
    for example in found:
        options = f"{{{example.options}}}" if example.options else ""
        got = printed(example.before, f"builtin.module({name}{options})")
        expected = printed(example.after)
        diff = "".join(
            difflib.unified_diff(expected.splitlines(True), got.splitlines(True), "After", f"what {name} gives")
        )
        assert not diff, f"\n{diff}"


@pytest.mark.parametrize("name", PASSES)
def test_documentation(name: str) -> None:
    found = PASSES[name]
    assert found.summary().endswith("."), "the first paragraph of the docstring is a sentence"
    assert found.from_text(found().options_text()) == found()


def test_the_page_of_passes_is_fresh() -> None:
    assert PATH.read_text(encoding="utf-8") == passes_page(), "python -m tfmbs.passes.page writes it again"
