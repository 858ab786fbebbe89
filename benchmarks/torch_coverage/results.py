"""What became of an op's samples, and the stored table of it: a line per op."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.torch_coverage.check import FAULTS, Status, Verdict
from tfmbs.runtime.abi.files import save

RESULTS = Path(__file__).with_name("results.tsv")
NO_SAMPLE = "no sample"
_REASON = 240  # characters that are kept


@dataclass(frozen=True)
class Row:
    """An op: the status of its worst sample or `NO_SAMPLE`, how many samples are correct, of how many, and why not."""

    name: str
    status: str
    correct: int = 0
    samples: int = 0
    reason: str = ""


def row_of(name: str, verdicts: Sequence[tuple[str, Verdict]]) -> Row:
    """The row of an op whose samples, by their sources, have these verdicts."""
    if not verdicts:
        return Row(name, NO_SAMPLE)
    correct = sum(verdict.status is Status.CORRECT for _, verdict in verdicts)
    for status in (*FAULTS, Status.REFUSED):
        for source, verdict in verdicts:
            if verdict.status is status:
                text = " ".join(verdict.reason.split()).removeprefix("error: ").removeprefix("model: ")
                reason = f"{source}: {text}"
                reason = reason if len(reason) <= _REASON else f"{reason[: _REASON - 1]}…"
                return Row(name, status.value, correct, len(verdicts), reason)
    return Row(name, Status.CORRECT.value, correct, len(verdicts))


def read(path: Path = RESULTS) -> dict[str, Row]:
    """The rows that are stored, by op."""
    rows = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, status, correct, samples, reason = line.split("\t")
        rows[name] = Row(name, status, int(correct), int(samples), reason)
    return rows


def write(rows: Mapping[str, Row], path: Path = RESULTS) -> None:
    """Stores rows in the order of names."""
    lines = [
        f"{row.name}\t{row.status}\t{row.correct}\t{row.samples}\t{row.reason}\n" for _, row in sorted(rows.items())
    ]
    save(path, "".join(lines).encode())
