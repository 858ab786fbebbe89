"""`docs/torch-coverage.md`, from the stored rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch

from benchmarks.torch_coverage.check import Status
from benchmarks.torch_coverage.core import CALLERS
from benchmarks.torch_coverage.results import NO_SAMPLE, Row
from benchmarks.torch_coverage.samples import MOST

PAGE = Path(__file__).parents[2] / "docs" / "torch-coverage.md"

_HEAD = """# Coverage of PyTorch's core ATen ops

What of torch {version}'s core ATen ops computes correctly. `make torch-coverage` writes this page: each op is called
with the float32 samples of its OpInfo (int64 where it takes integers only; at most {most}, at even distances among
them); an op without an OpInfo with the arguments that the samples of the OpInfo named in the table lead to, forward or
backward. Each call is compiled as a module without the sample's values (its example inputs are zeros), loaded and run
on the emulator in a process that has imported neither torch nor MLIR, and compared at the tolerance of
`torch.testing.assert_close` (float32: 1.3e-6 relative, 1e-5 absolute), types and shapes included, with what torch
computes in float32 or, where that differs, in float64. Of `empty` and its like only types and shapes are compared. An
op is correct if every sample is, refused if one is refused by name and none is a fault: a wrong result, a crash, a
hang, a foreign exception, or a refusal that takes more than 10 seconds of processor time.
"""


def render(rows: Mapping[str, Row]) -> str:
    """The page of all rows."""
    tested = [row for row in rows.values() if row.status != NO_SAMPLE]
    correct = sum(row.status == Status.CORRECT for row in tested)
    refused = sum(row.status == Status.REFUSED for row in tested)
    share = 100 * correct / max(1, len(tested))
    parts = [
        _HEAD.format(version=torch.__version__.partition("+")[0], most=MOST),
        f"Of {len(tested)} core ops that an OpInfo leads to, {correct} ({share:.1f} %) are correct, {refused} refused "
        f"by name, {len(tested) - correct - refused} faulty; {sum(row.correct for row in tested):,} of "
        f"{sum(row.samples for row in tested):,} samples are correct. No OpInfo leads to a call that gives a tensor of "
        f"{', '.join(_cell(row.name) for row in rows.values() if row.status == NO_SAMPLE)}.",
        "",
        "| op | samples of | correct | not |",
        "|---|---|---|---|",
        *(_line(row) for row in tested),
    ]
    return "\n".join(parts) + "\n"


def _line(row: Row) -> str:
    source = CALLERS.get(row.name, "its own")
    why = "" if row.status == Status.CORRECT else f"{row.status}: {_cell(row.reason)}"
    return f"| {_cell(row.name)} | {_cell(source)} | {row.correct}/{row.samples} | {why} |"


def _cell(text: str) -> str:
    """Text that a cell of a table can hold."""
    return re.sub(r"([|<>*_`\\\[\]])", r"\\\1", text)
