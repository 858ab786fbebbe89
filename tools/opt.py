"""``tfmbs-opt``: runs passes and pipelines, ours and upstream's mixed, over MLIR; its flags are those of mlir-opt."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tfmbs.runtime.abi.files import save
from tfmbs.tools.main import OK, standard_input, tool

if TYPE_CHECKING:
    from tfmbs.compiler.optimizer import Result, Settings
    from tfmbs.compiler.source import Source
    from tfmbs.passes.registry import Pass
    from tfmbs.tools.opt_arguments import Arguments


@tool
def main(arguments: Sequence[str]) -> int:
    """Exit codes: 0, 1 if the input was refused or diagnostics are not as expected, 2 for a usage error."""
    from tfmbs.compiler.optimizer import optimize
    from tfmbs.tools.opt_arguments import parse_arguments

    given = parse_arguments(arguments)
    if given.list_passes:
        sys.stdout.write(pass_list())
        return OK
    if given.dump_pass_pipeline:
        _dump(given.settings)
    result = optimize(_read(given.file), given.settings)
    if given.settings.timer:
        sys.stderr.write(given.settings.timer.report())
    _write(given, result)
    return OK


def _dump(settings: Settings) -> None:
    from tfmbs.compiler.plan import pipeline_of, resolve
    from tfmbs.dialect.mlir import context

    steps = resolve(settings.pipeline, context())
    print(f"Pass Manager with {len(steps)} passes:\n{pipeline_of(steps)}\n", file=sys.stderr)


def _read(file: str) -> Source:
    from tfmbs.compiler.source import Source

    if file == "-":
        return Source("<stdin>", standard_input())
    return Source(file, Path(file).read_bytes())


def _write(given: Arguments, result: Result) -> None:
    """Writes the text: standard output gets the parts that are right even if others are wrong, a file all or none."""
    if given.output == "-":
        sys.stdout.write(result.text)
        sys.stdout.flush()
    elif not result.errors:
        save(Path(given.output), result.text.encode())
    if result.errors:
        first, *others = result.errors
        lines = [first.details, *(f"{error}\n{error.details}" for error in others), *result.remarks]
        first.details = "\n".join(line.strip("\n") for line in lines if line)
        raise first
    for line in result.remarks:
        print(line, file=sys.stderr)


def pass_list() -> str:
    """Our passes, each with its first sentence and its options with their defaults."""
    from tfmbs.passes.registry import all_passes

    entries = "".join(_entry(found) for found in all_passes())
    return (
        f"{entries}\nEvery pass and pipeline of MLIR and torch-mlir runs as well: torch-mlir-opt --help lists them.\n"
    )


def _entry(found: type[Pass]) -> str:
    from tfmbs.passes.options import format_options
    from tfmbs.passes.registry import Pass

    lines = [f"--{found.pass_name()}", f"    {found.summary()}"]
    if found.anchor != Pass.anchor:
        lines.append(f"    runs on each {found.anchor}")
    lines += [
        f"      {format_options({name: option.default})}: {option.expected}"
        for name, option in found.option_types().items()
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
