"""Processes that crash, hang, fail or succeed, each a result of its own."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest

from tfmbs.compiler.check.workers import run_all


def act(what: str) -> object:
    if what == "abort":
        os.abort()
    if what == "hang":
        time.sleep(60)
    if what == "raise":
        raise KeyError(what)
    if what == "large":
        return np.arange(1 << 20)
    return what.upper()


@pytest.mark.parametrize("jobs", [1, 3])
def test_each_item_has_its_own_end(jobs: int) -> None:
    ended = run_all(act, ["a", "abort", "b", "hang", "large", "c"], jobs, limit_seconds=4)
    assert [e.result for e in ended[:1] + ended[2:3] + ended[5:]] == ["A", "B", "C"]
    assert (ended[1].result, ended[1].signal) == (None, "SIGABRT")
    assert (ended[3].result, ended[3].signal) == (None, "")
    assert np.array_equal(ended[4].result, np.arange(1 << 20))


def test_an_exception_is_a_bug_of_the_caller() -> None:
    with pytest.raises(RuntimeError, match="KeyError: 'raise'"):
        run_all(act, ["a", "raise", "hang"], 2, limit_seconds=4)


def test_nothing_to_do() -> None:
    assert run_all(act, [], 2, 1) == []
