"""What no run of a launch on a target can beat: its roofline, of the array, the vector engines and each level.

Every resource works all the time on the least that the launch asks of it, at once with the others; the launch takes
what the busiest of them does. The array has its folds to do: the fewest of all dataflows, one after the other in the
feed, ragged ones too. The levels move each byte of operands and results once. Vector engines execute the program as it
is scheduled, with its operands there.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from tfmbs.runtime.abi.array_timing import Sizes, fold_count
from tfmbs.runtime.abi.image import Image, Row
from tfmbs.runtime.abi.movement.machine import EngineKind, Machine
from tfmbs.runtime.abi.records import Dataflow, Direction, Kind
from tfmbs.runtime.measured.run import Measures
from tfmbs.runtime.timing import LINKS, MOVERS, Timing

RESOURCES = ("array", "vector", "external", *(kind.name.lower() for kind in MOVERS))
GATES = 4  # of an LSTM
WORD = 4


@dataclass(frozen=True)
class Bound:
    """Picoseconds that each of `RESOURCES` works at least for a launch, and the bytes that it must move."""

    resources: dict[str, int]
    bytes: int

    @property
    def total_ps(self) -> int:
        """What the launch takes at least."""
        return max(self.resources.values())

    @property
    def limit(self) -> str:
        """The resource that works longest."""
        return max(RESOURCES, key=lambda name: self.resources[name])


def bound_of(image: Image, descriptor: Row, timing: Timing, launch: int, measures: Measures) -> Bound:
    """The bound of a launch that was run. What it moved is looked at only to see which levels it needs."""
    machine = timing.program.machine
    least = measures.minimum_external_bytes + recurrent_bytes_again(image, descriptor, machine)
    kinds = np.array([engine.kind for engine in machine.engines])[timing.column("engine")]
    vector = (timing.column("launch") == launch) & (kinds == EngineKind.VECTOR)
    resources = {
        "array": array_cycles_at_least(image, descriptor, machine) * machine.core_ps,
        # In its last cycles a part leaves the engine to the next one.
        "vector": int((timing.end - timing.start - timing.column("lag_ps"))[vector].sum()) // machine.target.tiles,
        "external": machine.external_ps(least),
    }
    for (one, other), kind in zip(LINKS, MOVERS, strict=True):
        engines = [engine for engine in machine.engines if engine.kind is kind]
        names = (f"{a.name.lower()}_to_{b.name.lower()}" for a, b in ((one, other), (other, one)))
        needed = min(least, sum(measures.links[name] for name in names))
        resources[kind.name.lower()] = needed * engines[0].period_ps // sum(engine.width for engine in engines)
    return Bound(resources, least)


def recurrent_bytes_again(image: Image, descriptor: Row, machine: Machine) -> int:
    """Bytes of recurrent weights that come again for each further step of an LSTM: those that no memory can keep."""
    if Kind(descriptor["kind"]) is not Kind.LSTM:
        return 0
    g, target = image.lstm_geometries[descriptor["geometry"]], machine.target
    kept = target.tiles * target.l1.size + target.l2.size + target.l3.size
    ways = 2 if g["direction"] == Direction.BOTH else 1
    again: int = (g["steps"] - 1) * max(0, ways * GATES * g["hidden"] * g["hidden"] * WORD - kept)
    return again


def array_cycles_at_least(image: Image, descriptor: Row, machine: Machine) -> int:
    """Cycles of the fewest folds that follow each other in the feed of all arrays; 0 where there is no product."""
    return sum(_least(product, count, machine) for product, count in _products(image, descriptor))


def _least(sizes: Sizes, count: int, machine: Machine) -> int:
    target, array = machine.target, machine.array
    if machine.has_lanes:
        return -(-count * sizes.m * -(-sizes.n // array.columns) // target.tiles) * sizes.k
    found = []
    for name in target.array.dataflows:
        flow = Dataflow[name.upper()]
        stream = {
            Dataflow.OUTPUT_STATIONARY: sizes.k,
            Dataflow.WEIGHT_STATIONARY: sizes.m,
            Dataflow.INPUT_STATIONARY: sizes.n,
        }[flow]
        # No fold is shorter than a load or a drain, which take a cycle per row.
        found.append(-(-count * fold_count(flow, sizes, array) * max(stream, array.rows) // target.tiles))
    least = -(-count * sizes.m * sizes.n * sizes.k // target.macs_per_cycle)
    return max(least, min(found))


def _products(image: Image, descriptor: Row) -> list[tuple[Sizes, int]]:
    """The products that a descriptor is, and how many there are of each."""
    kind, index = Kind(descriptor["kind"]), descriptor["geometry"]
    if kind in (Kind.GEMM, Kind.GEMV):
        g = image.gemm_geometries[index]
        return [(Sizes(g["m"], g["n"], g["k"]), g["batch"])]
    if kind is Kind.GROUP_GEMM:
        g = image.group_geometries[index]
        return [(Sizes(g["m"], g["n"], g["k"]), 1)]
    if kind in (Kind.CONV2D, Kind.CONV3D):
        g = (image.window_geometries if kind is Kind.CONV2D else image.volume_geometries)[index]
        axes = ("height", "width") if kind is Kind.CONV2D else ("depth", "height", "width")
        k = g["in_channels"] // g["groups"] * prod(g[f"kernel_{axis}"] for axis in axes)
        m = prod(g[f"out_{axis}"] for axis in axes)
        return [(Sizes(m, g["out_channels"] // g["groups"], k), g["batch"] * g["groups"])]
    if kind is Kind.ATTENTION:
        g = image.attention_geometries[index]
        heads = g["batch"] * g["groups"] * g["shared"]
        return [
            (Sizes(g["rows"], g["columns"], g["width"]), heads),
            (Sizes(g["rows"], g["value_width"], g["columns"]), heads),
        ]
    if kind is Kind.LSTM:
        g = image.lstm_geometries[index]
        ways = 2 if g["direction"] == Direction.BOTH else 1
        gates = GATES * g["hidden"]
        inputs = Sizes(g["steps"] * g["batch"], gates, g["width"])
        return [(inputs, ways), (Sizes(g["batch"], gates, g["hidden"]), ways * g["steps"])]
    return []
