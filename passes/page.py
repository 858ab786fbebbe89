"""``docs/passes.md``: every pass with its options and examples, from the classes. Run the module to write it again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tfmbs.passes.examples import Example, examples, prose
from tfmbs.passes.options import format_options
from tfmbs.passes.registry import Pass, all_passes

PATH = Path(__file__).resolve().parents[1] / "docs" / "passes.md"

_HEAD = """# Passes

Written by `python -m tfmbs.passes.page` from the classes in `passes/`. [tfmbs-opt](tfmbs-opt.md) runs each of them by
its name; the test suite runs the examples. `compiler/pipelines.py` holds the order of passes in a compilation.
"""


def passes_page() -> str:
    """The text of the page."""
    return "\n".join([_HEAD, *(line for found in all_passes() for line in _entry(found))])


def _entry(found: type[Pass]) -> Iterator[str]:
    yield f"## {found.pass_name()}\n\n{prose(found)}\n"
    if found.anchor != Pass.anchor:
        yield f"Runs on each `{found.anchor}`.\n"
    if options := found.option_types():
        yield "| option and default | value |\n|---|---|"
        for name, option in options.items():
            yield f"| `{format_options({name: option.default})}` | {option.expected} |"
        yield ""
    for example in examples(found):
        yield from _example(found.pass_name(), example)


def _example(name: str, example: Example) -> Iterator[str]:
    command = f"--{name}='{example.options}'" if example.options else f"--{name}"
    yield f"```mlir\n// before {command}\n{example.before}```\n\n```mlir\n// after\n{example.after}```\n"


def main() -> None:
    """Writes the page in place."""
    PATH.write_text(passes_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
