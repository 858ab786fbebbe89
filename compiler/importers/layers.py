"""How values of a model are called."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """One value that a node computes: the node's name and op, and the value's name."""

    node: str
    op: str
    value: str
