"""Overlap classes: what a machine does at the same time, of loads, stores and execution."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tfmbs.runtime.abi.movement.fields import Op
from tfmbs.runtime.measured.spans import Shares, Spans, Times
from tfmbs.runtime.timing import Timing

PARTS = ("load", "store", "execute")
OVERLAPS = ("idle", *("_".join(p for i, p in enumerate(PARTS) if number >> i & 1) for number in range(1, 8)))
"""Classes: `load` is any engine that moves data towards the array, `store` one that moves results back, `execute` an
array or a vector engine."""


def overlap(timing: Timing, shared: Shares) -> dict[str, Times]:
    """By class and launch, picoseconds; they sum to the run."""
    is_transfer = np.isin(timing.column("op"), (Op.COPY, Op.GATHER))
    outbound = timing.column("queue") % 2 == 1
    spans = [_spans(timing, which) for which in (is_transfer & ~outbound, is_transfer & outbound, ~is_transfer)]
    edges = np.unique(np.concatenate([[0], shared.ends, *(edge for s in spans for edge in (s.start, s.end))]))
    starts, lengths = edges[:-1], np.diff(edges)
    state = sum((one.covers(starts).astype(np.int64) << i for i, one in enumerate(spans)), np.zeros_like(starts))
    owners = np.searchsorted(shared.ends, starts, side="right")
    pieces = Shares(shared.ends, shared.owners[owners], shared.launches)
    return {name: pieces.added(np.where(state == number, lengths, 0)) for number, name in enumerate(OVERLAPS)}


def _spans(timing: Timing, which: npt.NDArray[np.bool_]) -> Spans:
    return Spans.union(timing.start[which], timing.end[which])
