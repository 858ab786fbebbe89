"""``tfmbs-bench``: benchmarks of this machine, each with its peers in the same run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from tfmbs.tools.main import tool


@dataclass(frozen=True)
class Command:
    """A benchmark: `module` of this package has `add_arguments(parser)` and `run(given)`, which returns an exit code.

    It is imported when it is asked for, so that `--help` needs no peer.
    """

    module: str
    summary: str

    def of(self, name: str) -> Callable[..., Any]:
        """A function of the module."""
        found: Callable[..., Any] = getattr(import_module(f"tfmbs.tools.bench.{self.module}"), name)
        return found


COMMANDS: dict[str, Command] = {
    "kernels": Command("kernels", "products of a matrix with vectors, beside onnxruntime, torch, numpy and litespark"),
    "simulator": Command("simulator", "suites on the simulated KPU: cycles beside the roofline bound of each workload"),
    "cycles": Command("cycles", "simulated cycles of canonical workloads beside the committed baseline"),
    "sweep": Command("sweep", "a model on variations of a target: time, energy, area, and the Pareto front"),
    "models": Command("models", "whole networks, beside onnxruntime at the same precision and IREE"),
}
"""Every benchmark by name."""


@tool
def main(arguments: Sequence[str]) -> int:
    """Exit codes: 0, 1 where a result of ours is wrong or something was refused, 2 for a usage error."""
    parser = argparse.ArgumentParser("tfmbs-bench", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        own = commands.add_parser(name, help=command.summary, description=command.summary)
        if name in arguments[:1]:  # the others' options are not needed, nor what they import
            command.of("add_arguments")(own)
    given = parser.parse_args(arguments)
    code: int = COMMANDS[given.command].of("run")(given)
    return code


if __name__ == "__main__":
    sys.exit(main())
