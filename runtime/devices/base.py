"""What a device offers to the runtime. Names, shapes and dtypes are checked before, in `runtime.program`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.stats import Stats

Array = np.ndarray[Any, np.dtype[Any]]
NOTHING: Mapping[str, Array] = MappingProxyType({})


def check_shape(name: str, shape: tuple[int, ...], given: Array) -> None:
    """Raises TfmbsError `output` where the array that is given for an output has another shape than it."""
    if given.shape != shape:
        text = ["×".join(map(str, dims)) or "scalar" for dims in (shape, given.shape)]
        raise TfmbsError("output", name, "shape", *text)


class DeviceContext(Protocol):
    """One user of a device: it owns the memory and the state of its runs, and belongs to one thread at a time."""

    def run(self, entry: str, inputs: Mapping[str, Array], out: Mapping[str, Array] = NOTHING) -> dict[str, Array]:
        """Runs an entry point on arrays of exactly the declared names, shapes and dtypes; returns the outputs.

        Those that `out` names are written into its arrays, which have the declared dtypes and share memory with nothing
        else; the others are fresh. Raises TfmbsError `output` for an array of another shape.
        """

    def reset(self) -> None:
        """Sets all state to zero."""

    @property
    def stats(self) -> Stats:
        """Counters of the last run. Raises TfmbsError `device` before the first."""


class Device(Protocol):
    """An image, prepared once; its contexts may run in different threads at the same time."""

    def context(self, threads: int) -> DeviceContext:
        """A context that uses at most `threads` threads of this machine; results do not depend on their number."""
