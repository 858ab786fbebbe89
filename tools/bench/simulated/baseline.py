"""The baseline of simulated cycles: a small file, with the reason of each update."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.files import save

SCHEMA = 1
_PAIR = re.compile(r"\[\s+(\S+),\s+(\S+)\s+\]")
"""Cycles before and now: on one line."""

TOLERANCE = 0.05
"""Cycles may differ by so much of the baseline."""


@dataclass(frozen=True)
class Change:
    """A workload whose cycles are others than in the baseline: None where it is new, or gone."""

    name: str
    before: int | None
    now: int | None

    @property
    def share(self) -> float | None:
        """Of the baseline."""
        return None if self.before is None or self.now is None else self.now / self.before - 1

    @property
    def is_large(self) -> bool:
        """Whether it is more than the tolerance."""
        if self.before is None or self.now is None:
            return True
        return abs(self.now - self.before) > TOLERANCE * self.before

    def __str__(self) -> str:
        if self.share is None:
            return f"{self.name}: {'is not in the baseline' if self.before is None else 'is in the baseline alone'}"
        return f"{self.name}: {self.before:,} cycles before, {self.now:,} now, {100 * self.share:+.1f} %"


@dataclass(frozen=True)
class Baseline:
    """Cycles by workload, and all updates, the last one first."""

    cycles: Mapping[str, int]
    updates: tuple[Mapping[str, Any], ...]

    @classmethod
    def load(cls, path: Path) -> Baseline:
        """Of a file. Raises TfmbsError `io` where there is none, or what it holds is no baseline."""
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
            cycles, updates = value["cycles"], value["updates"]
            is_known = value["schema"] == SCHEMA and all(type(one) is int and one > 0 for one in cycles.values())
        except OSError as error:
            raise TfmbsError("io", path, "baseline cannot be read", got=error.strerror) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise TfmbsError("io", path, "no baseline of cycles", "schema, cycles and updates", error) from error
        if not is_known:
            raise TfmbsError("io", path, "no baseline of cycles", f"schema {SCHEMA} and whole cycles", "another form")
        return cls(cycles, tuple(updates))

    def changes(self, now: Mapping[str, int]) -> list[Change]:
        """What differs, in the order of the workloads."""
        names = [*now, *(name for name in self.cycles if name not in now)]
        every = [Change(name, self.cycles.get(name), now.get(name)) for name in names]
        return [one for one in every if one.before != one.now]

    def updated(self, now: Mapping[str, int], reason: str) -> Baseline:
        """The baseline of these cycles, which says why."""
        changed = {one.name: [one.before, one.now] for one in self.changes(now)}
        return Baseline(dict(now), ({"reason": reason, "changed": changed}, *self.updates))

    def save(self, path: Path) -> None:
        """Writes the file, whole or not at all. Raises TfmbsError `io`."""
        value = {"schema": SCHEMA, "cycles": dict(self.cycles), "updates": list(self.updates)}
        text = json.dumps(value, indent=1, ensure_ascii=False)
        save(path, (_PAIR.sub(r"[\1, \2]", text) + "\n").encode())
