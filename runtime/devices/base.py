"""What a device offers to the runtime. Names, shapes and dtypes are checked before, in `runtime.program`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from tfmbs.runtime.stats import Stats

Array = np.ndarray[Any, np.dtype[Any]]


class DeviceContext(Protocol):
    """One user of a device: it owns the memory and the state of its runs, and belongs to one thread at a time."""

    def run(self, entry: str, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Runs an entry point on arrays of exactly the declared names, shapes and dtypes; returns fresh arrays."""

    def reset(self) -> None:
        """Sets all state to zero."""

    @property
    def stats(self) -> Stats:
        """Counters of the last run. Raises TfmbsError `device` before the first."""


class Device(Protocol):
    """An image, prepared once; its contexts may run in different threads at the same time."""

    def context(self, threads: int) -> DeviceContext:
        """A context that uses at most `threads` threads of this machine; results do not depend on their number."""
