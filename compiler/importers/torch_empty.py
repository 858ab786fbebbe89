"""Tensors without elements: whatever computes one is replaced by an empty constant, before it is looked at."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_FULL = torch.ops.aten.full.default


def replace_empty(graph: Any) -> None:
    """Replaces the nodes of `graph` whose results are one tensor without elements, and removes what is unused then."""
    for node in list(graph.nodes):
        value = node.meta.get("val") if node.op == "call_function" else None
        if not isinstance(value, Tensor) or value.numel() or node.target is _FULL:
            continue
        with graph.inserting_before(node):
            options = {"dtype": value.dtype, "device": torch.device("cpu"), "pin_memory": False}
            empty = graph.call_function(_FULL, (list(value.shape), 0), options)
        empty.meta = dict(node.meta)
        node.replace_all_uses_with(empty)
        graph.erase_node(node)
    graph.eliminate_dead_code()
