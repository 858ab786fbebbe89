"""Runs a function on many items in forked processes: what crashes or hangs ends its process, and is a result too."""

from __future__ import annotations

import faulthandler
import os
import pickle
import resource
import select
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, NoReturn, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Ended(Generic[Result]):
    """How a process ended: its result, or the name of the signal that ended it, or neither where it took too long."""

    result: Result | None
    signal: str = ""


@dataclass
class _Running:
    index: int
    pid: int
    deadline: float
    received: bytes = b""


def run_all(
    run: Callable[[Item], Result], items: Sequence[Item], jobs: int, limit_seconds: float
) -> list[Ended[Result]]:
    """`run` of each item, in their order; at most `jobs` processes at once, each for at most `limit_seconds`.

    Raises:
        RuntimeError: `run` raised something, which it is not to do: the traceback from its process.
    """
    ended: dict[int, Ended[Result]] = {}
    waiting, running = list(enumerate(items))[::-1], dict[int, _Running]()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                index, item = waiting.pop()
                pipe, pid = _fork(run, item)
                running[pipe] = _Running(index, pid, time.monotonic() + limit_seconds)
            for pipe, process in list(_finished(running)):
                del running[pipe]
                ended[process.index] = _end(pipe, process)
    finally:
        for pipe, process in running.items():
            os.close(pipe)
            os.kill(process.pid, signal.SIGKILL)
            os.waitpid(process.pid, 0)
    return [ended[index] for index in range(len(items))]


def _fork(run: Callable[[Item], Result], item: Item) -> tuple[int, int]:
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside other threads, which hold nothing it needs
        pid = os.fork()
    if pid == 0:
        os.close(reader)
        _be_worker(run, item, writer)
    os.close(writer)
    return reader, pid


def _be_worker(run: Callable[[Item], Result], item: Item, writer: int) -> NoReturn:
    try:
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)  # what foreign code prints when it crashes
        try:
            message: tuple[bool, object] = (True, run(item))
        except BaseException:
            message = (False, traceback.format_exc())
        with os.fdopen(writer, "wb") as pipe:
            pickle.dump(message, pipe)
    finally:
        os._exit(0)


def _finished(running: dict[int, _Running]) -> Iterator[tuple[int, _Running]]:
    """The processes that closed their pipes or are over their time; what the others sent is kept."""
    ready, _, _ = select.select(list(running), [], [], _POLL_SECONDS)
    for pipe, process in list(running.items()):
        if pipe in ready:
            data = os.read(pipe, 1 << 16)
            process.received += data
            if not data:
                yield pipe, process
        elif time.monotonic() > process.deadline:
            yield pipe, process


def _end(pipe: int, process: _Running) -> Ended[Result]:
    os.close(pipe)
    late = time.monotonic() > process.deadline
    if late:
        os.kill(process.pid, signal.SIGKILL)
    _, status = os.waitpid(process.pid, 0)
    if os.WIFSIGNALED(status):
        return Ended(None, "" if late else signal.Signals(os.WTERMSIG(status)).name)
    returned, value = pickle.loads(process.received)  # written by our own process
    if not returned:
        raise RuntimeError(value)
    return Ended(value)
