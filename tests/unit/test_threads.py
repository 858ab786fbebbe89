"""Threads: their number by default, results that do not depend on it, failures, and contexts side by side."""

from __future__ import annotations

import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conformance.builder import END, Builder, c, d, s
from tfmbs.runtime import threads
from tfmbs.runtime.abi import processors
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.program import Program

F32 = DType.F32
RNG = np.random.default_rng(11)
ROWS, K, COLUMNS = 3, 96, 2000


def chain() -> Image:
    """Products that are large enough for several threads and in several parts, with a vector program between them."""
    builder = Builder()
    x, wide = builder.input("x", (ROWS, K), F32), builder.scratch((ROWS, COLUMNS), F32)
    out = builder.output("y", (ROWS, 700), F32)
    builder.gemm(x, builder.constant(weights(COLUMNS, K)), wide, m=ROWS, n=COLUMNS, k=K)
    words = [
        {**s("LI", reg=1, imm=1), **c("SETVL", imm=500)},
        s("LD", F32, reg=1, win=0, base=0, index=1),
        d("ADD", F32, vd=1, va=1, vb=1),
        {**s("ST", F32, reg=1, win=0, base=0, index=1), **END},
    ]
    builder.vector(words, [wide])
    builder.gemm(wide, builder.constant(weights(700, COLUMNS)), out, m=ROWS, n=700, k=COLUMNS)
    return builder.image()


def weights(rows: int, columns: int) -> np.ndarray:
    return RNG.integers(-2, 3, (rows, columns)).astype(np.float32)


def given(seed: int) -> dict[str, Any]:
    return {"x": np.random.default_rng(seed).integers(-4, 5, (ROWS, K)).astype(np.float32)}


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    program = Program(chain())
    expected = [program.context(threads=1).run(given(seed))["y"].tobytes() for seed in range(8)]
    for count in (2, 3, 7):
        context = program.context(threads=count)
        assert [context.run(given(seed))["y"].tobytes() for seed in range(8)] == expected


def test_contexts_of_a_program_run_side_by_side() -> None:
    program = Program(chain())
    expected = [program.context(threads=1).run(given(seed))["y"].tobytes() for seed in range(4)]

    def use(seed: int) -> list[bytes]:
        context = program.context(threads=2)
        return [context.run(given(seed))["y"].tobytes() for _ in range(40)]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(use, range(4))) == [[one] * 40 for one in expected]


def failing() -> Image:
    """A product whose epilogue reads beyond its window: at the end of the first half of its columns, and behind it."""
    builder = Builder()
    x, out = builder.input("x", (1, 1000), F32), builder.output("y", (1, COLUMNS), F32)
    bias = builder.constant(np.ones(900, np.float32))
    words = [s("LD", F32, reg=1, win=0, base=2, index=3), {**d("ADD", F32, vd=0, va=0, vb=1), **END}]
    builder.gemm(
        x, builder.constant(weights(COLUMNS, 1000)), out, epilogue=builder.epilogue(words, 1), args=[bias],
        m=1, n=COLUMNS, k=1000,
    )  # fmt: skip
    return builder.image()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_first_failure_is_reported_whatever_thread_meets_it(count: int) -> None:
    context, said = Program(failing()).context(threads=count), set()
    for _ in range(100):
        with pytest.raises(TfmbsError) as caught:
            context.run({"x": np.ones((1, 1000), np.float32)})
        said.add(str(caught.value))
    assert len(said) == 1
    first, last = map(int, re.findall(r"elements (\d+) to (\d+) of window 0, which has 900", said.pop())[0])
    assert first <= 900 <= last


def test_the_default_is_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(threads.VARIABLE, "3")
    assert threads.default_threads() == threads.checked_threads(None) == 3
    assert threads.checked_threads(2) == 2
    context = Program(chain()).context()
    before = threads_of_this_process()
    context.run(given(0))
    assert len(threads_of_this_process() - before) == 2


def threads_of_this_process() -> set[str]:
    """Threads of this process, those of native code among them. One that was joined may be listed for a moment."""
    tasks = Path("/proc/self/task")
    if not tasks.exists():
        pytest.skip("threads cannot be counted on this system")
    return {task.name for task in tasks.iterdir()}


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "257", " 2", "²", "1e2"])
def test_another_value_of_the_environment_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(threads.VARIABLE, text)
    with pytest.raises(TfmbsError) as caught:
        Program(chain()).context()
    assert str(caught.value) == f"error: TFMBS_NUM_THREADS: number of threads, expected 1…256, got {text!r}"
    assert caught.value.code == "usage"
    Program(chain()).context(threads=1).run(given(0))


@pytest.mark.parametrize(("quota", "expected"), [("max 100000", 8), ("150000 100000", 2), ("1000 100000", 1), ("", 8)])
def test_without_it_processors_are_counted(
    quota: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(processors, "_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setenv(threads.VARIABLE, "")
    assert threads.default_threads() == expected


def test_threads_end_with_their_context() -> None:
    context = Program(chain()).context(threads=4)
    before = threads_of_this_process()
    context.run(given(0))
    own = threads_of_this_process() - before
    assert len(own) == 3
    del context
    deadline = time.monotonic() + 10
    while own & threads_of_this_process():
        assert time.monotonic() < deadline, "threads outlive their context"
        time.sleep(0.001)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no sets of processors")
def test_threads_that_have_one_processor_together() -> None:
    """However they wait for each other there, what they compute is the same."""
    everywhere = os.sched_getaffinity(0)
    program = Program(chain())
    expected = program.context(threads=1).run(given(0))
    os.sched_setaffinity(0, {min(everywhere)})
    try:
        context = program.context(threads=3)
        for _ in range(50):
            outputs = context.run(given(0))
            assert all(outputs[name].tobytes() == value.tobytes() for name, value in expected.items())
    finally:
        os.sched_setaffinity(0, everywhere)
