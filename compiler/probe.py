"""Runs foreign passes in a forked probe first: one that crashes or hangs is an error here, not the end of the process.

The probe shares the parent's memory copy-on-write, so nothing is serialized and it costs about 10 ms. It runs the
pipeline pass by pass, reports each before it starts, and ends; only then the parent runs the pipeline itself. A fork
has one thread, so MLIR's thread pool must be off meanwhile.
"""

from __future__ import annotations

import faulthandler
import os
import resource
import select
import signal
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from tfmbs.runtime.abi.errors import TfmbsError

Step = TypeVar("Step")

LIMIT_SECONDS = 300.0
_STARTED, _RAISED = b".", b"!"
_POLL_SECONDS = 0.2
_STDERR_BYTES = 2000


@dataclass(frozen=True)
class _Outcome:
    """How a probe ended: what it wrote, whether it did in time, and the signal that ended it (0: none)."""

    marks: bytes
    in_time: bool
    signal: int


def probe(run: Callable[[Step], None], steps: Sequence[Step], limit_seconds: float = LIMIT_SECONDS) -> Step | None:
    """Calls `run` with each of `steps`, which print as their names, in a forked process, whose effects are lost.

    An exception ends the probe without complaint, since the caller meets it when it does the same; the step that raised
    it is returned.

    Raises:
        TfmbsError: ``pass.crash``, a signal ended the probe; ``resource-limit``, a step took more than `limit_seconds`.
    """
    with tempfile.TemporaryFile() as output:
        outcome = _fork(run, steps, limit_seconds, output.fileno())
        output.seek(0)
        said = output.read(_STDERR_BYTES).decode(errors="replace").strip()
    step = steps[max(outcome.marks.count(_STARTED), 1) - 1]
    if not outcome.in_time:
        raise TfmbsError("resource-limit", step, f"did not finish within {limit_seconds:g} s")
    if outcome.signal:
        name = signal.Signals(outcome.signal).name
        raise TfmbsError("pass.crash", step, f"crashed with {name}", details=said)
    return step if outcome.marks.endswith(_RAISED) else None


def _fork(run: Callable[[Step], None], steps: Sequence[Step], limit_seconds: float, output: int) -> _Outcome:
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        # CPython >= 3.12 warns of a fork beside other threads; the probe uses nothing that they may hold.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _be_probe(run, steps, writer, output)
    os.close(writer)
    try:
        marks, in_time = _read_until_end(reader, child, limit_seconds)
    finally:
        os.close(reader)
        os.kill(child, signal.SIGKILL)  # ends one that hangs; one that ended keeps its status
        _, status = os.waitpid(child, 0)
    return _Outcome(marks, in_time, os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0)


def _be_probe(run: Callable[[Step], None], steps: Sequence[Step], writer: int, output: int) -> NoReturn:
    try:
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.dup2(output, 1)
        os.dup2(output, 2)
        for step in steps:
            os.write(writer, _STARTED)
            run(step)
    except BaseException:
        os.write(writer, _RAISED)
    finally:
        os._exit(0)


def _read_until_end(reader: int, child: int, limit_seconds: float) -> tuple[bytes, bool]:
    """What the probe writes until it ends, and whether each step took at most `limit_seconds`.

    The end of the pipe alone would not do: a probe forked by another thread may hold it open for longer.
    """
    marks, deadline = b"", time.monotonic() + limit_seconds
    while (left := deadline - time.monotonic()) > 0:
        ready, _, _ = select.select([reader], [], [], min(left, _POLL_SECONDS))
        written = os.read(reader, 4096) if ready else b""
        marks += written
        if written:
            deadline = time.monotonic() + limit_seconds
        elif ready or os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return marks, True
    return marks, False
