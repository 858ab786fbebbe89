"""Lower bounds of the initiation interval of a loop: the fullest slot, and the longest cycle of dependences."""

from __future__ import annotations

from tfmbs.passes.siw.schedule_graph import Graph
from tfmbs.runtime.abi import siw_bounds


def resource_bound(graph: Graph) -> int:
    """Cycles that the operations of the fullest slot keep it busy."""
    load = dict.fromkeys("DSC", 0)
    for instr, busy in zip(graph.instrs, graph.busy, strict=True):
        load[instr.op.slot] += busy
    return max(1, *load.values())


def recurrence_bound(graph: Graph) -> int:
    """The least interval at which no cycle of edges asks an operation to issue before itself."""
    return siw_bounds.recurrence_bound(graph.out)
