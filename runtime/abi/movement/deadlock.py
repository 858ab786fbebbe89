"""The static check that a movement program cannot stop: queues and waits have no cycle."""

from __future__ import annotations

from collections.abc import Sequence

from tfmbs.runtime.abi.movement.order import waits_of
from tfmbs.runtime.abi.movement.program import MOVEMENT_FIELDS, Program

_QUEUE = MOVEMENT_FIELDS.index("queue")


def cycle(program: Program, waits: Sequence[Sequence[int]] | None = None) -> list[int] | None:
    """Movements each of which starts only after the next one's end, the last only after the first's; None without.

    Without a cycle every movement starts: it waits for nothing but movements and its engine, and one that has an engine
    ends.
    """
    own = waits_of(program) if waits is None else waits
    before: list[list[int]] = []
    last: dict[int, int] = {}
    for number, row in enumerate(program.movements):
        queue = row[_QUEUE]
        before.append([*own[number], *([last[queue]] if queue in last else [])])
        last[queue] = number
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
