"""Random programs of LSTM, on memories in which some of what they use stays, streams, or goes to the workspace."""

from __future__ import annotations

import numpy as np

from tests.conformance.builder import Builder
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.movement.machine import Machine
from tfmbs.runtime.abi.movement.operands import Tile
from tfmbs.runtime.abi.movement.recurrence_plan import Layout, RecurrenceWork
from tfmbs.runtime.abi.movement.recurrence_search import planned_recurrence
from tfmbs.runtime.abi.records import Dataflow, Direction, GateOrder
from tfmbs.runtime.abi.target import Target
from tfmbs.runtime.abi.types import DType


def random_recurrences(seed: int) -> Image:
    """One LSTM, or two of which the second one takes the states of the first."""
    rng = np.random.default_rng(seed)

    def some(least: int, most: int) -> int:
        return int(rng.integers(least, most + 1))

    builder = Builder(str(rng.choice(["kpu-minimal", "kpu-edge"])))
    launches, steps, batch, width = some(1, 2), some(1, 7), some(1, 9), some(1, 24)
    given = builder.input("x", (steps, batch, width), DType.F32)
    for number in range(launches):
        hidden, way = some(1, 40), list(Direction)[some(0, 2 if number == launches - 1 else 1)]
        ways = 2 if way == Direction.BOTH else 1
        flags = {name: some(0, 1) for name in ("bias", "recurrent_bias", "initial", "cell")}
        if number < launches - 1:
            flags["cell"] = 0
        w, r = (
            builder.constant(rng.standard_normal((ways, 4 * hidden, k)).astype(np.float32)) for k in (width, hidden)
        )
        further = [r]
        shapes = ((ways, 4 * hidden), (ways, 4 * hidden), (ways, batch, hidden), (ways, batch, hidden))
        for name, shape in zip(("bias", "recurrent_bias", "initial", "initial"), shapes, strict=True):
            if flags[name]:
                further.append(builder.constant(rng.standard_normal(shape).astype(np.float32)))
        shape = (steps + flags["cell"], ways, batch, hidden)
        last = number == launches - 1
        out = builder.output("y", shape, DType.F32) if last else builder.scratch((steps, batch, hidden), DType.F32)
        builder.lstm(given, w, out, further, direction=way, order=list(GateOrder)[some(0, 1)], **flags)
        given, width = out, hidden
    image = builder.image()
    tiles = 2 if image.target["name"] == "kpu-edge" else 1
    for level, size in (("l1", some(3, 16)), ("l2", some(6, 48)), ("l3", some(8, 48))):
        image.target[level] |= {"banks": 1, "bank_bytes": 1024 * size}
    image.masks[0]["words"] = ((1 << tiles) - 1, 0, 0, 0)
    schedules = {"tile_m": some(1, 9), "tile_n": some(1, 40), "tile_k": some(4, 40), "buffers": some(1, 2)}
    for schedule in image.schedules:
        schedule |= {**schedules, "dataflow": list(Dataflow)[some(0, 2)]}
    return image


def plain(steps: int, batch: int, width: int, hidden: int, target: str = "kpu-minimal") -> Image:
    """One LSTM without biases, with constant weights: args has those of states; any sizes of tiles."""
    rng, builder = np.random.default_rng(0), Builder(target)
    x = builder.input("x", (steps, batch, width), DType.F32)
    w, r = (builder.constant(rng.standard_normal((1, 4 * hidden, k)).astype(np.float32)) for k in (width, hidden))
    builder.lstm(x, w, builder.output("y", (steps, 1, batch, hidden), DType.F32), [r])
    image = builder.image()
    for schedule in image.schedules:
        schedule |= {"tile_m": batch, "tile_n": hidden, "tile_k": hidden, "buffers": 2}
    return image


def layouts(image: Image) -> list[Layout]:
    """How the movement rule does each LSTM of an image."""
    machine, found = Machine.of(Target.from_dict(image.target, "t", image.version[1])), []
    for row in image.descriptors:
        g, schedule = image.lstm_geometries[row["geometry"]], image.schedules[row["schedule"]]
        work = RecurrenceWork(
            2 if g["direction"] == Direction.BOTH else 1, g["steps"], g["batch"], g["width"], g["hidden"],
            g["bias"] + g["recurrent_bias"],
        )  # fmt: skip
        wanted = Tile(schedule["tile_m"], schedule["tile_n"], schedule["tile_k"])
        words = image.masks[row["mask"]]["words"]
        fabric = tuple(i for i in range(64) if words[0] >> i & 1)
        plan = planned_recurrence(
            work, wanted, Dataflow(schedule["dataflow"]), schedule["buffers"], fabric, machine, "test"
        )
        found.append(Layout(work, plan, machine))
    return found
