"""``tfmbs-bench simulator``: suites of workloads on the simulated KPU, beside what no run of its target can beat."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.target_file import load_target
from tfmbs.tools.bench.machine import machine, one_line
from tfmbs.tools.bench.options import check_outputs, chosen, table, write
from tfmbs.tools.main import OK, REFUSED
from tfmbs.tools.progress import Progress

if TYPE_CHECKING:
    from tfmbs.tools.bench.simulated.result import Simulated

SCHEMA = 1
"""Of the JSON: docs/tfmbs-bench-simulator.schema.json."""

FAR = 1.25
"""Times the bound: workloads beyond are listed with what their engines did."""

HEAD = (
    "workload", "cycles", "predicted", "% peak", "bound", "×", "limit", "% busy", "external MB", "least", "s", "check",
)  # fmt: skip
NUMBERS = frozenset({1, 2, 3, 4, 5, 7, 8, 9, 10})
LEGEND = (
    "cycles of the core clock; predicted: by the closed model that chooses schedules; % peak: multiply-accumulates;\n"
    "bound: what the busiest resource of each launch needs at least, the fewest folds of the array or each byte once,\n"
    "one launch after the other; limit: that resource; % busy: how much of the run it really worked;\n"
    "least: external megabytes, each byte once; s: of this machine's processors, for expansion and simulation"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    from tfmbs.tools.bench.simulated.suites import DEFAULT, SIZES, SUITES
    from tfmbs.tools.bench.simulated.workload import DEFAULT_TARGET

    add = parser.add_argument
    names = ", ".join(f"{name} ({suite.summary})" for name, suite in SUITES.items())
    add("--suites", default=",".join(SUITES), metavar="S,…", help=f"{names} (default: all)")
    add("--target", default=DEFAULT_TARGET, metavar="NAME|FILE.toml", help="target (default: %(default)s)")
    add(
        "--size",
        default=DEFAULT,
        choices=SIZES,
        help="full: products up to 16,384³, for an hour (default: %(default)s)",
    )
    add("--json", metavar="FILE", help="everything as JSON; - is standard output, instead of the table")
    add("--plot", metavar="FILE.svg", help="a roofline as a picture")


def run(given: Any) -> int:
    """Prints the tables. Exit code 1 where bytes are not the emulator's. Raises TfmbsError `usage`, `target`, `io`."""
    from tfmbs.tools.bench.simulated.suites import SUITES

    names = chosen("--suites", given.suites, SUITES)
    load_target(given.target)
    check_outputs(given)
    found: list[Simulated] = []
    refused: list[dict[str, str]] = []
    bar = Progress()
    try:
        for name in names:
            found += _measured(name, given, bar, refused)
    finally:
        bar.clear()
    result = {
        "schema": SCHEMA,
        "command": "simulator",
        "size": given.size,
        "target": given.target,
        "machine": machine(),
        "refused": refused,
        "workloads": [one.to_json() for one in found],
    }
    return _show(given, result, found)


def _measured(name: str, given: Any, bar: Progress, refused: list[dict[str, str]]) -> Iterator[Simulated]:
    from tfmbs.tools.bench.simulated.ops import measured
    from tfmbs.tools.bench.simulated.suites import SUITES

    for workload in SUITES[name].workloads(given.size, given.target):
        bar.show(f"{name}: {workload.name}")
        try:
            yield measured(workload)
        except TfmbsError as error:
            if error.code not in ("unsupported", "resource-limit"):
                raise
            refused.append({"suite": name, "name": workload.name, "why": str(error)})


def _show(given: Any, result: Mapping[str, Any], found: Sequence[Simulated]) -> int:
    from tfmbs.tools.bench.simulated.picture import picture

    def as_json() -> str:
        return json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    write(given, as_json, lambda: picture(found))
    if given.json == "-":
        sys.stdout.write(as_json())
    else:
        print(text(result, found))
    wrong = [one for one in found if not one.exact]
    for one in wrong[:1]:
        what = f"error: {one.suite}: {one.name}: outputs, expected the emulator's bytes, {len(wrong)} workloads differ"
        print(what, file=sys.stderr)
    return REFUSED if wrong else OK


def text(result: Mapping[str, Any], found: Sequence[Simulated]) -> str:
    """A table for each suite, then bars, what is far from its bound, and what was refused."""
    lines = [one_line(result["machine"]), ""]
    for suite in dict.fromkeys(one.suite for one in found):
        own = [one for one in found if one.suite == suite]
        lines += [f"{suite}, on {', '.join(dict.fromkeys(one.target for one in own))}", ""]
        lines += [table([HEAD, *(_row(one) for one in own)], NUMBERS), ""]
        lines += [line for one in own for line in _further(one)]
        lines += [""] if any(one.ops for one in own) else []
    far = [one for one in found if one.ratio > FAR and one.suite != "tiles"]
    lines += [f"beyond {FAR} times its bound: {one.suite}: {one.name}: {_why(one)}" for one in far]
    lines += [f"bar {'held' if one.holds else 'MISSED'}: {one.name}: {_bar(one)}" for one in found if one.bar]
    lines += [f"refused: {one['suite']}: {one['name']}: {one['why']}" for one in result["refused"]]
    lines += ["", LEGEND]
    return "\n".join(lines)


def _row(one: Simulated) -> tuple[str, ...]:
    return (
        one.name,
        f"{one.cycles:,}",
        "–" if one.predicted is None else f"{one.predicted:,}",
        f"{100 * one.shares['peak']:.1f}",
        f"{-(-one.bound_ps // one.core_ps):,}",
        f"{one.ratio:.2f}",
        one.limit,
        f"{100 * one.busy[one.limit]:.0f}",
        f"{one.external_bytes / 1e6:.2f}",
        f"{one.least_external_bytes / 1e6:.2f}",
        f"{one.simulate_seconds:.2f}",
        "exact" if one.exact else "WRONG",
    )


def _further(one: Simulated) -> Iterator[str]:
    if one.ops is not None:
        ops, saved = one.ops, one.shares["saved by fusion"]
        yield (
            f"{one.name}: {ops.count} ops one by one take {ops.cycles:,} cycles, {ops.cycles / one.cycles:.2f} times "
            f"as long, and {ops.least_external_bytes / 1e6:.1f} MB at least; {1 - saved:.2f} of these are moved"
        )


def _why(one: Simulated) -> str:
    busy = ", ".join(f"{name} {100 * share:.0f} %" for name, share in one.busy.items() if share >= 0.01)
    return f"{one.ratio:.2f}; busy: {busy}"


def _bar(one: Simulated) -> str:
    assert one.bar is not None
    return f"{one.bar.share} {100 * one.shares[one.bar.share]:.1f} %, at least {100 * one.bar.least:.1f} %"
