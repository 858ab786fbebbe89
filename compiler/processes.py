"""Forked processes with limits: what crashes, hangs or takes too much memory does not end the process of the caller.

A fork shares its parent's memory copy-on-write, so that nothing is sent to it and it starts in about 10 ms. It has one
thread: what waits for others of the parent's threads would wait for ever.
"""

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
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, NoReturn, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Limits:
    """What a process may take: `seconds` from its start, bytes of address space (None: any).

    Where a process `renews`, its seconds begin again with all that it writes.
    """

    seconds: float
    memory: int | None = None
    renews: bool = False


@dataclass(frozen=True)
class End:
    """How a process ended: by which signal ("": none), its processor seconds, whether within its seconds."""

    signal: str
    processor: float
    in_time: bool


class Child:
    """A process that calls `act` with the descriptor of a pipe, and ends. What it prints goes to the file `output`.

    `received` is what it wrote to the pipe so far.
    """

    def __init__(self, act: Callable[[int], None], limits: Limits, output: int | None = None) -> None:
        self.received = b""
        self._limits = limits
        self.pipe, writer = os.pipe()
        with warnings.catch_warnings():
            # CPython >= 3.12 warns of a fork beside other threads; the child uses nothing that they may hold.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._pid = os.fork()
        if self._pid == 0:
            os.close(self.pipe)
            _be_child(act, writer, limits, output)
        os.close(writer)
        self._deadline = time.monotonic() + limits.seconds

    def has_ended(self, readable: bool) -> bool:
        """Takes what the process wrote, if its pipe is `readable`; whether it has ended, or is over its time."""
        if readable:
            data = os.read(self.pipe, 1 << 16)
            self.received += data
            if data and self._limits.renews:
                self._deadline = time.monotonic() + self._limits.seconds
            return not data
        # The end of the pipe alone would not do: a child forked by another thread may hold it open for longer.
        exited = os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return exited is not None or time.monotonic() > self._deadline

    def allow(self, seconds: float) -> None:
        """More time, for what the caller did instead of listening."""
        self._deadline += seconds

    def end(self) -> End:
        """Ends the process with all that it started, if it has not ended by itself."""
        in_time = time.monotonic() <= self._deadline
        try:
            os.killpg(self._pid, signal.SIGKILL)
        except ProcessLookupError:  # it had no time yet to have a group of its own
            os.kill(self._pid, signal.SIGKILL)  # one that ended keeps its status
        _, status, usage = os.wait4(self._pid, 0)
        self._take_rest()
        ended_by = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) and in_time else ""
        return End(ended_by, usage.ru_utime + usage.ru_stime, in_time)

    def _take_rest(self) -> None:
        """What the process wrote after it was last seen to; the end of the pipe is not waited for."""
        os.set_blocking(self.pipe, False)
        with suppress(BlockingIOError):
            while data := os.read(self.pipe, 1 << 16):
                self.received += data
        os.close(self.pipe)


def _be_child(act: Callable[[int], None], writer: int, limits: Limits, output: int | None) -> NoReturn:
    try:
        faulthandler.disable()
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if limits.memory is not None:
            resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
        output = os.open(os.devnull, os.O_WRONLY) if output is None else output
        os.dup2(output, 1)
        os.dup2(output, 2)
        act(writer)
    finally:
        os._exit(0)


def ended(children: Collection[Child]) -> Iterator[Child]:
    """Waits a moment for `children`; those that have ended, or are over their time."""
    ready, _, _ = select.select([child.pipe for child in children], [], [], _POLL_SECONDS)
    for child in children:
        if child.has_ended(child.pipe in ready):
            yield child


@dataclass(frozen=True)
class Answer(Generic[Result]):
    """What came of a call in a process of its own: its result, None where it gave none, and how the process ended."""

    result: Result | None
    end: End

    @property
    def failure(self) -> str:
        """Why there is no result, in words."""
        if not self.end.in_time:
            return "did not finish in time"
        return f"crashed with {self.end.signal}" if self.end.signal else "ended without an answer"


def call_all(run: Callable[[Item], Result], items: Sequence[Item], jobs: int, limits: Limits) -> list[Answer[Result]]:
    """`run` of each item, in their order; at most `jobs` processes at once.

    Raises:
        RuntimeError: `run` raised something, which it is not to do: the traceback from its process.
    """
    answers: dict[int, Answer[Result]] = {}
    waiting, running = list(enumerate(items))[::-1], dict[Child, int]()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                index, item = waiting.pop()
                running[Child(_sending(run, item), limits)] = index
            for child in list(ended(running)):
                index = running.pop(child)
                answers[index] = _answer(child)
    finally:
        for child in running:
            child.end()
    return [answers[index] for index in range(len(items))]


def call_apart(act: Callable[[], Result], limits: Limits) -> Answer[Result]:
    """`act` in a process of its own. Raises RuntimeError as `call_all`."""
    (answer,) = call_all(lambda _: act(), [None], 1, limits)
    return answer


def _sending(run: Callable[[Item], Result], item: Item) -> Callable[[int], None]:
    def act(writer: int) -> None:
        try:
            message: tuple[bool, object] = (True, run(item))
        except BaseException:
            message = (False, traceback.format_exc())
        # The end of the process closes the pipe, which says that it has ended.
        with os.fdopen(writer, "wb", closefd=False) as pipe:
            pickle.dump(message, pipe)

    return act


def _answer(child: Child) -> Answer[Result]:
    end = child.end()
    if end.signal or not end.in_time:
        return Answer(None, end)
    try:
        returned, value = pickle.loads(child.received)  # written by our own process
    except (EOFError, pickle.UnpicklingError):  # which left in the middle of it
        return Answer(None, end)
    if not returned:
        raise RuntimeError(value)
    return Answer(value, end)
