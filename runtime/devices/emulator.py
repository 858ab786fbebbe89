"""The emulator: native code on this processor, with the bits that the contract promises."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from tfmbs.runtime import _native
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.limits import MAX_LAUNCH_OPERATIONS, MAX_REGION_BYTES, MAX_STEPS
from tfmbs.runtime.abi.sections import KINDS, Content
from tfmbs.runtime.devices.base import NOTHING, Array, check_shape
from tfmbs.runtime.instances import Instances
from tfmbs.runtime.signature import Entry, Shape, entries_of, piece_entry
from tfmbs.runtime.stats import LaunchCounters, Stats, launch_stats
from tfmbs.runtime.threads import checked_threads

ISA_VARIABLE = "TFMBS_ISA"
"""Environment variable that names the instruction set to use, for tests: one of `_native.instruction_sets()` for all
kernels, `FAMILY=SET` for some of `_native.kernel_families()`, or both, with commas between them."""

JIT_VARIABLE = "TFMBS_JIT"
"""Environment variable that says whether chains of vector operations become machine code: 1, the default, or 0."""

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


@dataclass(frozen=True)
class _Output:
    """An output of a run, and whether some of it is not written: that is zero, also where it is read before."""

    name: str
    shape: Shape
    dtype: np.dtype[Any]
    is_cleared: bool


@dataclass(frozen=True)
class _Call:
    """What a run of an entry point with inputs of certain shapes needs."""

    loaded: _Loaded
    index: int
    outputs: tuple[_Output, ...]


CALLS = 8
"""Calls that a context keeps prepared; beyond it, all are forgotten."""


@dataclass
class EmulatorContext:
    """Memory and state of one user. Not thread-safe; a second thread is refused."""

    device: Emulator
    native: _native.Context
    _last: _Call | None = field(default=None, init=False)
    _calls: dict[tuple[Any, ...], _Call] = field(default_factory=dict, init=False)

    def run(self, entry: str, inputs: Mapping[str, Array], out: Mapping[str, Array] = NOTHING) -> dict[str, Array]:
        """See `DeviceContext.run`. Raises TfmbsError: `siw.address`, `siw`, `record`, `resource-limit`, `output`."""
        arrays = [inputs[name] for name in self.device.inputs(entry)]
        call = self._call(entry, arrays)
        outputs = {output.name: _place_for(output, out.get(output.name)) for output in call.outputs}
        self._last = None
        self.native.run(call.loaded.native, call.index, [_in_memory(array) for array in arrays], [*outputs.values()])
        self._last = call
        for name, array in out.items():
            if outputs[name] is not array:
                np.copyto(array, outputs[name])
                outputs[name] = array
        return outputs

    def _call(self, entry: str, arrays: list[Array]) -> _Call:
        key = (entry, *[array.shape for array in arrays])
        call = self._calls.get(key)
        if call is None:
            loaded, index = self.device.loaded(self.device.entry(entry), [array.shape for array in arrays])
            if len(self._calls) >= CALLS:
                self._calls.clear()
            call = self._calls[key] = _Call(loaded, index, _outputs(loaded, index))
        return call

    def reset(self) -> None:
        """Sets all state to zero."""
        self.native.reset()

    @property
    def stats(self) -> Stats:
        """Counters of the last run. Raises TfmbsError `device` before the first."""
        if self._last is None:
            raise TfmbsError("device", "emulator", "there are no stats before a run that succeeded")
        loaded, index = self._last.loaded, self._last.index
        kernels = [f"{family} on {isa}" for family, isa in loaded.native.dispatch(index)]
        rows = zip(self.native.counters(), kernels, strict=True)
        counters = [LaunchCounters(**row, kernels=own) for row, own in rows]
        return launch_stats(loaded.image, "emulator", index, counters)


class Emulator:
    """An image in the form that the native code runs; `isa` as in `ISA_VARIABLE`, or "" for the fastest.

    With `jit`, chains of vector operations become machine code where the processor and the system allow it.
    """

    def __init__(self, image: Image, isa: str = "", limits: Limits | None = None, *, jit: bool = True) -> None:
        self.image = image
        self.limits = limits or Limits()
        self._isa = isa
        self._jit = jit
        self._entries = {entry.name: entry for entry in entries_of(image)}
        self._inputs: dict[str, tuple[str, ...]] = {}
        self._weights = _aligned(image.weights)
        self.whole = self._load(image)
        self._instances = Instances(image, self._load)

    def _load(self, image: Image) -> _Loaded:
        """The image for native code; of an instance, with the weights that are packed already."""
        tables = {kind.name: bytes(image.section(kind.name)) for kind in KINDS if kind.content in _TABLES}
        whole = None if image.instance_of is None else self.whole.native
        native = _native.load(tables, image.strings, self._weights, self._isa, self.limits.memory, whole, self._jit)
        return _Loaded(image, native)

    @property
    def isa(self) -> str:
        """The instruction set in use, and the families of kernels that have another one, as in `ISA_VARIABLE`."""
        return str(self.whole.native.isa)

    def entry(self, name: str) -> Entry:
        """The signature of an entry point. Raises TfmbsError `input.name`."""
        if name not in self._entries:
            raise TfmbsError("input.name", "entry", "no such entry point", "/".join(self._entries), name)
        return self._entries[name]

    def inputs(self, entry: str) -> tuple[str, ...]:
        """The names of the inputs of an entry point, in order. Raises as `entry`."""
        names = self._inputs.get(entry)
        if names is None:
            names = self._inputs[entry] = tuple(argument.name for argument in self.entry(entry).inputs)
        return names

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
        # After a lazy load, weights are checked when a launch first reads them.
        check = None if self.image.weights_are_checked else self.image.check_weights
        return EmulatorContext(
            self, _native.Context(self.whole.native, threads, limits.steps, limits.operations, limits.memory, check)
        )


def create(image: Image) -> Emulator:
    """The emulator for an image, as the environment wants it, else on the fastest instruction set, with machine code.

    Raises TfmbsError `usage` for an environment variable that says something else.
    """
    jit = os.environ.get(JIT_VARIABLE, "1")
    if jit not in ("0", "1"):
        raise TfmbsError("usage", JIT_VARIABLE, "whether machine code is made", "0/1", jit)
    return Emulator(image, os.environ.get(ISA_VARIABLE, ""), jit=jit == "1")


def octets(array: Array) -> Array:
    """The bytes of an array, which is copied only where it is not contiguous or not aligned."""
    return np.require(array, requirements=["C", "A"]).reshape(-1).view(np.uint8)


def _outputs(loaded: _Loaded, index: int) -> tuple[_Output, ...]:
    written = loaded.native.written(index)
    outputs = piece_entry(loaded.image, index).outputs
    sizes = [prod(output.shape) * output.dtype.itemsize for output in outputs]
    return tuple(
        _Output(output.name, output.shape, output.dtype, written.get(slot, 0) < sizes[slot])
        for slot, output in enumerate(outputs)
    )


def _place_for(output: _Output, given: Array | None) -> Array:
    """Where the output is written to: the array that the caller gives, if contiguous and aligned, or a new one."""
    if given is not None:
        check_shape(output.name, output.shape, given)
    array: Array = given if given is not None and given.flags.carray else np.empty(output.shape, output.dtype)
    if output.is_cleared:
        array.fill(0)
    return array


def _in_memory(array: Array) -> Array:
    """The array, or a copy where it is not contiguous or not aligned."""
    return array if array.flags.carray else np.require(array, requirements=["C", "A"])


def _aligned(weights: bytes | bytearray | memoryview) -> Array:
    octets = np.frombuffer(weights, np.uint8) if len(weights) else np.zeros(0, np.uint8)
    # A mapped file is aligned; a buffer from elsewhere may not be.
    return octets if octets.ctypes.data % WEIGHTS_ALIGNMENT == 0 else octets.copy()
