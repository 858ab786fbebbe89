"""Interleaved rounds: whatever else the machine does meets all kernels alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Sample = Callable[[], float]
"""Runs something once and returns the seconds that count."""

Clock = Callable[[], float]

CLOCKS: dict[str, Clock] = {"wall": time.perf_counter, "cpu": time.process_time}
"""Seconds on the wall, or on processors: to the latter, other processes of a busy machine add little."""

PAUSE = 0.002
"""Seconds before each sample: threads of the kernel before it stop waiting for more work."""


@dataclass(frozen=True)
class Timing:
    """Seconds of one call: the median of all rounds but the first, and the least."""

    median: float
    best: float
    rounds: int

    def scaled(self, factor: float) -> Timing:
        """The same of a part of the call."""
        return Timing(self.median * factor, self.best * factor, self.rounds)


def repeated(call: Callable[[], object], seconds: float, clock: str = "wall", *, warm: bool = True) -> Sample:
    """A sample: the mean of as many calls as take about `seconds`, behind one that does not count where `warm`."""
    now = CLOCKS[clock]
    call()
    start = now()
    call()
    count = max(1, round(seconds / max(now() - start, 1e-7)))

    def sample() -> float:
        if warm:
            call()
        start = now()
        for _ in range(count):
            call()
        return (now() - start) / count

    return sample


def interleaved(samples: Mapping[str, Sample], rounds: int) -> dict[str, Timing]:
    """Each of `samples` once in every round; the first round of `rounds` + 1 is dropped."""
    found: dict[str, list[float]] = {name: [] for name in samples}
    for number in range(rounds + 1):
        for name, sample in samples.items():
            time.sleep(PAUSE)
            seconds = sample()
            if number:
                found[name].append(seconds)
    return {name: Timing(statistics.median(all_), min(all_), rounds) for name, all_ in found.items()}
