"""How many threads a context has: what the caller says, else `TFMBS_NUM_THREADS`, else all processors."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from tfmbs.runtime.abi.errors import TfmbsError

VARIABLE = "TFMBS_NUM_THREADS"
"""Environment variable with the number of threads of contexts that are made without one. Empty: not set."""

MAX_THREADS = 256
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def checked_threads(threads: object) -> int:
    """A number of threads as it is given, or `default_threads()` for None. Raises TfmbsError `usage`."""
    if threads is None:
        return default_threads()
    if not isinstance(threads, int | np.integer) or threads not in range(1, MAX_THREADS + 1):
        raise TfmbsError("usage", "threads", "number of threads", f"1…{MAX_THREADS}", threads)
    return int(threads)


def default_threads() -> int:
    """What `TFMBS_NUM_THREADS` says, else `available_processors()`. Raises TfmbsError `usage` for another value."""
    text = os.environ.get(VARIABLE, "")
    if not text:
        return min(available_processors(), MAX_THREADS)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_THREADS):
        raise TfmbsError("usage", VARIABLE, "number of threads", f"1…{MAX_THREADS}", repr(text))
    return int(text)


def available_processors() -> int:
    """Processors that this process may use at the same time: by its affinity, and by the quota of its control group."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        count = os.cpu_count() or 1
    return max(1, min(count, _quota(count)))


def _quota(most: int) -> int:
    try:
        quota, period = _QUOTA.read_text().split()
    except (OSError, ValueError):  # no control group, or none of this form
        return most
    return most if quota == "max" else -(-int(quota) // int(period))
