"""The command line of ``tfmbs-opt``, spelled as LLVM's: one or two dashes, ``--flag`` or ``--flag=true``."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfmbs.compiler.ir_printing import AsmFlags, IRPrinter, Selection
from tfmbs.compiler.optimizer import Settings
from tfmbs.compiler.pipeline_text import MODULE, Placed, format_pipeline
from tfmbs.compiler.source import SPLIT_MARKER
from tfmbs.compiler.timing import Timer

SWITCHES: dict[str, tuple[bool, str]] = {
    "verify-each": (True, "verify the IR after each pass"),
    "guard": (True, "run upstream passes in a forked process first, so that a crash is an error"),
    "allow-unregistered-dialect": (False, "accept ops of unknown dialects"),
    "run-reproducer": (False, "run the pipeline that is stored in the input"),
    "dump-pass-pipeline": (False, "print the pipeline on standard error before it runs"),
    "list-passes": (False, "print our passes with their options and exit"),
    "mlir-timing": (False, "print the time of each pass on standard error"),
    "mlir-print-debuginfo": (False, "print locations"),
    "mlir-print-op-generic": (False, "print every op in generic form"),
    "mlir-print-local-scope": (False, "print attributes in place instead of as aliases"),
    "mlir-print-ir-before-all": (False, "print the IR before each pass on standard error"),
    "mlir-print-ir-after-all": (False, "print the IR after each pass"),
    "mlir-print-ir-after-change": (False, "after a pass, print only if the IR changed"),
    "mlir-print-ir-after-failure": (False, "after a pass, print only if it failed"),
    "mlir-print-ir-module-scope": (False, "print the whole module where a pass runs on a part of it"),
}
VALUES: dict[str, tuple[str, str]] = {
    "pass-pipeline": ("PIPELINE", "e.g. builtin.module(func.func(cse),tfmbs-fuse{max-operands=8})"),
    "output-split-marker": ("MARKER", "what separates the parts of the output"),
    "mlir-print-ir-before": ("PASS,...", "print the IR before these passes"),
    "mlir-print-ir-after": ("PASS,...", "print the IR after these passes"),
    "mlir-print-ir-tree-dir": ("DIR", "print into files below this folder instead"),
    "mlir-elide-elementsattrs-if-larger": ("N", "print ... for constants with more elements"),
    "mlir-elide-resource-strings-if-larger": ("N", "print ... for resources with more characters"),
    "mlir-pass-pipeline-crash-reproducer": ("FILE", "where to write the IR and the pipeline if a pass fails"),
}
IMPLIED: dict[str, tuple[str, tuple[str, ...], str]] = {
    "split-input-file": (SPLIT_MARKER, (), "process the parts between lines that start with this on their own"),
    "verify-diagnostics": ("all", ("all", "only-expected"), "compare diagnostics with // expected-error@+1 {{text}}"),
}
"""Flags with a value that may be left out: the value then, the values allowed (none: any), and what the flag does."""


@dataclass(frozen=True)
class Arguments:
    """What the command line asks for."""

    file: str
    output: str
    list_passes: bool
    dump_pass_pipeline: bool
    settings: Settings


def parse_arguments(arguments: Sequence[str]) -> Arguments:
    """Reads the command line. A usage error ends the process with code 2, as ``--help`` does with 0."""
    parser = _parser()
    flags, words = parser.parse_known_args([_spelled(argument) for argument in arguments])
    for word in words:
        if not re.match(r"--[a-z]", word):
            parser.error(f"unexpected argument '{word}'")
    if flags.pass_pipeline is not None and words:
        parser.error(f"--pass-pipeline and {words[0]} cannot be given together")
    timer = Timer() if flags.mlir_timing else None
    asm = AsmFlags(
        flags.mlir_elide_elementsattrs_if_larger,
        flags.mlir_elide_resource_strings_if_larger,
        flags.mlir_print_debuginfo,
        flags.mlir_print_op_generic,
        flags.mlir_print_local_scope,
    )
    settings = Settings(
        pipeline=flags.pass_pipeline
        if flags.pass_pipeline is not None
        else format_pipeline([_placed(w) for w in words]),
        run_reproducer=flags.run_reproducer,
        split=flags.split_input_file,
        output_split_marker=flags.output_split_marker,
        verify_each=flags.verify_each,
        verify_diagnostics=flags.verify_diagnostics,
        allow_unregistered=flags.allow_unregistered_dialect,
        guard=flags.guard,
        asm=asm,
        reproducer=flags.mlir_pass_pipeline_crash_reproducer,
        observers=[observer for observer in (_printer(flags, asm), timer) if observer],
        timer=timer,
    )
    return Arguments(flags.file, flags.output, flags.list_passes, flags.dump_pass_pipeline, settings)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tfmbs-opt",
        usage="tfmbs-opt [FILE|-] [-o FILE] [--PASS[=options]]... [flags]",
        description="Runs passes over MLIR. A flag that is not listed is the name of a pass or pipeline, ours or "
        "upstream's; those run in the order given. Options follow a name: --tfmbs-fuse='max-operands=8'.",
        allow_abbrev=False,
    )
    parser.add_argument("file", nargs="?", default="-", metavar="FILE", help="MLIR text or bytecode; -: standard input")
    parser.add_argument("-o", "--o", dest="output", default="-", metavar="FILE", help="written whole or not at all")
    for name, (default, meaning) in SWITCHES.items():
        parser.add_argument(f"--{name}", type=_truth, default=default, metavar="true|false", help=meaning)
    for name, (metavar, meaning) in VALUES.items():
        parser.add_argument(f"--{name}", type=_VALUE_TYPES.get(metavar, str), metavar=metavar, help=meaning)
    for name, (_, allowed, meaning) in IMPLIED.items():
        parser.add_argument(f"--{name}", default="", choices=allowed or None, metavar="VALUE", help=meaning)
    parser.set_defaults(output_split_marker=SPLIT_MARKER, mlir_print_ir_before=(), mlir_print_ir_after=())
    return parser


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"expected true or false, got '{text}'")
    return text == "true"


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a number, got '{text}'")
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


_VALUE_TYPES: dict[str, Callable[[str], Any]] = {"N": _count, "FILE": Path, "DIR": Path, "PASS,...": _names}


def _spelled(argument: str) -> str:
    """The argument as argparse takes it: two dashes, and a value for a flag that may stand without one."""
    word = f"-{argument}" if re.match(r"-[a-z][\w-]", argument) else argument
    name = word.removeprefix("--")
    if name in SWITCHES:
        return f"{word}=true"
    return f"{word}={IMPLIED[name][0]}" if name in IMPLIED else word


def _placed(word: str) -> Placed:
    name, _, options = word.removeprefix("--").partition("=")
    if options.startswith("{") and options.endswith("}"):
        options = options[1:-1]
    return Placed((MODULE,), name, options)


def _printer(flags: argparse.Namespace, asm: AsmFlags) -> IRPrinter | None:
    selection = Selection(
        before=frozenset(flags.mlir_print_ir_before),
        after=frozenset(flags.mlir_print_ir_after),
        before_all=flags.mlir_print_ir_before_all,
        after_all=flags.mlir_print_ir_after_all,
        only_change=flags.mlir_print_ir_after_change,
        only_failure=flags.mlir_print_ir_after_failure,
    )
    if not selection.any():
        return None
    return IRPrinter(selection, asm, flags.mlir_print_ir_module_scope, flags.mlir_print_ir_tree_dir)
