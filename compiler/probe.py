"""Runs foreign passes in a forked probe first: one that crashes or hangs is an error here, not the end of the process.

The probe shares the parent's memory copy-on-write, so nothing is serialized and it costs about 10 ms. It runs the
pipeline pass by pass and reports each before it starts: the parent follows, always one that the probe survived, so that
both work at once. A fork has one thread, so MLIR's thread pool must be off meanwhile.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TypeVar

from tfmbs.compiler.processes import Child, Limits, ended
from tfmbs.runtime.abi.errors import TfmbsError

Step = TypeVar("Step")

LIMIT_SECONDS = 300.0
_STARTED, _RAISED = b".", b"!"
_STDERR_BYTES = 2000


def probe(run: Callable[[Step], None], steps: Sequence[Step], limit_seconds: float = LIMIT_SECONDS) -> Step | None:
    """Calls `run` with each of `steps`, which print as their names, in a forked process, whose effects are lost.

    An exception ends the probe without complaint, since the caller meets it when it does the same; the step that raised
    it is returned. Raises TfmbsError as `survived`.
    """
    raised: list[Step | None] = []

    def collect() -> Iterator[Step]:
        raised.append((yield from survived(run, steps, limit_seconds)))

    for _ in collect():
        pass
    return raised[0]


def survived(
    run: Callable[[Step], None], steps: Sequence[Step], limit_seconds: float = LIMIT_SECONDS
) -> Generator[Step, None, Step | None]:
    """As `probe`, but gives each step as soon as the probe is over it; all of them, also where one raised an exception.

    Raises:
        TfmbsError: ``pass.crash``, a signal ended the probe; ``resource-limit``, a step took more than `limit_seconds`.
    """
    with tempfile.TemporaryFile() as output:
        child = Child(_marking(run, steps), Limits(limit_seconds, renews=True), output.fileno())
        given = 0
        try:
            while not list(ended([child])):
                while given < child.received.count(_STARTED) - 1:
                    start = time.monotonic()
                    yield steps[given]
                    given += 1
                    child.allow(time.monotonic() - start)
        finally:
            end = child.end()
        output.seek(0)
        said = output.read(_STDERR_BYTES).decode(errors="replace").strip()
    step = steps[max(child.received.count(_STARTED), 1) - 1]
    if not end.in_time:
        raise TfmbsError("resource-limit", step, f"did not finish within {limit_seconds:g} s")
    if end.signal:
        raise TfmbsError("pass.crash", step, f"crashed with {end.signal}", details=said)
    yield from steps[given:]
    return step if child.received.endswith(_RAISED) else None


def _marking(run: Callable[[Step], None], steps: Sequence[Step]) -> Callable[[int], None]:
    """Runs the steps, with a mark in a pipe before each, and one behind the last if it raised."""

    def act(writer: int) -> None:
        try:
            for step in steps:
                os.write(writer, _STARTED)
                run(step)
        except BaseException:
            os.write(writer, _RAISED)

    return act
