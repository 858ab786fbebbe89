"""The static check that a movement program cannot stop: queues and waits have no cycle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfmbs.runtime.abi.movement.fields import MOVEMENT_FIELDS
from tfmbs.runtime.abi.movement.program import Program

_QUEUE, _COUNT = (MOVEMENT_FIELDS.index(name) for name in ("queue", "wait_count"))


def cycle(program: Program, waits: Sequence[Sequence[int]] | None = None) -> list[int] | None:
    """Movements each of which starts only after the next one's end, the last only after the first's; None without.

    Without a cycle every movement starts: it waits for nothing but movements and its engine, and one that has an engine
    ends. `waits` are, by movement, other ones than those of the program.
    """
    movements = program.movements
    if waits is None:
        waiting = np.repeat(np.arange(len(movements)), movements[:, _COUNT])
        if (program.waits < waiting).all():  # then the program's own order is one that everything allows
            return None
        waits = program.waits_of_each()
    before: list[list[int]] = []
    last: dict[int, int] = {}
    for number, queue in enumerate(movements[:, _QUEUE].tolist()):
        before.append([*waits[number], *([last[queue]] if queue in last else [])])
        last[queue] = number
    return _cycle(before)


def _cycle(before: Sequence[Sequence[int]]) -> list[int] | None:
    """A depth-first search for a cycle in what comes before what."""
    done: set[int] = set()
    for start in range(len(before)):
        if start in done:
            continue
        path, on_path, edges = [start], {start}, [iter(before[start])]
        while path:
            following = next(edges[-1], None)
            if following is None:
                done.add(path[-1])
                on_path.discard(path.pop())
                edges.pop()
            elif following in on_path:
                return path[path.index(following) :]
            elif following not in done:
                path.append(following)
                on_path.add(following)
                edges.append(iter(before[following]))
    return None
