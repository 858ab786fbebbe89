"""Which of a model's own nodes a name in the IR belongs to."""

from __future__ import annotations

from collections.abc import Container, Iterable


def own_names(names: Iterable[str], known: Container[str]) -> tuple[str, ...]:
    """The `known` nodes that `names` belong to: what a node is replaced by is called after it, with a dot behind."""
    found: dict[str, None] = {}
    for name in names:
        own = name
        while own not in known and "." in own:
            own = own.rpartition(".")[0]
        if own in known:
            found[own] = None
    return tuple(found)
