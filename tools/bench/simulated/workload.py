"""A workload of the simulator, and its run: values and time come from the same execution."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import tfmbs
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.movement.machine import Machine
from tfmbs.runtime.devices.kpu import Kpu, KpuContext
from tfmbs.tools.bench.problem import Array
from tfmbs.tools.bench.simulated.bound import RESOURCES, bound_of
from tfmbs.tools.bench.simulated.memory import check_memory
from tfmbs.tools.bench.simulated.models import Model
from tfmbs.tools.bench.simulated.result import Bar, Launch, Simulated
from tfmbs.tools.bench.simulated.variation import Value, target_file, varied

DEFAULT_TARGET = "kpu-16x16"
FP32 = "fp32"


@dataclass(frozen=True)
class Workload:
    """A program to simulate: `build` makes its model, `how` are options of `tfmbs.compile` (other precisions than fp32
    are calibrated on the inputs themselves), `vary` other values of the target.

    `change` alters the compiled image, its schedules for one. `note` says what the row shows. `against_ops`: each op of
    the model is simulated as a program of its own, too.
    """

    suite: str
    name: str
    build: Callable[[], Model]
    target: str = DEFAULT_TARGET
    how: Mapping[str, Any] = field(default_factory=dict)
    vary: Mapping[str, Value] = field(default_factory=dict)
    against_ops: bool = False
    change: Callable[[Image], Image] | None = None
    bar: Bar | None = None
    note: str = ""


def simulate(workload: Workload, made: Made | None = None) -> Simulated:
    """What a workload takes, see `run`."""
    return run(workload, made)[0]


class Made(NamedTuple):
    """The model of a workload, its program, and the seconds that took."""

    model: Model
    program: tfmbs.Program
    seconds: float


def make(workload: Workload) -> Made:
    """Compiles a workload. Raises TfmbsError: what the compiler refuses."""
    start = time.process_time()
    model = workload.build()
    program = compiled_for(model, workload)
    if workload.change is not None:
        program = tfmbs.Program(workload.change(program.image))
    return Made(model, program, time.process_time() - start)


def run(workload: Workload, made: Made | None = None) -> tuple[Simulated, Mapping[str, Array]]:
    """Runs a workload, perhaps `made` before, on the simulator, and on the emulator for the bytes of its outputs.

    Gives what it took, and its outputs. Raises TfmbsError: as `make`, and `unsupported` for what the simulator does not
    execute.
    """
    model, program, seconds = made or make(workload)
    check_memory(workload.name, program.image)
    compiled = time.process_time()
    context = Kpu(program.image).context()
    entry, arrays = program.accepted.arrays(model.inputs, None)
    outputs = context.run(entry.name, arrays)
    ran = time.process_time()
    stats, expected = context.stats, program.run(model.inputs)
    assert stats.measured is not None  # of a simulated device there are measures
    assert stats.energy is not None
    assert stats.timing is not None
    machine, total = stats.measured.machine, stats.measured.total
    simulated = Simulated(
        suite=workload.suite,
        name=workload.name,
        target=workload.target,
        total_ps=total.total_ps,
        core_ps=machine.core_ps,
        macs=total.macs,
        macs_per_cycle=machine.target.macs_per_cycle,
        launches=_launches(context),
        bytes=total.links,
        busy={name: stats.timing["utilization"][name] for name in RESOURCES},
        energy_pj=stats.timing["energy_pj"]["total"],
        profile=stats.energy.profile,
        peaks=_peaks(machine),
        exact=all(array.tobytes() == expected[name].tobytes() for name, array in outputs.items()),
        compile_seconds=seconds,
        simulate_seconds=ran - compiled,
        bar=workload.bar,
        note=workload.note,
        vary=workload.vary,
    )
    return simulated, outputs


def compiled_for(model: Model, workload: Workload) -> tfmbs.Program:
    """The program of a model for the target of a workload."""
    how = dict(workload.how)
    if how.get("precision", FP32) != FP32:
        how["calibration"] = [model.inputs]
    if not workload.vary:
        return tfmbs.compile(model.onnx, target=workload.target, **how)
    with target_file(varied(workload.target, workload.vary)) as path:
        return tfmbs.compile(model.onnx, target=path, **how)


def _launches(context: KpuContext) -> tuple[Launch, ...]:
    last, stats, timing = context.last, context.stats, context.timing
    assert stats.measured is not None
    first = last.image.entries[last.index]["first_descriptor"]
    found = []
    for number, (one, measures) in enumerate(zip(stats.launches, stats.measured.launches, strict=True)):
        bound = bound_of(last.image, last.image.descriptors[first + number], timing, number, measures)
        external, predicted = measures.external_bytes(), one.predicted_external_bytes
        found.append(Launch(one.name, one.kind, one.cycles, one.predicted_cycles, bound, external, predicted))
    return tuple(found)


def _peaks(machine: Machine) -> dict[str, float]:
    target = machine.target
    movers = (("L3–L2", target.block_mover), ("L2–L1", target.streamer))
    return {
        "array": target.peak_gops * 1e9,
        "external": machine.external_per_million * 1e6,
        **{name: target.mover_gbytes_per_second(mover) * 1e9 for name, mover in movers},
    }
