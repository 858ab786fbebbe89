"""How many threads a context has: what the caller says, else `TFMBS_NUM_THREADS`, else all processors."""

from __future__ import annotations

import os

import numpy as np

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.processors import available_processors

VARIABLE = "TFMBS_NUM_THREADS"
"""Environment variable with the number of threads of contexts that are made without one. Empty: not set."""

MAX_THREADS = 256


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
