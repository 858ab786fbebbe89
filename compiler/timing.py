"""Wall-clock time per pass, as a table in the layout of MLIR's ``--mlir-timing``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tfmbs.compiler.driver import Observer
from tfmbs.compiler.plan import Step

_RULE = f"==={'-' * 73}==="


@dataclass
class Timer(Observer):
    """Measures what happens inside `section` and each pass; consecutive runs of a pass (one per function) add up."""

    started: float = field(default_factory=time.perf_counter)
    _entries: list[tuple[object, str, float]] = field(default_factory=list)
    _since: float = 0.0

    @contextmanager
    def section(self, name: str) -> Iterator[None]:
        """Measures the with block under `name`."""
        since = time.perf_counter()
        try:
            yield
        finally:
            self._add(name, name, time.perf_counter() - since)

    def before(self, step: Step, op: Any) -> None:
        """Starts the clock."""
        self._since = time.perf_counter()

    def after(self, step: Step, op: Any) -> None:
        """Stops the clock."""
        self._add(step, step.name, time.perf_counter() - self._since)

    failed = after

    def _add(self, key: object, name: str, seconds: float) -> None:
        if self._entries and self._entries[-1][0] is key:
            seconds += self._entries.pop()[2]
        self._entries.append((key, name, seconds))

    def report(self) -> str:
        """The table: seconds and share of each entry, of the rest (start, guard, printing) and of all."""
        total = time.perf_counter() - self.started
        rows = [(name, seconds) for _, name, seconds in self._entries]
        rows += [("Rest", total - sum(seconds for _, seconds in rows)), ("Total", total)]
        lines = [
            _RULE,
            "... Execution time report ...".center(len(_RULE)).rstrip(),
            _RULE,
            f"  Total Execution Time: {total:.4f} seconds",
            "",
            "  ----Wall Time----  ----Name----",
            *(f"  {seconds:8.4f} ({100 * seconds / total:5.1f}%)  {name}" for name, seconds in rows),
        ]
        return "\n".join(lines) + "\n"
