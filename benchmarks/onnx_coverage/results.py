"""The stored verdicts: one line per case with kind, name, status and reason."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmarks.onnx_coverage.cases import Case
from benchmarks.onnx_coverage.check import Result, Status
from tfmbs.runtime.abi.files import save

RESULTS = Path(__file__).with_name("results.tsv")
_REASON = 240  # characters that are kept

Key = tuple[str, str]
"""Kind and name of a case."""


def key(case: Case) -> Key:
    """How a case is found among the results."""
    return case.kind, case.name


def read(path: Path = RESULTS) -> dict[Key, Result]:
    """The verdicts that are stored."""
    results = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        kind, name, status, reason = line.split("\t")
        results[kind, name] = Result(Status(status), reason)
    return results


def write(results: Mapping[Key, Result], path: Path = RESULTS) -> None:
    """Stores verdicts, in order of kind and name."""
    lines = [
        f"{kind}\t{name}\t{results[kind, name].status.value}\t{results[kind, name].reason}"
        for kind, name in sorted(results)
    ]
    save(path, "".join(f"{line}\n" for line in lines).encode())


def shortened(result: Result) -> Result:
    """A verdict as it is stored: foreign messages quote whole types."""
    reason = result.reason.removeprefix("error: ")
    return Result(result.status, reason if len(reason) <= _REASON else f"{reason[: _REASON - 1]}…")
