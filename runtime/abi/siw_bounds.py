"""The recurrence bound of a loop: the least interval at which no cycle of dependences is longer than it allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Edge:
    """Operation `to` issues at least `cycles` after operation `source`, `ahead` iterations later."""

    source: int
    to: int
    cycles: int
    ahead: int = 0


def recurrence_bound(out: Sequence[Sequence[Edge]]) -> int:
    """The least interval, in cycles, at which no operation has to issue before itself; `out` are edges by source.

    Edges with `ahead` 0 alone must make no cycle.
    """
    bound = 1
    for component in _components(out):
        inside = set(component)
        edges = [edge for n in component for edge in out[n] if edge.to in inside]
        if edges:
            bound = max(bound, _least(component, edges, bound))
    return bound


def _least(component: list[int], edges: list[Edge], low: int) -> int:
    high = max(low, sum(edge.cycles for edge in edges))
    while low < high:
        middle = (low + high) // 2
        if _feasible(component, edges, middle):
            high = middle
        else:
            low = middle + 1
    return low


def _feasible(component: list[int], edges: list[Edge], interval: int) -> bool:
    """Whether issue times exist that satisfy the edges: whether their longest paths end (Bellman and Ford)."""
    time = dict.fromkeys(component, 0)
    for _ in range(len(component) + 1):
        changed = False
        for edge in edges:
            earliest = time[edge.source] + edge.cycles - interval * edge.ahead
            if earliest > time[edge.to]:
                time[edge.to] = earliest
                changed = True
        if not changed:
            return True
    return False


def _components(out: Sequence[Sequence[Edge]]) -> Iterator[list[int]]:
    """Strongly connected components (Tarjan), iteratively."""
    count = len(out)
    number = [-1] * count
    low = [0] * count
    on_stack = [False] * count
    stack: list[int] = []
    counter = 0
    for root in range(count):
        if number[root] >= 0:
            continue
        work = [(root, 0)]
        while work:
            n, position = work.pop()
            if position == 0:
                number[n] = low[n] = counter
                counter += 1
                stack.append(n)
                on_stack[n] = True
            edges = out[n]
            if position:
                low[n] = min(low[n], low[edges[position - 1].to])
            while position < len(edges):
                to = edges[position].to
                position += 1
                if number[to] < 0:
                    work += [(n, position), (to, 0)]
                    break
                if on_stack[to]:
                    low[n] = min(low[n], number[to])
            else:
                if low[n] == number[n]:
                    component = []
                    while True:
                        member = stack.pop()
                        on_stack[member] = False
                        component.append(member)
                        if member == n:
                            break
                    yield component
