"""Loading a fabric binary and running it: the public runtime API."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any

import numpy.typing as npt

from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image, Verify
from tfmbs.runtime.accepted import Accepted
from tfmbs.runtime.arguments import chosen, in_order, named, written_to
from tfmbs.runtime.devices import open_device
from tfmbs.runtime.devices.base import Array, Device, DeviceContext
from tfmbs.runtime.signature import Argument, Entry, entries_of
from tfmbs.runtime.stats import Stats
from tfmbs.runtime.threads import checked_threads
from tfmbs.runtime.timeline import timeline
from tfmbs.runtime.timing import Timing

DEFAULT_DEVICE = "emulator"


def load(path: str | os.PathLike[str], verify: Verify = "eager") -> Program:
    """Loads a `.tfb`. `verify="lazy"` checks a chunk of the weights when it is first used, not now.

    The file stays mapped: to replace it by a rename, as `save` does, is safe; to truncate or overwrite it in place is
    not, and may end the process.

    Raises:
        TfmbsError: `io`, `container.…`, `record`, `siw`, `target`, `resource-limit`.
    """
    return Program(Image.load(path, verify))


class Context:
    """One user of a program on a device: state (such as a KV cache) lives here. It belongs to one thread at a time."""

    def __init__(self, program: Program, device: DeviceContext) -> None:
        self.program = program
        self._device = device

    def run(
        self,
        inputs: Mapping[str, npt.ArrayLike],
        entry: str | None = None,
        out: Mapping[str, npt.ArrayLike] | None = None,
    ) -> dict[str, Array]:
        """Runs an entry point, by default the first that takes inputs of these names and shapes.

        Inputs are read where they are: numpy arrays, and tensors in the memory of this machine (`__array_interface__`,
        `__array__`, `__dlpack__`); they are copied where they are not contiguous or not aligned. Outputs that `out`
        names are written into its arrays or tensors, the others into fresh arrays. A run that fails leaves the former
        undefined.

        Returns the outputs by name, as numpy arrays.

        Raises:
            TfmbsError: `input.name`, `input.shape`, `input.dtype`, `output`; what the device refuses.
        """
        signature, arrays = self.program.accepted.arrays(inputs, entry)
        if out is None:
            return self._device.run(signature.name, arrays)
        return self._device.run(signature.name, arrays, written_to(signature, out, arrays))

    @property
    def timing(self) -> Timing | None:
        """When each movement of the last run of a simulated device started and ended; None of other devices.

        Raises TfmbsError `device` before the first run.
        """
        timing: Timing | None = getattr(self._device, "timing", None)
        return timing

    def trace(self) -> dict[str, Any]:
        """The last run as a Chrome trace: of a simulated device its engines in simulated time, else wall time."""
        timing = self.timing
        if timing is not None:
            return timeline(timing, self._device.stats)
        return self._device.stats.to_trace()

    def check_hazards(self) -> None:
        """Checks the last run of a simulated device for accesses to the same bytes that nothing orders.

        Raises TfmbsError `device`, with every pair and both places in its details; `unsupported` for other devices.
        """
        check = getattr(self._device, "check_hazards", None)
        if check is None:
            raise TfmbsError(
                "unsupported", "hazards", "a check of this device, which does what a program says in order"
            )
        check()

    def reset(self) -> None:
        """Sets all state to zero, as in a new context."""
        self._device.reset()

    @property
    def stats(self) -> Stats:
        """Counters of the last run. Raises TfmbsError `device` before the first."""
        return self._device.stats


class Program:
    """A loaded fabric binary. Threads may share it; contexts are theirs alone."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.entries: tuple[Entry, ...] = entries_of(image)
        self.accepted = Accepted(self.entries)
        self._devices: dict[str, Device] = {}
        self._lock = threading.Lock()
        self._local = threading.local()

    @property
    def inputs(self) -> tuple[Argument, ...]:
        """Inputs of the first entry point, in order."""
        return self.entry().inputs

    @property
    def outputs(self) -> tuple[Argument, ...]:
        """Outputs of the first entry point, in order."""
        return self.entry().outputs

    def entry(self, name: str | None = None) -> Entry:
        """The signature of an entry point, by default of the first. Raises TfmbsError `input.name`."""
        return named(self.entries, name)

    def entry_for(self, inputs: Mapping[str, npt.ArrayLike]) -> Entry:
        """The first entry point that takes inputs of these names and shapes; the only one, whatever it takes.

        Raises TfmbsError `input.name`, `input.shape`.
        """
        return chosen(self.entries, inputs)

    def context(self, device: str = DEFAULT_DEVICE, threads: int | None = None) -> Context:
        """A context of its own, with zeroed state, that uses at most `threads` threads of this machine.

        Without a number, it is that of the environment variable `TFMBS_NUM_THREADS`, else that of the processors that
        this process may use. Results do not depend on it. Raises TfmbsError `device`, `usage`.
        """
        return Context(self, self._device(str(device)).context(checked_threads(threads)))

    def run(
        self,
        inputs: Mapping[str, npt.ArrayLike],
        device: str = DEFAULT_DEVICE,
        entry: str | None = None,
        out: Mapping[str, npt.ArrayLike] | None = None,
    ) -> dict[str, Array]:
        """Runs once, from zeroed state; see `Context.run`."""
        context = self._own_context(str(device))
        if self.image.states:
            context.reset()
        return context.run(inputs, entry, out)

    def __call__(self, *arrays: npt.ArrayLike, device: str = DEFAULT_DEVICE) -> dict[str, Array]:
        """Runs the first entry point that takes arrays of these shapes, in the order of its inputs.

        Raises TfmbsError as `run`, and `input.name` for a number of arrays that no entry point takes.
        """
        return self.run(in_order(self.entries, arrays), device)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the `.tfb`, whole or not at all. Raises TfmbsError `io`."""
        self.image.save(path)

    def _device(self, name: str) -> Device:
        with self._lock:
            if name not in self._devices:
                self._devices[name] = open_device(name, self.image)
            return self._devices[name]

    def _own_context(self, device: str) -> Context:
        """The context that `run` keeps for the calling thread."""
        contexts: dict[str, Context] = self._local.__dict__.setdefault("contexts", {})
        if device not in contexts:
            contexts[device] = self.context(device)
        return contexts[device]
