"""The coverage page of core ATen says what was found, and the ops that it counts are those of torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.isolation.executor import Executor
from benchmarks.torch_coverage import results
from benchmarks.torch_coverage.campaign import LIMITS
from benchmarks.torch_coverage.check import Status, check, compared
from benchmarks.torch_coverage.core import core_ops
from benchmarks.torch_coverage.page import PAGE, render
from benchmarks.torch_coverage.results import NO_SAMPLE
from benchmarks.torch_coverage.samples import samples_of

SHARE = 0.9


def test_every_core_op_has_a_row_and_none_is_a_fault() -> None:
    rows = results.read()
    assert list(rows) == core_ops()
    tested = [row for row in rows.values() if row.status != NO_SAMPLE]
    assert {row.status for row in tested} == {Status.CORRECT.value, Status.REFUSED.value}
    assert sum(row.status == Status.CORRECT for row in tested) >= SHARE * len(tested)


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(results.read()), "run python -m benchmarks.torch_coverage"


@pytest.mark.parametrize(
    "name", ["amax", "avg_pool2d_backward", "index_put", "scatter_add", "upsample_nearest2d", "mm", "neg"]
)
def test_a_sample_of_an_op_is_correct(name: str) -> None:
    with Executor(LIMITS) as executor:
        verdict = check(name, samples_of(name)[-1].call, executor, LIMITS)
    assert verdict.status is Status.CORRECT, verdict.reason


def test_what_cannot_be_computed_is_refused() -> None:
    with Executor(LIMITS) as executor:
        for name in ("rand", "nonzero"):
            assert check(name, samples_of(name)[0].call, executor, LIMITS).status is Status.REFUSED


def test_a_wrong_result_is_seen() -> None:
    x = torch.ones(3)
    assert compared([np.ones(3, np.float32)], [x], values=True).status is Status.CORRECT
    for other in (np.full(3, 1.1, np.float32), np.ones(3), np.ones((3, 1), np.float32)):
        assert compared([other], [x], values=True).status is Status.WRONG
    assert compared([], [x], values=True).status is Status.WRONG
