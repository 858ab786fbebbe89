"""Buffers that a program writes, as its persistent state, which is zero at first whatever the buffer holds.

A buffer that holds anything else at first has a second state beside it, ``NAME.started``: while that is 0, the buffer's
own elements are read, which are a constant of the program; each run sets it to 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

_ATEN = torch.ops.aten


@dataclass(frozen=True)
class State:
    """A mutated buffer: the placeholder of its old content, the node of the new one, and what it holds at first."""

    before: Any
    after: Any
    initial: torch.Tensor


def begin_states(graph: Any, states: Mapping[str, State], names: dict[int, str]) -> list[str]:
    """Puts the placeholders of states first in `graph`; the names of all states, in order.

    The output node returns their new contents before everything else. `names` gets those of constants that are added.
    """
    (output,) = (node for node in graph.nodes if node.op == "output")
    befores, afters, order = [], [], []
    for name, state in states.items():
        befores.append(state.before)
        afters.append(state.after)
        order.append(name)
        if bool((state.initial != 0).any()):
            names[id(state.initial)] = f"{name}.initial"
            started, one = _choose_initial(graph, state)
            befores.append(started)
            afters.append(one)
            order.append(f"{name}.started")
    first = next(iter(graph.nodes))
    for node in reversed(befores):
        if node is not first:
            first.prepend(node)
            first = node
    output.args = ((*afters, *output.args[0]),)
    return order


def _choose_initial(graph: Any, state: State) -> tuple[Any, Any]:
    """Lets the graph read the initial elements until it has run once; the flag's placeholder and its new content."""
    value = state.before.meta["val"]
    users = list(state.before.users)
    with graph.inserting_before(state.before):
        started = graph.placeholder(f"{state.before.name}_started")
        started.meta = {"val": value.new_empty((1,), dtype=torch.int32)}
    first = next(node for node in graph.nodes if node.op != "placeholder")
    with graph.inserting_before(first):
        flag = graph.call_function(_ATEN.ne.Scalar, (started, 0))
        flag.meta = {"val": value.new_empty((1,), dtype=torch.bool)}
        chosen = graph.call_function(_ATEN.where.self, (flag, state.before, state.initial))
        chosen.meta = {"val": value}
        one = graph.call_function(_ATEN.full_like.default, (started, 1))
        one.meta = {"val": started.meta["val"]}
    for user in users:
        user.replace_input_with(state.before, chosen)
    return started, one
