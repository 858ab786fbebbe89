"""The KPU simulator: movement programs of the target, executed with data and time by native code."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from tfmbs.runtime import _native
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.movement.deadlock import cycle
from tfmbs.runtime.abi.movement.entry import expand, predictions
from tfmbs.runtime.abi.movement.machine import Machine
from tfmbs.runtime.abi.movement.predicted import Prediction
from tfmbs.runtime.abi.movement.program import Program, Timed
from tfmbs.runtime.abi.movement.timed_words import TIMED_WINDOW_FIELDS
from tfmbs.runtime.abi.movement.walks import Part, Runs, Walk, Walked
from tfmbs.runtime.abi.target import Target
from tfmbs.runtime.devices.base import NOTHING, Array, check_shape
from tfmbs.runtime.devices.emulator import ISA_VARIABLE, Emulator, Limits, octets
from tfmbs.runtime.hazards import Conflict, conflicts
from tfmbs.runtime.measured.run import measured
from tfmbs.runtime.measured.work import Work
from tfmbs.runtime.signature import Entry, Shape, piece_entry
from tfmbs.runtime.stats import LaunchCounters, Stats, launch_stats, zero_skip_of
from tfmbs.runtime.timing import Tables, Timing, timing_of

PREPARED = 8
"""Entries and sizes whose movement programs a device keeps; beyond it, all are forgotten."""


MACHINES = 64
"""Targets whose machines are kept, for all devices."""


@lru_cache(MACHINES)
def _machine(target: str, minor: int) -> Machine:
    """The machine of a TARGET section, as JSON, of a file of a minor version."""
    return Machine.of(Target.from_dict(json.loads(target), "TARGET", minor))


def predicted(image: Image) -> dict[int, Prediction | TfmbsError | None]:
    """What launches of all entry points should take on the image's target, by descriptor, see `predictions`."""
    machine = _machine(json.dumps(image.target), image.version[1])
    found: dict[int, Prediction | TfmbsError | None] = {}
    for entry, record in enumerate(image.entries):
        found.update(enumerate(predictions(image, entry, machine, walked), record["first_descriptor"]))
    return found


def walked(walk: Walk) -> Walked:
    """A vector program's time and accesses, found by native code."""
    timed = _tables(Timed(walk.program, walk.windows, walk.engine))
    found = _native.kpu_walk(timed, walk.wanted, walk.most)
    is_known, branches, words, total, stored, beats, parts, written, exposed = found
    made = [Part(accesses, cycles, lag, _runs(reads), _runs(writes)) for accesses, cycles, lag, reads, writes in parts]
    return Walked(is_known, branches, words, total, stored, beats, made, _runs(written), _runs(exposed))


def _runs(found: list[tuple[int, int, int, int, int]]) -> list[Runs]:
    return [Runs(*one) for one in found]


def _tables(timed: Timed) -> _native.TimedTables:
    words, windows = timed.words, np.array(timed.windows, np.int64).reshape(-1, len(TIMED_WINDOW_FIELDS))
    return words.words, words.ops, words.places, windows, np.array([timed.engine], np.int64)


def native_program(program: Program) -> _native.MovementProgram:
    """A movement program in the form of the native code."""
    timed = [_tables(one) for one in program.timed]
    return _native.movement_program(*program.tables(), timed, len(program.machine.engines), program.workspace)


def _check_deadlock(program: Program) -> None:
    stuck = cycle(program)
    if stuck is not None:
        places = " waits for ".join(program.describe(number) for number in [*stuck, stuck[0]])
        raise TfmbsError("device", "kpu", f"movements wait for each other: {places}")


@dataclass(frozen=True)
class Prepared:
    """An entry of an image for certain sizes: its movement program, as tables and in the form of the native code."""

    image: Image
    index: int
    native: _native.Image
    program: Program
    tables: Tables
    movements: _native.MovementProgram


@dataclass
class KpuContext:
    """Memory and state of one user. Not thread-safe."""

    device: Kpu
    native: _native.KpuContext
    _last: Prepared | None = field(default=None, init=False)
    _timing: Timing | None = field(default=None, init=False)

    def run(self, entry: str, inputs: Mapping[str, Array], out: Mapping[str, Array] = NOTHING) -> dict[str, Array]:
        """See `DeviceContext.run`. Raises TfmbsError: as the emulator, and `unsupported` for what has no movements."""
        signature = self.device.entry(entry)
        arrays = [inputs[argument.name] for argument in signature.inputs]
        prepared = self.device.prepared(signature, [array.shape for array in arrays])
        arguments = piece_entry(prepared.image, prepared.index).outputs
        outputs: dict[str, Array] = {a.name: np.zeros(a.shape, a.dtype) for a in arguments}
        for name, given in out.items():
            check_shape(name, outputs[name].shape, given)
        self._last = self._timing = None
        sources, results = [octets(array) for array in arrays], [octets(array) for array in outputs.values()]
        self.native.run(prepared.native, prepared.index, prepared.movements, sources, results)
        trace = {name: np.frombuffer(column, np.int64) for name, column in self.native.trace().items()}
        self._timing = timing_of(prepared.program, trace, prepared.tables)
        self._last = prepared
        for name, given in out.items():
            np.copyto(given, outputs[name])
            outputs[name] = given
        return outputs

    def reset(self) -> None:
        """Sets all state to zero."""
        self.native.reset()

    def conflicts(self) -> list[Conflict]:
        """Accesses of what ran last that nothing orders."""
        return conflicts(self.last.program, self.last.movements)

    def check_hazards(self) -> None:
        """Checks what ran last for accesses that nothing orders.

        Raises TfmbsError `device`, with every pair and both places in its details.
        """
        found = [one.describe(self.last.program) for one in self.conflicts()]
        if found:
            raise TfmbsError("device", "kpu", "conflicting accesses in no order", 0, len(found), "\n".join(found))

    @property
    def last(self) -> Prepared:
        """What ran last. Raises TfmbsError `device` before the first run."""
        if self._last is None:
            raise TfmbsError("device", "kpu", "there are no stats before a run that succeeded")
        return self._last

    @property
    def timing(self) -> Timing:
        """When each movement of the last run started and ended, checked against what no machine can beat.

        Raises TfmbsError `device` before the first run.
        """
        if self._timing is None:
            raise TfmbsError("device", "kpu", "there are no stats before a run that succeeded")
        return self._timing

    @property
    def stats(self) -> Stats:
        """Counters, time, traffic and energy of the last run. Raises TfmbsError `device` before the first."""
        last, timing, image = self.last, self.timing, self.last.image
        record, core_ps = image.entries[last.index], timing.core_ps
        first, count = record["first_descriptor"], record["descriptor_count"]
        counters = [
            LaunchCounters(
                **row, start_ns=start // 1000, wall_ns=(end - start) // 1000,
                start_cycle=start // core_ps, cycles=-(-(end - start) // core_ps),
                predicted_cycles=predicted.cycles if predicted else 0,
                predicted_external_bytes=predicted.external_bytes if predicted else 0,
                kernels="",
            )
            for predicted, row, (start, end) in zip(
                map(last.program.predicted.get, range(count)), self.native.counters(), timing.launches(count),
                strict=True,
            )
        ]  # fmt: skip
        work = [
            Work(row.operations, row.active, row.lane_ops, row.real_lane_ops, zero_skip_of(image, descriptor))
            for row, descriptor in zip(counters, image.descriptors[first : first + count], strict=True)
        ]
        found = measured(timing, image, last.index, work) if work else None
        return launch_stats(image, "kpu", last.index, counters, found, self.device.machine.target.energy)


class Kpu:
    """An image on the machine that its target describes."""

    def __init__(self, image: Image, isa: str = "", limits: Limits | None = None) -> None:
        image.check_weights()  # after a lazy load: movements read them in any order
        self._loader = Emulator(image, isa, limits)
        self.machine = _machine(json.dumps(image.target), image.version[1])
        self._prepared: dict[tuple[int, int], Prepared] = {}

    def entry(self, name: str) -> Entry:
        """The signature of an entry point. Raises TfmbsError `input.name`."""
        return self._loader.entry(name)

    def prepared(self, entry: Entry, shapes: list[Shape]) -> Prepared:
        """The movement program of an entry point for inputs of these shapes.

        Raises TfmbsError `input.shape`, and `unsupported` where the movement rule does not cover a launch.
        """
        loaded, index = self._loader.loaded(entry, shapes)
        key = id(loaded), index
        found = self._prepared.get(key)
        if found is None or found.native is not loaded.native:
            program = expand(loaded.image, index, self.machine, walked)
            _check_deadlock(program)
            movements = native_program(program)
            found = Prepared(loaded.image, index, loaded.native, program, Tables.of(program), movements)
            if len(self._prepared) >= PREPARED:
                self._prepared.clear()
            self._prepared[key] = found
        return found

    def context(self, threads: int = 1) -> KpuContext:
        """A context with its own memories. Raises TfmbsError `usage` for an impossible number of threads."""
        self._loader.context(threads)  # which checks the number; the simulation itself takes one
        target, limits = self.machine.target, self._loader.limits
        return KpuContext(
            self,
            _native.KpuContext(
                self._loader.whole.native, target.l3.size, target.l2.size, target.l1.size, target.tiles, limits.steps
            ),
        )


def create(image: Image) -> Kpu:
    """The simulator for an image, with kernels of the instruction set that the environment names, or the fastest."""
    return Kpu(image, os.environ.get(ISA_VARIABLE, ""))
