"""``tfmbs-opt``: runs passes and pipelines, ours and upstream's mixed, over MLIR; MLIR's flags mean what they mean there."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from tfmbs.compiler.diagnostics import Diagnostics
from tfmbs.compiler.driver import Driver
from tfmbs.compiler.pipeline_text import MODULE, Placed
from tfmbs.compiler.plan import Step, pipeline_of, place, resolve
from tfmbs.compiler.source import SPLIT_MARKER, Source, parse
from tfmbs.dialect.mlir import context
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.tools.main import OK, tool


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tfmbs-opt",
        usage="tfmbs-opt [FILE|-] [-o FILE] [--PASS[=options]]... [--pass-pipeline=PIPELINE] [flags]",
        description="Runs passes over MLIR. Any other --NAME[=a=1 b=2] is a pass or pipeline, ours or upstream's; they run in "
        "the order given.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "file", nargs="?", default="-", metavar="FILE", help="MLIR text or bytecode; - is standard input"
    )
    parser.add_argument("-o", "--o", dest="output", default="-", metavar="FILE", help="written whole or not at all")
    parser.add_argument("--pass-pipeline", metavar="PIPELINE", help="e.g. builtin.module(func.func(cse),tfmbs-fuse)")
    parser.add_argument(
        "--split-input-file", metavar="MARKER", help="process the parts between marker lines on their own"
    )
    _flag(parser, "--verify-each", True, "verify after each pass")
    _flag(parser, "--allow-unregistered-dialect", False, "accept ops of unknown dialects")
    _flag(parser, "--dump-pass-pipeline", False, "print the pipeline that runs on standard error")
    _flag(parser, "--mlir-print-debuginfo", False, "print locations")
    return parser


def _flag(parser: argparse.ArgumentParser, name: str, default: bool, meaning: str) -> None:
    parser.add_argument(name, type=_truth, default=default, metavar="true|false", help=meaning)


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"expected true or false, got {text}")
    return text == "true"


_IMPLIED = {"--split-input-file": SPLIT_MARKER}


def _spelled(arguments: Sequence[str], parser: argparse.ArgumentParser) -> list[str]:
    """The arguments as argparse takes them: two dashes, and a value for each flag that may stand without one."""
    flags = {f"--{action.dest.replace('_', '-')}" for action in parser._actions if action.type is _truth}
    result = []
    for argument in arguments:
        word = f"-{argument}" if re.match(r"-[a-z][\w-]", argument) else argument
        if word in flags:
            word += "=true"
        elif word in _IMPLIED:
            word += f"={_IMPLIED[word]}"
        result.append(word)
    return result


def _passes(words: Sequence[str], mlir_context: object, parser: argparse.ArgumentParser) -> list[Step]:
    steps: list[Step] = []
    for word in words:
        if not word.startswith("--"):
            parser.error(f"unexpected argument '{word}'")
        name, _, options = word[2:].partition("=")
        if options.startswith("{") and options.endswith("}"):
            options = options[1:-1]
        steps += place(Placed((MODULE,), name, options), mlir_context)
    return steps


@tool
def main(arguments: Sequence[str]) -> int:
    """Exit codes: 0, 1 if the input was refused or an expected diagnostic is missing, 2 for a usage error."""
    parser = _parser()
    flags, words = parser.parse_known_args(_spelled(arguments, parser))
    if flags.pass_pipeline is not None and words:
        parser.error(f"--pass-pipeline and {words[0]} cannot be given together")
    source = _read(flags.file)
    texts = []
    for part in source.split(flags.split_input_file) if flags.split_input_file else [source]:
        mlir_context = context(allow_unregistered=flags.allow_unregistered_dialect)
        steps = (
            resolve(flags.pass_pipeline, mlir_context)
            if flags.pass_pipeline is not None
            else _passes(words, mlir_context, parser)
        )
        if flags.dump_pass_pipeline and not texts:
            print(f"Pass Manager with {len(steps)} passes:\n{pipeline_of(steps)}\n", file=sys.stderr)
        driver = Driver(verify_each=flags.verify_each, diagnostics=Diagnostics())
        module = parse(part, mlir_context, driver.diagnostics)
        driver.run(module, steps)
        texts.append(f"{module.operation.get_asm(enable_debug_info=flags.mlir_print_debuginfo)}\n")
    text = f"{SPLIT_MARKER}\n".join(texts)
    if flags.output == "-":
        sys.stdout.write(text)
    else:
        Path(flags.output).write_text(text)
    return OK


def _read(file: str) -> Source:
    if file == "-":
        return Source("<stdin>", sys.stdin.buffer.read())
    return Source(file, Path(file).read_bytes())


if __name__ == "__main__":
    sys.exit(main())
