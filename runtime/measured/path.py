"""The critical path of a run: which movement each one started after, back from the one that ended last.

A movement starts when its engine is free and all that it waits for has ended, so what came last of these is
why it did not start earlier. The path back from the last movement of a run has no gap: its movements tell what the time
of the run was spent on, and a run gets shorter only if one of them does.
"""

from __future__ import annotations

import numpy as np

from tfmbs.runtime.abi.movement.machine import EngineKind
from tfmbs.runtime.measured.spans import Shares, Times
from tfmbs.runtime.timing import Timing

EXTERNAL = "external"
CLASSES = (*(kind.name.lower() for kind in EngineKind), EXTERNAL)
"""What a movement of the path does: its engine works, or its DMA engine waits for external memory."""


def predecessors(timing: Timing) -> Times:
    """By movement, the one whose end was its start, or that freed its engine then; -1 for those that start with the
    run."""
    if not len(timing.start):
        return timing.start
    order = np.lexsort((timing.end, timing.start, timing.column("engine")))
    engines = timing.column("engine")[order]
    before = np.full(len(order), -1, np.int64)
    is_same = engines[1:] == engines[:-1]
    before[order[1:][is_same]] = order[:-1][is_same]
    released = np.where(timing.cause < 0, 0, timing.end[timing.cause])
    free = np.where(before < 0, -1, (timing.end - timing.column("lag_ps"))[before])
    by_cause = (released == timing.start) & (free < timing.start)
    result: Times = np.where(timing.start == 0, -1, np.where(by_cause, timing.cause, before))
    return result


def critical_path(timing: Timing, before: Times) -> Times:
    """The movements of the path in the order of time; `before` are `predecessors`."""
    if not len(before):
        return before
    found, back = [int(timing.end.argmax())], before.tolist()
    while back[found[-1]] >= 0:
        found.append(back[found[-1]])
    return np.array(found[::-1], np.int64)


def on_external(timing: Timing, movements: Times) -> Times:
    """Picoseconds at the end of each movement in which its DMA engine only waits for external memory."""
    kinds = np.array([engine.kind for engine in timing.program.machine.engines])
    longer = timing.end[movements] - timing.start[movements] - timing.column("busy_ps")[movements]
    is_dma = kinds[timing.column("engine")[movements]] == EngineKind.DMA
    result: Times = np.where(is_dma, longer, 0)
    return result


def stops(timing: Timing, path: Times) -> Times:
    """When each movement of the path made the next one start; the last one's end."""
    result: Times = np.append(timing.start[path[1:]], timing.end[path[-1:]])
    return result


def shares(timing: Timing, path: Times, launches: int) -> Shares:
    """The run as pieces, each belonging to the launch whose movement is on the path then."""
    return Shares(stops(timing, path), timing.column("launch")[path], launches)


def by_class(timing: Timing, path: Times, shared: Shares) -> dict[str, Times]:
    """By class and launch, picoseconds of the path; they sum to the run."""
    kinds = np.array([engine.kind for engine in timing.program.machine.engines])[timing.column("engine")[path]]
    external = on_external(timing, path)
    own = stops(timing, path) - timing.start[path] - external
    result = {kind.name.lower(): shared.added(np.where(kinds == kind, own, 0)) for kind in EngineKind}
    result[EXTERNAL] = shared.added(external)
    return result
