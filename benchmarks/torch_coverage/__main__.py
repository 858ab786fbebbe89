"""Runs the core ops: all of them, to write `docs/torch-coverage.md` again, or some, to see what becomes of them."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence

from benchmarks.torch_coverage import campaign, results
from benchmarks.torch_coverage.check import Status
from benchmarks.torch_coverage.core import core_ops
from benchmarks.torch_coverage.page import PAGE, render
from benchmarks.torch_coverage.results import NO_SAMPLE, row_of
from tfmbs.runtime.abi.files import save


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 1 if a sample is a fault."""
    parser = argparse.ArgumentParser("python -m benchmarks.torch_coverage", description=__doc__)
    parser.add_argument("ops", nargs="*", help="default: all core ops, and the page is written")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: one per core)")
    parser.add_argument("--write", action="store_true", help="store the rows of these ops too, and write the page")
    parser.add_argument("--verbose", action="store_true", help="print every sample that is not correct")
    options = parser.parse_args(arguments)
    names = options.ops or core_ops()
    rows = {}
    for name, verdicts in zip(names, campaign.run(names, options.jobs), strict=True):
        rows[name] = row = row_of(name, verdicts)
        print(f"{name}: {row.status} {row.correct}/{row.samples} {row.reason}".rstrip(), flush=True)
        for source, verdict in verdicts if options.verbose else ():
            if verdict.status is not Status.CORRECT:
                print(f"    {source}: {verdict.status.value}: {' '.join(verdict.reason.split())[:300]}", flush=True)
    print(", ".join(f"{count} {status}" for status, count in Counter(row.status for row in rows.values()).items()))
    if options.write or not options.ops:
        rows = {**results.read(), **rows} if options.ops else rows
        results.write(rows)
        save(PAGE, render(rows).encode())
    good = {Status.CORRECT.value, Status.REFUSED.value, NO_SAMPLE}
    return 0 if all(row.status in good for row in rows.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
