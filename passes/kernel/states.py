"""Persistent buffers of a function: which results are the new content of which arguments."""

from __future__ import annotations

from typing import Any

from tfmbs.dialect.attributes import STATE
from tfmbs.dialect.location import place
from tfmbs.runtime.abi.errors import TfmbsError


def states_of(function: Any) -> dict[int, int]:
    """The results that carry `tfmbs.state`, by number, and the arguments of the same names.

    Raises:
        TfmbsError: ``ir.verify``, a name has only one of the two, or two of different types.
    """
    type_ = function.type
    before = _named(function, "arg_attrs", type_.inputs)
    after = _named(function, "res_attrs", type_.results)
    for name in (*before, *after):
        old, new = (found[name][1] if name in found else "none" for found in (before, after))
        if old != new:
            raise TfmbsError("ir.verify", place(function.location), f"type of state '{name}'", old, new)
    return {after[name][0]: number for name, (number, _) in before.items()}


def _named(function: Any, key: str, types: Any) -> dict[str, tuple[int, Any]]:
    attributes = function.attributes.get(key, [])
    return {a[STATE].value: (number, types[number]) for number, a in enumerate(attributes) if STATE in a}
