"""What one case may take, and a forked process that ends when it takes more."""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import select
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn


@dataclass(frozen=True)
class Limits:
    """What a process may take: seconds of processor time to refuse a model, bytes of address space, seconds until it
    counts as hung."""

    refusal: float = 10.0
    memory: int = 8 << 30
    wall: float = 120.0


@dataclass(frozen=True)
class Ended:
    """How a process ended: what it answered (None: nothing), by which signal (0: none), its processor seconds."""

    answer: Any
    signal: int
    processor: float
    in_time: bool


def forked(act: Callable[[], Any], limits: Limits) -> Ended:
    """Calls `act`, which gives something that JSON can say, in a process of its own; what hangs is killed with all its
    children."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _be_child(act, writer, limits)
    os.setpgid(child, child)
    os.close(writer)
    try:
        text, in_time = read_until_end(reader, limits.wall)
    finally:
        os.close(reader)
        os.killpg(child, signal.SIGKILL)  # one that ended keeps its status
        _, status, usage = os.wait4(child, 0)
    ended_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    return Ended(json.loads(text) if text else None, ended_by, usage.ru_utime + usage.ru_stime, in_time)


def _be_child(act: Callable[[], Any], writer: int, limits: Limits) -> NoReturn:
    status = 1
    try:
        faulthandler.disable()
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        text = json.dumps(act()).encode()
        while text:
            text = text[os.write(writer, text) :]
        status = 0
    finally:
        os._exit(status)


def read_until_end(descriptor: int, seconds: float, end: bytes = b"") -> tuple[bytes, bool]:
    """Reads until the other side closes, or `end` comes; says whether that happened within `seconds`."""
    text, deadline = b"", time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([descriptor], [], [], left)[0]:
            break
        part = os.read(descriptor, 1 << 16)
        text += part
        if not part or (end and text.endswith(end)):
            return text, True
    return text, False
