"""Bytes that each level of the memory hierarchy gave and took, by launch.

Transfers read one level and write the next; arrays read operands and sums of L1 by the rule of `array_traffic`; other
jobs read and write their bytes of L1 once. A vector program that accesses external memory itself reads and writes that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tfmbs.runtime.abi.array_traffic import Products, array_traffic
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image, Row
from tfmbs.runtime.abi.movement.fields import FOLD_FIELDS, VECTOR_FIELDS, Level, Op, level_of
from tfmbs.runtime.abi.movement.group_operands import WORD
from tfmbs.runtime.abi.records import NONE, Activations, Dataflow, Kind
from tfmbs.runtime.abi.target import ACCUMULATOR_BYTES
from tfmbs.runtime.abi.types import Region
from tfmbs.runtime.measured.spans import Times
from tfmbs.runtime.timing import Timing

READ, WRITTEN = 0, 1
JOBS = (
    Op.EPILOGUE, Op.VECTOR, Op.POOL, Op.SOFTMAX, Op.MAGNITUDE, Op.QUANTIZE, Op.GATES, Op.CLEAR,
)  # fmt: skip
"""Of vector engines."""
LEVELS = tuple(level.name.lower() for level in Level)


@dataclass(frozen=True)
class Traffic:
    """`levels`: bytes by launch, level, and read or written. Cycles and slots of arrays, by launch: `stream` are cycles
    in which operands enter, `busy` all cycles of folds."""

    levels: Times
    stream: Times
    busy: Times


def traffic(timing: Timing, image: Image, descriptors: list[Row]) -> Traffic:
    """What moved. Raises TfmbsError `device` where it is not what the schedules of the launches imply."""
    levels = np.zeros((len(descriptors), len(LEVELS), 2), np.int64)
    _transfers(timing, levels)
    _jobs(timing, levels)
    stream = _folds(timing, image, descriptors, levels)
    busy = np.zeros(len(descriptors), np.int64)
    folds = timing.column("op") == Op.FOLD
    np.add.at(busy, timing.column("launch")[folds], (timing.until - timing.start)[folds] // timing.core_ps)
    return Traffic(levels, stream, busy)


def _transfers(timing: Timing, levels: Times) -> None:
    op, launch = timing.column("op"), timing.column("launch")
    moved = np.flatnonzero(np.isin(op, (Op.COPY, Op.GATHER)))
    for name, way in (("source", READ), ("target", WRITTEN)):
        _add(levels, launch[moved], timing.column(name)[moved], way, timing.bytes[moved])


def _add(levels: Times, launch: Times, level: Times | int, way: Times | int, amounts: Times) -> None:
    np.add.at(levels.reshape(-1), (launch * len(LEVELS) + level) * 2 + way, amounts)


def _jobs(timing: Timing, levels: Times) -> None:
    """Jobs of vector engines."""
    op, launch = timing.column("op"), timing.column("launch")
    is_direct = _of_vector(timing, "is_direct") > 0
    for way, size in ((READ, timing.bytes - timing.stored), (WRITTEN, timing.stored)):
        _add(levels, launch[is_direct], Level.EXTERNAL, way, size[is_direct])
    places = timing.tables.accesses
    here = np.isin(op, JOBS) & ~is_direct
    places = places[here[places[:, 0]]]
    number, memory, low, high, writes = places.T
    level = np.array([level_of(one) for one in np.unique(memory)], np.int64)[np.unique(memory, return_inverse=True)[1]]
    _add(levels, launch[number], level, writes, high - low)


def _of_vector(timing: Timing, name: str) -> Times:
    """A parameter of vector programs, 0 for other movements."""
    found = np.zeros(len(timing.start), np.int64)
    which = timing.column("op") == Op.VECTOR
    first = timing.column("parameter_first")[which]
    found[which] = timing.tables.parameters[first + VECTOR_FIELDS.index(name)]
    return found


def _folds(timing: Timing, image: Image, descriptors: list[Row], levels: Times) -> Times:
    machine, launch = timing.program.machine, timing.column("launch")
    folds = np.flatnonzero(timing.column("op") == Op.FOLD)
    first = timing.column("parameter_first")[folds]

    def field(name: str) -> Times:
        values: Times = timing.tables.parameters[first + FOLD_FIELDS.index(name)]
        return values

    lhs_bytes = np.where(field("is_float") > 0, ACCUMULATOR_BYTES, 1)
    depth = np.where(field("kept") < 0, field("depth"), field("kept"))  # a compacted stream has fewer k
    rows = Products(field("rows"), field("columns"), depth, lhs_bytes, field("rhs_row_bytes"), field("is_first"))
    flows = np.array([_flow(image, row) for row in descriptors], np.int64)[launch[folds]]
    if machine.has_lanes:  # whatever the schedule says, lanes take a row at a time
        flows[:] = Dataflow.OUTPUT_STATIONARY
    stream = np.zeros(len(descriptors), np.int64)
    for flow in Dataflow:
        here = flows == flow
        of_flow = Products(*(column[here] for column in rows))
        found = array_traffic(flow, of_flow, machine.array, ACCUMULATOR_BYTES)
        _add(levels, launch[folds][here], Level.L1, READ, found.read)
        _add(levels, launch[folds][here], Level.L1, WRITTEN, found.written)
        np.add.at(stream, launch[folds][here], found.stream)
    return stream


def _flow(image: Image, descriptor: Row) -> int:
    index = descriptor["schedule"]
    return int(Dataflow.OUTPUT_STATIONARY if index == NONE else image.schedules[index]["dataflow"])


# --- what there must be -----------------------------------------------------------------------------------------------


def tensors_of(image: Image, descriptor: Row) -> tuple[list[int], list[int]]:
    """Operands and results of a launch; the windows of vector code, which are either, count as operands."""
    operands = [descriptor[name] for name in ("lhs", "rhs") if descriptor[name] != NONE]
    first = descriptor["args_first"]
    operands += image.args[first : first + descriptor["args_count"]]
    return list(dict.fromkeys(operands)), [descriptor["out"]] if descriptor["out"] != NONE else []


def least_of_network(image: Image, descriptors: list[Row]) -> int:
    """External bytes of a run that keeps everything else on chip: inputs, weights and outputs, each once."""
    used = {index for row in descriptors for part in tensors_of(image, row) for index in part}
    places: dict[tuple[int, int, int], int] = {}
    for index in used:
        tensor = image.tensors[index]
        if tensor["region"] in (Region.INPUT, Region.OUTPUT, Region.WEIGHTS):
            key = (tensor["region"], tensor["slot"], tensor["offset"])
            places[key] = max(places.get(key, 0), tensor["bytes"])
    return sum(places.values())


def made_bytes(g: Row) -> int:
    """Of the rows of a GROUP_GEMM that become integers, which go back to L2 once."""
    return g["m"] * (g["k"] + WORD) if g["activations"] == Activations.ABSMAX else 0


def check_results(timing: Timing, image: Image, descriptors: list[Row]) -> None:
    """Checks that each result of a kernel leaves the chip once, through each level; sums park as the rule says.

    Raises TfmbsError `device` where a launch moved more or fewer bytes.
    """
    launch, outbound = timing.column("launch"), timing.column("queue") % 2 == 1
    out: npt.NDArray[np.int64] = np.zeros((len(descriptors), len(LEVELS)), np.int64)
    here = outbound & (timing.column("op") == Op.COPY)
    np.add.at(out.reshape(-1), launch[here] * len(LEVELS) + timing.column("source")[here], timing.bytes[here])
    for number, row in enumerate(descriptors):
        kind = Kind(row["kind"])
        if kind in (Kind.VECTOR, Kind.LSTM):  # what these write is not one tensor, whole
            continue
        levels = (Level.L3,) if kind is Kind.COPY else (Level.L1, Level.L2, Level.L3)
        parked = dict(zip((Level.L2, Level.L1), timing.program.parked.get(number, (0, 0)), strict=True))
        for level in levels:
            leaving = image.tensors[row["out"]]["bytes"] + parked.get(level, 0)
            if kind is Kind.GROUP_GEMM and level is Level.L1:
                leaving += made_bytes(image.group_geometries[row["geometry"]])
            if out[number, level] != leaving:
                where = f"descriptor {number} ({image.strings[row['name']]})"
                what = f"bytes of results that leave {level.name}"
                raise TfmbsError("device", where, what, leaving, int(out[number, level]))
