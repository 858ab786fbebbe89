"""``tfmbs-bench cycles``: the simulated cycles of the canonical workloads beside the committed baseline."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.tools.bench.checkout import root
from tfmbs.tools.bench.options import table
from tfmbs.tools.bench.simulated.baseline import TOLERANCE, Baseline, Change
from tfmbs.tools.main import OK, REFUSED
from tfmbs.tools.progress import Progress

if TYPE_CHECKING:
    from tfmbs.tools.bench.simulated.alone import Alone

FILE = "benchmarks/kpu_cycles.json"
HEAD = ("workload", "baseline", "now", "change")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    add = parser.add_argument
    add("--baseline", metavar="FILE.json", type=Path, help=f"(default: {FILE} of the checkout)")
    add("--update-baseline", action="store_true", help="write the cycles of now; needs --reason")
    add("--reason", metavar="TEXT", help="why cycles are others: it stands in the file")


def run(given: Any) -> int:
    """Prints the table. Exit code 1 where cycles differ by more than 5 %, or outputs from the emulator's.

    Raises TfmbsError `usage`, `io`, `install`.
    """
    if given.update_baseline != bool(given.reason and given.reason.strip()):
        raise TfmbsError("usage", "--update-baseline", "an update needs its reason", "--reason TEXT, and both")
    checkout = root("--baseline", FILE)
    path = given.baseline or checkout / FILE
    baseline = Baseline({}, ()) if given.update_baseline and not path.exists() else Baseline.load(path)
    now, wrong, launches = measured(checkout)
    changes = baseline.changes(now)
    print(text(baseline, now))
    print(f"\nHow far predictions of launches, one by one, are off:\n\n{errors(launches)}")
    if wrong:
        print(f"error: {wrong[0]}: outputs, expected the emulator's bytes, {len(wrong)} differ", file=sys.stderr)
        return REFUSED
    if given.update_baseline:
        return _update(path, baseline, now, given.reason.strip(), changes)
    large = [one for one in changes if one.is_large]
    if large:
        what = f"cycles, expected within {100 * TOLERANCE:.0f} % of {path}"
        print(f"error: {large[0]}: {what}, {len(large)} differ (--update-baseline --reason TEXT)", file=sys.stderr)
    return REFUSED if large else OK


def measured(checkout: Path) -> tuple[dict[str, int], list[str], list[Alone]]:
    """Cycles of every canonical workload, the names of those whose outputs are wrong, and all launches one by one."""
    from tfmbs.tools.bench.simulated.alone import alone
    from tfmbs.tools.bench.simulated.canonical import canonical
    from tfmbs.tools.bench.simulated.workload import make, simulate

    bar = Progress()
    cycles: dict[str, int] = {}
    wrong: list[str] = []
    launches: list[Alone] = []
    try:
        for workload in canonical(checkout):
            bar.show(workload.name)
            made = make(workload)
            found = simulate(workload, made)
            cycles[workload.name] = found.cycles
            wrong += [] if found.exact else [workload.name]
            launches += alone(made, found)
    finally:
        bar.clear()
    return cycles, wrong, launches


def errors(launches: Sequence[Alone]) -> str:
    """How good predictions are, by kind."""
    from tfmbs.tools.bench.simulated.alone import HEAD as COLUMNS
    from tfmbs.tools.bench.simulated.alone import by_kind

    return table(by_kind(launches), set(range(1, len(COLUMNS))))


def text(baseline: Baseline, now: Mapping[str, int]) -> str:
    """The table for people."""
    rows = [HEAD]
    for name, cycles in now.items():
        before = baseline.cycles.get(name)
        change = "new" if before is None else f"{100 * (cycles / before - 1):+.1f} %" if cycles != before else ""
        rows.append((name, "" if before is None else f"{before:,}", f"{cycles:,}", change))
    return table(rows, {1, 2, 3})


def _update(path: Path, baseline: Baseline, now: Mapping[str, int], reason: str, changes: Sequence[Change]) -> int:
    if not changes:
        print("\nnothing changed")
        return OK
    baseline.updated(now, reason).save(path)
    print(f"\n{path}: {len(changes)} changed: {reason}")
    return OK
