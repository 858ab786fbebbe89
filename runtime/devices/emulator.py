"""The emulator: native code on this processor, with the bits that the contract promises."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tfmbs.runtime import _native
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.limits import MAX_LAUNCH_OPERATIONS, MAX_REGION_BYTES, MAX_STEPS
from tfmbs.runtime.abi.sections import KINDS, Content
from tfmbs.runtime.devices.base import Array
from tfmbs.runtime.instances import Instances
from tfmbs.runtime.signature import Entry, Shape, entries_of, piece_entry
from tfmbs.runtime.stats import LaunchCounters, Stats, launch_stats
from tfmbs.runtime.threads import checked_threads

ISA_VARIABLE = "TFMBS_ISA"
"""Environment variable that names the instruction set to use, for tests: one of `_native.instruction_sets()`."""

WEIGHTS_ALIGNMENT = 8
_TABLES = (Content.RECORDS, Content.U32, Content.WORDS)


@dataclass(frozen=True)
class Limits:
    """What one run may take at most; more is refused with `resource-limit`.

    `steps` are instruction words per thread, `operations` multiply-accumulates and pooling taps. `memory` counts bytes,
    by itself for packed weights, for scratch and state, and for the buffers of a launch.
    """

    steps: int = MAX_STEPS
    operations: int = MAX_LAUNCH_OPERATIONS
    memory: int = 2 * MAX_REGION_BYTES


@dataclass(frozen=True)
class _Loaded:
    """An image in the form that the native code runs."""

    image: Image
    native: _native.Image


@dataclass
class EmulatorContext:
    """Memory and state of one user. Not thread-safe; a second thread is refused."""

    device: Emulator
    native: _native.Context
    _last: tuple[_Loaded, int] | None = field(default=None, init=False)  # image and entry of the last run

    def run(self, entry: str, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """See `DeviceContext.run`. Raises TfmbsError: `siw.address`, `siw`, `record`, `resource-limit`."""
        signature = self.device.entry(entry)
        arrays = [inputs[argument.name] for argument in signature.inputs]
        loaded, index = self.device.loaded(signature, [array.shape for array in arrays])
        written = loaded.native.written(index)
        outputs: dict[str, Array] = {}
        for slot, argument in enumerate(piece_entry(loaded.image, index).outputs):
            array: Array = np.empty(argument.shape, argument.dtype)
            if written.get(slot, 0) < array.nbytes:
                array.fill(0)  # what no launch writes, or reads before that, is zero
            outputs[argument.name] = array
        self._last = None
        sources, results = [octets(array) for array in arrays], [octets(array) for array in outputs.values()]
        self.native.run(loaded.native, index, sources, results)
        self._last = loaded, index
        return outputs

    def reset(self) -> None:
        """Sets all state to zero."""
        self.native.reset()

    @property
    def stats(self) -> Stats:
        """Counters of the last run. Raises TfmbsError `device` before the first."""
        if self._last is None:
            raise TfmbsError("device", "emulator", "there are no stats before a run that succeeded")
        loaded, index = self._last
        counters = [LaunchCounters(**row) for row in self.native.counters()]
        return launch_stats(loaded.image, "emulator", index, counters)


class Emulator:
    """An image in the form that the native code runs; `isa` as in `ISA_VARIABLE`, or "" for the fastest."""

    def __init__(self, image: Image, isa: str = "", limits: Limits | None = None) -> None:
        self.image = image
        self.limits = limits or Limits()
        self._isa = isa
        self._entries = {entry.name: entry for entry in entries_of(image)}
        image.check_weights()  # after a lazy load: they are read here
        self._weights = _aligned(image.weights)
        self.whole = self._load(image)
        self._instances = Instances(image, self._load)

    def _load(self, image: Image) -> _Loaded:
        """The image for native code; of an instance, with the weights that are packed already."""
        tables = {kind.name: bytes(image.section(kind.name)) for kind in KINDS if kind.content in _TABLES}
        whole = None if image.instance_of is None else self.whole.native
        native = _native.load(tables, image.strings, self._weights, self._isa, self.limits.memory, whole)
        return _Loaded(image, native)

    @property
    def isa(self) -> str:
        """The instruction set in use."""
        return str(self.whole.native.isa)

    def entry(self, name: str) -> Entry:
        """The signature of an entry point. Raises TfmbsError `input.name`."""
        if name not in self._entries:
            raise TfmbsError("input.name", "entry", "no such entry point", "/".join(self._entries), name)
        return self._entries[name]

    def loaded(self, entry: Entry, shapes: Sequence[Shape]) -> tuple[_Loaded, int]:
        """The image in which an entry point takes inputs of these shapes, and the number of its record there.

        Raises TfmbsError `input.shape`; `record` and others for an image that is invalid for these sizes.
        """
        located = entry.located(shapes)
        if located is None:
            raise TfmbsError("input.shape", entry.name, "shapes of inputs", "those of the entry point", list(shapes))
        piece, sizes = located
        if all(size == bounds.high for size, bounds in zip(sizes, piece.sizes, strict=True)):
            return self.whole, piece.index
        return self._instances.get(piece.index, sizes), piece.index

    def context(self, threads: int = 1) -> EmulatorContext:
        """A context with its own memory. Raises TfmbsError `usage` for an impossible number of threads."""
        threads, limits = checked_threads(threads), self.limits
        return EmulatorContext(
            self, _native.Context(self.whole.native, threads, limits.steps, limits.operations, limits.memory)
        )


def create(image: Image) -> Emulator:
    """The emulator for an image, on the instruction set that the environment names, else on the fastest one."""
    return Emulator(image, os.environ.get(ISA_VARIABLE, ""))


def octets(array: Array) -> Array:
    """The bytes of an array, which is copied only where it is not contiguous or not aligned."""
    return np.require(array, requirements=["C", "A"]).reshape(-1).view(np.uint8)


def _aligned(weights: bytes | bytearray | memoryview) -> Array:
    octets = np.frombuffer(weights, np.uint8) if len(weights) else np.zeros(0, np.uint8)
    # A mapped file is aligned; a buffer from elsewhere may not be.
    return octets if octets.ctypes.data % WEIGHTS_ALIGNMENT == 0 else octets.copy()
