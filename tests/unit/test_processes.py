"""Processes that crash, hang, fail, take too much or succeed, each with an answer of its own."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from tfmbs.compiler.processes import Child, Limits, call_all, call_apart, ended

LIMITS = Limits(4)


def act(what: str) -> object:
    if what == "abort":
        os.abort()
    if what == "hang":
        time.sleep(60)
    if what == "leave":
        os._exit(0)
    if what == "raise":
        raise KeyError(what)
    if what == "large":
        return np.arange(1 << 20)
    return what.upper()


@pytest.mark.parametrize("jobs", [1, 3])
def test_each_item_has_its_own_end(jobs: int) -> None:
    answers = call_all(act, ["a", "abort", "b", "hang", "large", "leave", "c"], jobs, LIMITS)
    assert [a.result for a in (*answers[:1], *answers[2:3], *answers[6:])] == ["A", "B", "C"]
    assert [a.failure for a in (answers[1], answers[3], answers[5])] == [
        "crashed with SIGABRT", "did not finish in time", "ended without an answer",
    ]  # fmt: skip
    assert answers[1].result is answers[3].result is answers[5].result is None
    assert (answers[3].end.signal, answers[3].end.in_time) == ("", False)
    assert np.array_equal(answers[4].result, np.arange(1 << 20))


def test_an_exception_is_a_bug_of_the_caller() -> None:
    with pytest.raises(RuntimeError, match="KeyError: 'raise'"):
        call_all(act, ["a", "raise", "hang"], 2, LIMITS)


def test_nothing_to_do() -> None:
    assert call_all(act, [], 2, LIMITS) == []


def test_memory_is_limited() -> None:
    limits = Limits(30, memory=8 << 30)
    assert call_apart(lambda: len(bytearray(1 << 20)), limits).result == 1 << 20
    with pytest.raises(RuntimeError, match="MemoryError"):
        call_apart(lambda: len(bytearray(1 << 33)), limits)


def test_processor_time_is_counted() -> None:
    def work() -> int:
        start = time.process_time()
        while time.process_time() < start + 0.2:
            pass
        return 1

    assert call_apart(work, LIMITS).end.processor >= 0.2
    assert call_apart(lambda: time.sleep(0.3), LIMITS).end.processor < 0.3


def test_what_a_process_started_ends_with_it() -> None:
    def start(writer: int) -> None:
        process = subprocess.Popen(["sleep", "60"])
        os.write(writer, str(process.pid).encode())
        time.sleep(60)

    child = Child(start, Limits(1.5))
    while not list(ended([child])):
        pass
    assert not child.end().in_time
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.kill(int(child.received), 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    state = Path(f"/proc/{int(child.received)}/stat").read_text(encoding="ascii")
    assert state.split()[2] == "Z"  # dead, and nobody's to wait for


def test_what_a_process_writes_gives_it_more_time() -> None:
    def beat(writer: int) -> None:
        for _ in range(6):
            os.write(writer, b".")
            time.sleep(0.3)

    for renews, in_time in ((True, True), (False, False)):
        child = Child(beat, Limits(1, renews=renews))
        while not list(ended([child])):
            pass
        assert child.end().in_time == in_time
