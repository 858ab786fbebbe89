"""What arrays and vector engines did with their time, and what each bubble was waiting for.

A bubble ends when the movement that was waited for last ends. While that one ran, its engine is what was waited for;
before that, what it waited for itself, and so on back to the start of the bubble. Where that way leads through a token,
to what an earlier launch stored, all before it is a wait at a barrier.
"""

from __future__ import annotations

import numpy as np

from tfmbs.runtime.abi.movement.fields import PART_FIELDS, Level, Memory
from tfmbs.runtime.measured.path import CLASSES, on_external
from tfmbs.runtime.measured.spans import Spans, Times
from tfmbs.runtime.timing import Timing

BARRIER = "barrier"
WAITS = (*CLASSES, BARRIER)
BUSY, IDLE = "busy", "idle"


class Bubbles:
    """Finds what bubbles of engines were waiting for; `before` are `path.predecessors`."""

    def __init__(self, timing: Timing, before: Times) -> None:
        self._timing = timing
        self._start, self._end = timing.start.tolist(), timing.end.tolist()
        self._before, self._cause = before.tolist(), timing.cause.tolist()
        self._kinds = timing.column("engine").tolist()
        self._names = [engine.kind.name.lower() for engine in timing.program.machine.engines]
        self._external = on_external(timing, np.arange(len(before))).tolist()
        self._is_token = _behind_tokens(timing).tolist()

    def engine(self, engine: int) -> dict[str, Spans]:
        """How an engine spent the run: busy, waiting by class, idle behind its last movement."""
        timing = self._timing
        own = np.flatnonzero(timing.column("engine") == engine)
        own = own[np.argsort(timing.start[own], kind="stable")]
        found: dict[str, list[tuple[int, int]]] = {name: [] for name in WAITS}
        for number in own[timing.ready[own] < timing.start[own]].tolist():
            self._bubble(number, int(timing.ready[number]), found)
        last = int(timing.end[own].max()) if len(own) else 0
        return {
            BUSY: Spans(timing.start[own], timing.until[own]),
            **{f"waiting_{name}": Spans.of(sorted(found[name])) for name in WAITS},
            IDLE: Spans.of([(last, timing.total_ps)]),
        }

    def _bubble(self, number: int, low: int, found: dict[str, list[tuple[int, int]]]) -> None:
        high = self._start[number]
        while high > low:
            one = self._before[number]
            if self._is_token[number] and one == self._cause[number]:
                found[BARRIER].append((low, high))
                return
            start = max(low, self._start[one])
            middle = max(start, high - self._external[one])
            found["external"].append((middle, high))
            found[self._names[self._kinds[one]]].append((start, middle))
            number, high = one, start


def _behind_tokens(timing: Timing) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which movements access external memory that an earlier launch wrote, and waited for a store of one last."""
    source, target, launch = (timing.column(name) for name in ("source", "target", "launch"))
    moves = timing.column("bytes") > 0
    is_store = moves & ((target == Level.EXTERNAL) | (source == Level.EXTERNAL) & (target == Level.L1))
    first = timing.column("part_first")
    parts = timing.tables.parts
    memory = np.full(len(first), -1, np.int64)
    has_parts = timing.column("part_count") > 0
    memory[has_parts] = parts[first[has_parts], PART_FIELDS.index("source")]
    is_access = moves & ((source == Level.EXTERNAL) & (memory != Memory.WEIGHTS) | (target == Level.EXTERNAL))
    cause = timing.cause
    result: np.ndarray[tuple[int], np.dtype[np.bool_]] = (
        is_access & (cause >= 0) & is_store[cause] & (launch[cause] < launch)
    )
    return result
