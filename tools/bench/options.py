"""Options that the benchmarks share, and how their values are read."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.files import save
from tfmbs.tools.bench.timing import CLOCKS

Value = TypeVar("Value")

MAX_THREADS = 256


def add_common(parser: argparse.ArgumentParser, rounds: int, suffix: str = ".svg") -> None:
    """Threads, rounds, outputs."""
    add = parser.add_argument
    add("--threads", default="1,2", metavar="N,…", help="numbers of threads (default: %(default)s)")
    add("--rounds", type=int, default=rounds, metavar="N", help="rounds behind the first (default: %(default)s)")
    add("--clock", default="wall", choices=CLOCKS, help="cpu: of processors, for one thread on a busy machine")
    add("--json", metavar="FILE", help="everything as JSON; - is standard output, instead of the table")
    add("--plot", metavar=f"FILE{suffix}", help="the figures as a picture")


def listed(option: str, text: str, read: Callable[[str], Value], expected: str) -> tuple[Value, ...]:
    """The values of a list with commas. Raises TfmbsError `usage` for one that `read` refuses, or that is twice."""
    values: list[Value] = []
    for part in text.split(","):
        try:
            value = read(part.strip())
        except (ValueError, KeyError) as error:
            raise TfmbsError("usage", option, "value", expected, part or "nothing") from error
        if value in values:
            raise TfmbsError("usage", option, "a value given twice", got=part)
        values.append(value)
    return tuple(values)


def count(text: str) -> int:
    """A number that is at least 1. Raises ValueError."""
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 1 << 31):
        raise ValueError(text)
    return int(text)


def chosen(option: str, text: str, known: Collection[str]) -> tuple[str, ...]:
    """Some of the known names. Raises TfmbsError `usage`."""

    def read(name: str) -> str:
        if name not in known:
            raise KeyError(name)
        return name

    return listed(option, text, read, f"some of {','.join(known)}")


def threads_of(given: Any) -> tuple[int, ...]:
    """Of ``--threads``. Raises TfmbsError `usage`."""

    def read(text: str) -> int:
        if (number := count(text)) > MAX_THREADS:
            raise ValueError(text)
        return number

    if given.rounds < 1:
        raise TfmbsError("usage", "--rounds", "number of rounds", "at least 1", given.rounds)
    threads = listed("--threads", given.threads, read, f"numbers from 1 to {MAX_THREADS}")
    if given.clock != "wall" and threads != (1,):
        raise TfmbsError("usage", "--clock", "time of processors is for one thread", "--threads 1", given.threads)
    return threads


def check_outputs(given: Any) -> None:
    """Refuses, before anything is measured, what could not be written afterwards. Raises TfmbsError `usage`, `io`."""
    for option in ("json", "plot"):
        path = getattr(given, option)
        if option == "plot" and path is not None and Path(path).suffix != ".svg":
            raise TfmbsError("usage", "--plot", "kind of picture", ".svg", path)
        if path not in (None, "-") and not Path(path).absolute().parent.is_dir():
            raise TfmbsError("io", path, "cannot be written: its folder does not exist")


def write(given: Any, as_json: Callable[[], str], plot: Callable[[], str]) -> None:
    """Writes what was asked for, each file whole or not at all. Raises TfmbsError `io`."""
    if given.json not in (None, "-"):
        save(Path(given.json), as_json().encode())
    if given.plot:
        save(Path(given.plot), plot().encode())


def table(rows: Sequence[Sequence[str]], numbers: Collection[int]) -> str:
    """Rows, the first of which is the head, in columns; `numbers` are aligned to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if index in numbers else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
