"""LSTM: step by step, blocks of the state against weights of each gate, then the gates on the vector engine.

A job is some sequences of a direction; its states stay in the L1 of its tile, those of the step before and the new
ones, and its cells. For each block of elements of the state, and each gate, a panel of weights of the input and one of
the state come and are multiplied. What follows takes, on the vector engine and for each row, a beat per `lanes`
elements of each sum, product and bias, those of the special functions, and a latency of each unit. Panels stay in L3
and L2 by the rule of residency.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from tfmbs.runtime.abi.array_timing import Sizes
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Row
from tfmbs.runtime.abi.movement.expansion import Expansion
from tfmbs.runtime.abi.movement.launch import Launch
from tfmbs.runtime.abi.movement.launches import fabric_tiles
from tfmbs.runtime.abi.movement.machine import EngineKind, array_cycles
from tfmbs.runtime.abi.movement.memory import Residents, Ring, Slot, Space, Uses, aligned
from tfmbs.runtime.abi.movement.operands import Span, span
from tfmbs.runtime.abi.movement.program import Copy, Memory, Op, What
from tfmbs.runtime.abi.records import Dataflow, Direction
from tfmbs.runtime.abi.siw_timing import Timing
from tfmbs.runtime.abi.types import Packing

GATES = 4
SLOTS = 2  # of what streams
WORD = 4
SHARE = 4  # of L2 and L3 for inputs, results and biases, a part each


class Job(NamedTuple):
    """Sequences of a direction."""

    way: int
    rows: Span


class Step(NamedTuple):
    """A step of a job: where it stands in the sequence."""

    number: int
    place: int
    job: Job
    tile: int


@dataclass
class _Shared:
    """Slots of L3 or L2: what comes and goes once, and panels of both operands."""

    once: Ring
    biases: Ring | None
    results: Ring
    panels: tuple[Residents, Residents]


@dataclass
class _Own:
    """Slots of the L1 of a tile."""

    inputs: Ring
    biases: Ring | None
    panels: tuple[Ring, Ring]
    sums: tuple[Ring, Ring]
    states: Ring
    cells: Slot
    state: Slot | None = None  # of the step before


def expand_lstm(x: Expansion, descriptor: Row, where: str) -> Launch:
    """Plans an LSTM."""
    return Launch(None, LstmExpansion(x, descriptor, where).run)


class LstmExpansion:
    """The movements of one LSTM."""

    def __init__(self, x: Expansion, descriptor: Row, where: str) -> None:
        self.x, self.where = x, where
        self.g = g = x.image.lstm_geometries[descriptor["geometry"]]
        first = descriptor["args_first"]
        further = iter(x.image.args[first : first + descriptor["args_count"]])
        recurrent = x.place(next(further))
        self.weights = (x.place(descriptor["rhs"]), recurrent)
        self.biases = [x.place(next(further)) if g[name] else None for name in ("bias", "recurrent_bias")]
        self.initial = [x.place(next(further)) if g["initial"] else None for _ in range(2)]
        self.input, self.out = x.place(descriptor["lhs"]), x.place(descriptor["out"])
        self.ways = 2 if g["direction"] == Direction.BOTH else 1
        self.lengths: tuple[int, int] = (g["width"], g["hidden"])
        schedule = x.image.schedules[descriptor["schedule"]]
        self.flow, self.is_buffered = Dataflow(schedule["dataflow"]), schedule["buffers"] > 1
        self.fabric = fabric_tiles(x, descriptor, where)
        self.rows, self.block = self._fitted(min(schedule["tile_m"], g["batch"]), min(schedule["tile_n"], g["hidden"]))
        self.blocks = -(-g["hidden"] // self.block)

    # --- sizes in bytes -----------------------------------------------------------------------------------------------

    def _state(self, rows: int) -> int:
        return rows * self.lengths[1] * WORD

    def _once(self, rows: int) -> int:
        """Inputs of a step, or first states."""
        return rows * max(self.lengths) * WORD

    def _bias(self, block: int) -> int:
        """Biases of a block, of those that there are."""
        return GATES * block * WORD * sum(bias is not None for bias in self.biases)

    def _fitted(self, rows: int, block: int) -> tuple[int, int]:
        """Sequences of a job and elements of a block, halved (the larger first) until L1, L2 and L3 hold them."""
        target = self.x.machine.target
        while True:
            state, panels = aligned(self._state(rows)), sum(aligned(block * k * WORD) for k in self.lengths)
            streams = aligned(self._once(rows)) + aligned(self._bias(block)) + panels
            sums = 2 * aligned(GATES * rows * block * WORD)
            share = min(target.l2.size, target.l3.size) // SHARE
            small = max(aligned(self._once(rows)), aligned(self._bias(block)), state, panels)
            if SLOTS * (streams + sums + state) + state <= target.l1.size and SLOTS * small <= share:
                return rows, block
            if rows == block == 1:
                raise TfmbsError("unsupported", self.where, "its smallest tile does not fit the memories of the target")
            rows, block = (-(-rows // 2), block) if rows >= block else (rows, -(-block // 2))

    # --- movements ----------------------------------------------------------------------------------------------------

    def _rounds(self) -> list[list[Step]]:
        """Steps of as many jobs as there are tiles, side by side; one round after the other."""
        g = self.g
        batches = -(-g["batch"] // self.rows)
        jobs = [Job(way, span(i, self.rows, g["batch"])) for way in range(self.ways) for i in range(batches)]
        together = [jobs[first : first + len(self.fabric)] for first in range(0, len(jobs), len(self.fabric))]
        return [
            [
                Step(t, g["steps"] - 1 - t if self._is_backwards(job.way) else t, job, tile)
                for t in range(g["steps"])
                for job, tile in zip(some, self.fabric, strict=False)
            ]
            for some in together
        ]

    def _is_backwards(self, way: int) -> bool:
        return way == 1 or self.g["direction"] == Direction.REVERSE

    def run(self) -> None:
        """Adds all movements."""
        steps = [step for some in self._rounds() for step in some]
        self._prepare(steps)
        turn = 0
        for step in steps:
            if step.number == 0:
                self._start(step)
            self._step(step, turn)
            turn += self.blocks * GATES

    def _prepare(self, steps: list[Step]) -> None:
        x, uses = self.x, (Uses(), Uses())
        turn = 0
        for step in steps:
            for block in range(self.blocks):
                for gate in range(GATES):
                    for one in uses:
                        one.add((step.job.way, gate, block), turn)
                    turn += 1
        for one in uses:
            one.freeze()
        sizes = [self.block * k * WORD for k in self.lengths]
        once, bias, state = self._once(self.rows), self._bias(self.block), self._state(self.rows)

        def ring(space: Space, size: int, count: int = SLOTS) -> Ring:
            return Ring(space.slots(count, size))

        self.shared = []
        for space in (x.l3, x.l2):
            rings = ring(space, once), ring(space, bias) if bias else None, ring(space, state)
            share = space.free // 2
            counts = [max(1, min(self.ways * GATES * self.blocks, share // aligned(size))) for size in sizes]
            lhs, rhs = (
                Residents(space.slots(count, size), own, 1 if count > 1 else 0)
                for count, size, own in zip(counts, sizes, uses, strict=True)
            )
            self.shared.append(_Shared(*rings, (lhs, rhs)))
        self.own = {}
        for tile in {step.tile: None for step in steps}:
            space, sums = x.l1[tile], GATES * self.rows * self.block * WORD
            self.own[tile] = _Own(
                ring(space, once),
                ring(space, bias) if bias else None,
                (ring(space, sizes[0]), ring(space, sizes[1])),
                (ring(space, sums), ring(space, sums)),
                ring(space, state),
                space.slots(1, state)[0],
            )

    def _start(self, step: Step) -> None:
        """The first states and cells of a job: given, or zeros."""
        own = self.own[step.tile]
        own.state = own.states.take()
        for place, slot in zip(self.initial, (own.state, own.cells), strict=True):
            size = step.job.rows.size * self.g["hidden"] * WORD
            if place is None:
                self._clear(slot, size, step.tile)
                continue
            first = (step.job.way * self.g["batch"] + step.job.rows.first) * self.g["hidden"] * WORD
            self._bring([Copy(place[0], place[1] + first, 0, 0, run=size)], slot, step.tile)

    def _clear(self, slot: Slot, size: int, tile: int) -> None:
        x = self.x
        timing = Timing.of(x.machine.target.vector)
        cycles = -(-size // (WORD * timing.lanes)) + timing.latency["store"]
        what = What(tile=tile, parameters=(slot.memory, slot.address, size), writes=[slot.place(size)])
        engine = x.machine.first(EngineKind.VECTOR) + tile
        slot.writers = [x.program.add(Op.CLEAR, engine, x.launch, cycles, slot.to_write(size), what)]

    def _bring(self, copies: list[Copy], slot: Slot, tile: int, *, is_bias: bool = False) -> None:
        """What is used once, to a slot of L1; copies come one behind the other."""
        x = self.x
        rings = [level.biases if is_bias else level.once for level in self.shared]
        l3, l2 = (ring.take() for ring in rings if ring)
        size, placed = 0, []
        for copy in copies:
            placed.append(copy._replace(target=l3.memory, to=l3.address + size))
            size += copy.cost(1)[0]
        x.load(placed, l3)
        x.lift([Copy(l3.memory, l3.address, l2.memory, l2.address, run=size)], l3, l2)
        x.feed([Copy(l2.memory, l2.address, slot.memory, slot.address, run=size)], l2, slot, tile)

    def _step(self, step: Step, turn: int) -> None:
        g, own = self.g, self.own[step.tile]
        rows, hidden = step.job.rows, g["hidden"]
        inputs, state, after = own.inputs.take(), own.state, own.states.take()
        assert state is not None
        first = (step.place * g["batch"] + rows.first) * g["width"] * WORD
        given = Copy(self.input[0], self.input[1] + first, 0, 0, run=rows.size * g["width"] * WORD)
        self._bring([given], inputs, step.tile)
        size = rows.size * hidden * WORD
        before, made = after.to_write(size), []
        for number in range(self.blocks):
            block = span(number, self.block, hidden)
            sums = [ring.take() for ring in own.sums]
            waits = [one.to_write(GATES * rows.size * block.size * WORD) for one in sums]
            for gate in range(GATES):
                for operand, lhs in enumerate((inputs, state)):
                    panel = self._panel(step, operand, (step.job.way, gate, number), block, turn)
                    self._fold(step, operand, gate, (lhs, panel, sums[operand]), block, waits[operand])
                turn += 1
            made.append(self._gates(step, sums, after, block, before))
        after.writers, own.state = made, after
        own.cells.writers = made
        self._out(step, after, step.place)
        if g["cell"] and step.number == g["steps"] - 1:
            self._out(step, own.cells, g["steps"])

    def _out(self, step: Step, slot: Slot, place: int) -> None:
        """States or cells to a place behind the steps of the result."""
        g, rows = self.g, step.job.rows
        size = rows.size * g["hidden"] * WORD
        l3, l2 = (level.results.take() for level in self.shared)
        first = ((place * self.ways + step.job.way) * g["batch"] + rows.first) * g["hidden"] * WORD
        store = Copy(l3.memory, l3.address, self.out[0], self.out[1] + first, run=size)
        self.x.drop(slot, size, l2, l3, [store], step.tile)

    def _panel(self, step: Step, operand: int, key: tuple[int, int, int], block: Span, turn: int) -> Slot:
        """Weights of a gate for a block, in L1."""
        x, k = self.x, self.lengths[operand]
        (memory, offset), size = self.weights[operand], block.size * k * WORD
        way, gate, _ = key
        first = ((way * GATES + gate) * self.g["hidden"] + block.first) * k * WORD
        l3, l2 = (level.panels[operand] for level in self.shared)
        found = l2.find(key, turn)
        if found is None:
            start = l3.find(key, turn)
            if start is None:
                start = l3.take(key, turn)
                x.load([Copy(memory, offset + first, start.memory, start.address, run=size)], start)
            found = l2.take(key, turn)
            x.lift([Copy(start.memory, start.address, found.memory, found.address, run=size)], start, found)
        slot = self.own[step.tile].panels[operand].take()
        x.feed([Copy(found.memory, found.address, slot.memory, slot.address, run=size)], found, slot, step.tile)
        return slot

    def _fold(
        self, step: Step, operand: int, gate: int, slots: tuple[Slot, Slot, Slot], block: Span, waits: list[int]
    ) -> None:
        """Sums of a gate; `waits` are before the first that is written to the slot of all gates."""
        x, (lhs, panel, sums) = self.x, slots
        m, n, k = step.job.rows.size, block.size, self.lengths[operand]
        start = sums.address + gate * m * n * WORD
        parameters = (
            Memory.L1 + step.tile, lhs.address, panel.address, start, m, n, k, True, True, 0, Packing.DENSE, k * WORD,
            False, 0, True, k, n, 0, -1, -1,
        )  # fmt: skip
        what = What(
            tile=step.tile,
            parameters=parameters,
            reads=[lhs.place(m * k * WORD), panel.place(n * k * WORD)],
            writes=[(sums.memory, start, start + m * n * WORD)],
            macs=m * n * k,
        )
        cycles = array_cycles(x.machine, self.flow, Sizes(m, n, k), self.is_buffered, False)
        engine = x.machine.first(EngineKind.ARRAY) + step.tile
        before = [*lhs.writers, *panel.writers, *waits]
        number = x.program.add(Op.FOLD, engine, x.launch, cycles, before, what)
        for slot in (lhs, panel):
            slot.readers.append(number)
        sums.writers.append(number)

    def _gates(self, step: Step, sums: list[Slot], after: Slot, block: Span, before: list[int]) -> int:
        """Cells and states of a block; `before` are the movements that used the slot of the new states."""
        x, g, own = self.x, self.g, self.own[step.tile]
        rows, cells = step.job.rows.size, own.cells
        bias, places = self._biases(step, block)
        parameters = (
            Memory.L1 + step.tile, sums[0].address, sums[1].address, *places, cells.address, after.address, rows,
            block.size, block.first,
        )  # fmt: skip

        def of_block(slot: Slot) -> list[tuple[int, int, int]]:
            starts = [slot.address + (r * g["hidden"] + block.first) * WORD for r in range(rows)]
            return [(slot.memory, start, start + block.size * WORD) for start in starts]

        used = GATES * rows * block.size * WORD
        reads = [*(one.place(used) for one in sums), *of_block(cells)]
        waits = [*sums[0].writers, *sums[1].writers, *before, *cells.writers, *cells.readers]
        if bias is not None:
            reads.append(bias.place(self._bias(block.size)))
            waits += bias.writers
        what = What(
            tile=step.tile,
            parameters=parameters,
            reads=reads,
            writes=[*of_block(cells), *of_block(after)],
            operations=rows * block.size,
        )
        engine = x.machine.first(EngineKind.VECTOR) + step.tile
        number = x.program.add(Op.GATES, engine, x.launch, rows * self._cycles(block.size), waits, what)
        for slot in (*sums, *([bias] if bias else [])):
            slot.readers.append(number)
        return number

    def _biases(self, step: Step, block: Span) -> tuple[Slot | None, list[int]]:
        """The slot of L1 with the biases of a block, and where each of both kinds lies (-1: there is none)."""
        ring = self.own[step.tile].biases
        if ring is None:
            return None, [-1, -1]
        slot = ring.take()
        copies: list[Copy] = []
        places: list[int] = []
        hidden, size = self.g["hidden"], GATES * block.size * WORD
        for bias in self.biases:
            places.append(-1 if bias is None else slot.address + len(copies) * size)
            if bias is not None:
                start = bias[1] + (step.job.way * GATES * hidden + block.first) * WORD
                run = block.size * WORD
                copies.append(Copy(bias[0], start, 0, 0, 1, 0, 0, GATES, hidden * WORD, run, run))
        self._bring(copies, slot, step.tile, is_bias=True)
        return slot, places

    def _cycles(self, columns: int) -> int:
        """Of a row: five special functions; a sum for each gate and each bias; two products and a sum for the cell, and
        a product for the state."""
        timing = Timing.of(self.x.machine.target.vector)
        beats = -(-columns // timing.lanes)
        special = sum(
            timing.cycles["special" if name in timing.functions else "software"] * count
            for name, count in (("sigmoid", GATES - 1), ("tanh", 2))
        )
        sums = GATES * (1 + sum(bias is not None for bias in self.biases)) + 4
        return beats * (sums + special) + sum(timing.latency[unit] for unit in ("memory", "alu", "special", "store"))
