"""``tfmbs-bench sweep``: a model on variations of a target; time, energy and area, with the Pareto front."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.tools.bench.options import MAX_THREADS, check_outputs, count, table, write
from tfmbs.tools.bench.simulated.area import SOURCE
from tfmbs.tools.bench.simulated.variation import Value, key_of, value_of, varied
from tfmbs.tools.main import OK, REFUSED
from tfmbs.tools.model_options import add_model_options, model_options, refuse_ranges
from tfmbs.tools.progress import Progress

if TYPE_CHECKING:
    from tfmbs.tools.bench.simulated.point import Point, Refusal

SCHEMA = 1
"""Of the JSON: docs/tfmbs-bench-sweep.schema.json."""

MAX_POINTS = 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    add_model_options(parser)
    add = parser.add_argument
    vary = "values of a parameter of the target; repeated: every combination. K and M are 2¹⁰ and 2²⁰"
    add("--vary", metavar="KEY=V,…", action="append", default=[], help=vary)
    add("--jobs", type=count, metavar="N", help="processes (default: one per processor)")
    add("--json", metavar="FILE", help="everything as JSON; - is standard output, instead of the table")
    add("--plot", metavar="FILE.svg", help="time, energy and area as a picture")


def run(given: Any) -> int:
    """Prints the table. Exit code 1 where outputs are not the emulator's.

    Raises TfmbsError `usage`, `target`, `io`, and what the compiler refuses of the model.
    """
    values = _varied(given.vary)
    every = [dict(zip(values, combination, strict=True)) for combination in itertools.product(*values.values())]
    if len(every) > MAX_POINTS:
        raise TfmbsError("usage", "--vary", "combinations", f"at most {MAX_POINTS}", len(every))
    for changes in every:
        varied(given.target, changes)
    refuse_ranges(model_options(given).dims, "a sweep runs one size")  # once, not in every process
    check_outputs(given)
    found = _evaluated(given, every)
    from tfmbs.tools.bench.simulated.point import Point, front

    points = [one for one in found if isinstance(one, Point)]
    refused = [one for one in found if not isinstance(one, Point)]
    return _show(given, values, points, front(points), refused)


def _varied(texts: Sequence[str]) -> dict[str, list[Value]]:
    values: dict[str, list[Value]] = {}
    for text in texts:
        name, equals, listed = text.partition("=")
        key = key_of("--vary", name if equals else text)
        if key in values:
            raise TfmbsError("usage", "--vary", "a key given twice", got=name)
        values[key] = [value_of(f"--vary {key}", part) for part in listed.split(",")]
        if len(set(values[key])) != len(values[key]):
            raise TfmbsError("usage", f"--vary {key}", "a value given twice", got=listed)
    if not values:
        raise TfmbsError("usage", "--vary", "what varies", "KEY=V,… at least once", "nothing")
    return values


def _evaluated(given: Any, every: Sequence[Mapping[str, Value]]) -> list[Point | Refusal]:
    from tfmbs.tools.bench.simulated.point import evaluated

    jobs = min(given.jobs or os.cpu_count() or 1, len(every), MAX_THREADS)
    bar = Progress()
    bar.show(f"{len(every)} variations in {jobs} processes")
    try:
        if jobs == 1:
            return [evaluated(given, changes) for changes in every]
        # Started afresh: threads of this process would not be there in a copy of it.
        with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
            return list(pool.map(evaluated, itertools.repeat(given), every))
    except BrokenProcessPool as error:
        raise TfmbsError("device", "sweep", "a process ended before its result", "fewer --jobs", jobs) from error
    finally:
        bar.clear()


def _show(
    given: Any,
    values: Mapping[str, Sequence[Value]],
    points: Sequence[Point],
    on_front: Sequence[bool],
    refused: Sequence[Refusal],
) -> int:
    from tfmbs.tools.bench.simulated.sweep_picture import picture

    result = {
        "schema": SCHEMA,
        "command": "sweep",
        "target": given.target,
        "precision": given.precision,
        "vary": values,
        "area": SOURCE,
        "points": [{**vars(one), "pareto": best} for one, best in zip(points, on_front, strict=True)],
        "refused": [vars(one) for one in refused],
    }

    def as_json() -> str:
        return json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    if given.plot and not points:
        raise TfmbsError("unsupported", "--plot", "a picture of variations that are all refused", got=refused[0].why)
    write(given, as_json, lambda: picture(points, on_front))
    if given.json == "-":
        sys.stdout.write(as_json())
    else:
        print(text(values, points, on_front, refused))
    wrong = [one for one in points if not one.exact]
    if wrong:
        print(f"error: {label(wrong[0].changes)}: outputs, expected the emulator's bytes", file=sys.stderr)
    return REFUSED if wrong else OK


def text(
    values: Mapping[str, Sequence[Value]],
    points: Sequence[Point],
    on_front: Sequence[bool],
    refused: Sequence[Refusal],
) -> str:
    """The table for people, in the order of the values."""
    figures = ("#", *values, "cycles", "µs", "µJ", "mm²", "% peak", "% external", "Pareto")
    rows: list[Sequence[str]] = [figures]
    for number, (one, best) in enumerate(zip(points, on_front, strict=True), 1):
        rows.append(
            (
                str(number),
                *(str(value) for value in one.changes.values()),
                f"{one.cycles:,}",
                f"{one.total_ps / 1e6:.2f}",
                f"{one.energy_pj / 1e6:.2f}",
                f"{one.area_mm2:.2f}",
                f"{100 * one.peak:.1f}",
                f"{100 * one.external:.1f}",
                "*" if best else "",
            )
        )
    lines = [table(rows, range(len(figures) - 1)), ""]
    lines += [f"refused: {label(one.changes)}: {one.why}" for one in refused]
    lines += ["*: no other one is as good in time, energy and area, and better in one of them", f"mm²: {SOURCE}"]
    lines += [f"µJ: {profile}" for profile in dict.fromkeys(one.profile for one in points)]
    return "\n".join(lines)


def label(changes: Mapping[str, Value]) -> str:
    """A variation in words."""
    return ", ".join(f"{key}={value}" for key, value in changes.items())
