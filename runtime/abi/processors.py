"""How many processors this process may use, and work that is spread over them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_MOST_READERS = 8
_SMALL = 1 << 22


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


def run_side_by_side(jobs: Sequence[Callable[[], None]], size: int) -> None:
    """Does jobs that read `size` bytes without the interpreter's lock. Raises what the first that fails raises."""
    readers = min(available_processors(), _MOST_READERS) if size > _SMALL else 1
    if readers == 1 or len(jobs) < 2:
        for job in jobs:
            job()
        return
    with ThreadPoolExecutor(readers) as pool:
        futures = [pool.submit(job) for job in jobs]
        try:
            for future in futures:
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
