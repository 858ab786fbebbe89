"""Inputs that were accepted before: those of the same names, shapes and element types need no second look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.arguments import checked, chosen, named
from tfmbs.runtime.devices.base import Array
from tfmbs.runtime.foreign import as_array
from tfmbs.runtime.signature import Entry

CAPACITY = 256
"""Accepted signatures that are kept; beyond it, all are forgotten."""


class Accepted:
    """Checks the inputs of a program; threads may share it."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._known: dict[tuple[Any, ...], Entry] = {}

    def arrays(self, inputs: Mapping[str, npt.ArrayLike], entry: str | None) -> tuple[Entry, Mapping[str, Array]]:
        """The entry point of that name, or that takes these inputs, and they as arrays.

        Raises TfmbsError `input.name`, `input.dtype`, `input.shape`.
        """
        arrays = _as_arrays(inputs)
        if arrays is None:
            return self._checked(inputs, entry)
        parts: list[Any] = [entry]
        for name, array in arrays.items():
            parts += (name, array.shape, array.dtype)
        key = tuple(parts)
        known = self._known.get(key)
        if known is not None:
            return known, arrays
        signature, accepted = self._checked(arrays, entry)
        # Values that have bounds are looked at each time, and what is converted is each time.
        plain = all(argument.bounds is None for argument in signature.inputs)
        if plain and all(accepted[name] is array for name, array in arrays.items()):
            if len(self._known) >= CAPACITY:
                self._known.clear()
            self._known[key] = signature
        return signature, accepted

    def _checked(self, inputs: Mapping[str, npt.ArrayLike], entry: str | None) -> tuple[Entry, Mapping[str, Array]]:
        signature = named(self._entries, entry) if entry is not None else chosen(self._entries, inputs)
        return signature, checked(signature, inputs)


def _as_arrays(inputs: Mapping[str, npt.ArrayLike]) -> Mapping[str, Array] | None:
    """The inputs as arrays; None for what no array alone can tell: bits of bf16, and what is refused in its turn."""
    if type(inputs) is not dict:
        return None
    if all(type(value) is np.ndarray for value in inputs.values()):
        return inputs
    arrays: dict[str, Array] = {}
    for name, value in inputs.items():
        try:
            array, is_bf16 = as_array(name, value)
        except TfmbsError:
            return None
        if is_bf16:
            return None
        arrays[name] = array
    return arrays
