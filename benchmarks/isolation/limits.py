"""What one case may take."""

from __future__ import annotations

import os
import select
import time
from dataclasses import dataclass

from tfmbs.compiler import processes


@dataclass(frozen=True)
class Limits:
    """What a process may take: seconds of processor time to refuse a model, bytes of address space, seconds until it
    counts as hung."""

    refusal: float = 10.0
    memory: int = 8 << 30
    wall: float = 120.0

    def of_process(self) -> processes.Limits:
        """Those of a process that compiles."""
        return processes.Limits(self.wall, self.memory)


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
