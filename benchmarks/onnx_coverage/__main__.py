"""Runs the cases: all of them, to write `docs/onnx-coverage.md` again, or some, to see what becomes of them."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence

from benchmarks.onnx_coverage import campaign, results
from benchmarks.onnx_coverage.cases import KINDS, Case, load
from benchmarks.onnx_coverage.check import Result, Status
from benchmarks.onnx_coverage.page import PAGE, render
from benchmarks.onnx_coverage.results import Key, key, shortened
from tfmbs.runtime.abi.files import save


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 1: a case went wrong in a way other than a refusal, or does not pass although its stored verdict says
    so."""
    options = _parser().parse_args(arguments)
    cases = load(tuple(options.kind or KINDS), options.match)[:: options.sample]
    stored = results.read() if results.RESULTS.exists() else {}
    found = _run(cases, options.jobs, options.verbose)
    print(", ".join(f"{count} {status}" for status, count in Counter(r.status.value for r in found.values()).items()))
    lost = [case for case in cases if stored.get(key(case)) == Result(Status.PASSED) and not _passed(found[key(case)])]
    faults = [case for case in cases if found[key(case)].status not in (Status.PASSED, Status.REFUSED)]
    for case in [*faults, *(case for case in lost if case not in faults)]:
        result = found[key(case)]
        print(f"{case.kind} {case.name}: {result.status.value}: {result.reason}", file=sys.stderr)
    if options.write:
        _write({**stored, **found})
    return 1 if faults or lost else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.onnx_coverage", description=__doc__)
    parser.add_argument("--kind", action="append", choices=KINDS, help="only cases of this kind (may be repeated)")
    parser.add_argument("--match", default="", metavar="REGEX", help="only cases whose name it is found in")
    parser.add_argument("--sample", type=int, default=1, metavar="N", help="only every N-th case")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: one per core)")
    parser.add_argument("--write", action="store_true", help="store the verdicts and write the page again")
    parser.add_argument("--verbose", action="store_true", help="print every verdict")
    return parser


def _run(cases: Sequence[Case], jobs: int | None, verbose: bool) -> dict[Key, Result]:
    found: dict[Key, Result] = {}
    for case, result in zip(cases, campaign.run(cases, jobs), strict=True):
        found[key(case)] = shortened(result)
        if verbose:
            print(f"{case.kind} {case.name}: {result.status.value} {result.reason}".rstrip(), flush=True)
        elif sys.stderr.isatty():
            print(f"\r{len(found)}/{len(cases)}", end="" if len(found) < len(cases) else "\n", file=sys.stderr)
    return found


def _passed(result: Result) -> bool:
    return result.status is Status.PASSED


def _write(found: Mapping[Key, Result]) -> None:
    """Stores the verdicts of the cases that exist, and the page that they make."""
    cases = load()
    kept = {key(case): found[key(case)] for case in cases if key(case) in found}
    results.write(kept)
    save(PAGE, render([case for case in cases if key(case) in kept], kept).encode())


if __name__ == "__main__":
    sys.exit(main())
