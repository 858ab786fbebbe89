"""Lower bounds of the initiation interval of a loop: the fullest slot, and the longest cycle of dependences."""

from __future__ import annotations

from collections.abc import Iterator

from tfmbs.passes.siw.schedule_graph import Edge, Graph


def resource_bound(graph: Graph) -> int:
    """Cycles that the operations of the fullest slot keep it busy."""
    load = dict.fromkeys("DSC", 0)
    for instr, busy in zip(graph.instrs, graph.busy, strict=True):
        load[instr.op.slot] += busy
    return max(1, *load.values())


def recurrence_bound(graph: Graph) -> int:
    """The least interval at which no cycle of edges asks an operation to issue before itself."""
    bound = 1
    for component in _components(graph):
        inside = set(component)
        edges = [edge for n in component for edge in graph.out[n] if edge.to in inside]
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


def _components(graph: Graph) -> Iterator[list[int]]:
    """Strongly connected components (Tarjan), iteratively."""
    count = len(graph.instrs)
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
            edges = graph.out[n]
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
