"""How an LSTM is cut: sequences of a job, blocks of the state, panels of weights, and steps whose inputs come ahead."""

from __future__ import annotations

from dataclasses import dataclass

from tfmbs.runtime.abi.movement.machine import Machine
from tfmbs.runtime.abi.movement.memory import aligned
from tfmbs.runtime.abi.records import Dataflow

GATES = 4
WORD = 4
PAGE = 8192
"""Bytes of weights or inputs that move at once, at most where rows are not longer: few enough that little of L2 and L3
is for what streams."""
STREAM_SHARE = 4  # of L2 and L3: at most one part in so many is for pages that stream
STREAMED = 3  # pages that stream, of each engine
HOME_SHARE = 4  # of L3: sums of inputs stay there if they take at most one part in so many
LEAVING = 2  # pages of states on their way out
COMING = 2  # slots of L3 for sums that come back


@dataclass(frozen=True)
class RecurrenceWork:
    """`ways` directions of `batch` sequences of `steps`: inputs of `width` elements, states of `hidden`, and `biases`
    (0 to 2) for each gate."""

    ways: int
    steps: int
    batch: int
    width: int
    hidden: int
    biases: int


@dataclass(frozen=True)
class RecurrencePlan:
    """How an LSTM is done.

    A job is `rows` sequences of a direction, on one of `fabric`. The state is made in blocks of `block` elements; a
    panel of recurrent weights has `gates` gates of a block and `depth` elements of the reduction. Products of inputs
    are made for `ahead` steps at once, `ahead_gates` gates of a block and `ahead_depth` elements of the reduction in a
    fold. L1 has `slots` of what folds and gates take.
    """

    rows: int
    block: int
    gates: int
    depth: int
    ahead: int
    ahead_gates: int
    ahead_depth: int
    slots: int
    dataflow: Dataflow
    is_buffered: bool
    fabric: tuple[int, ...]


class Layout:
    """Bytes of slots that a plan takes in the memories of a target, and pages that are left in L2 and L3.

    In L1: `state` all elements of the states of a job, `elements` a block of states or cells, `sums` and `bias` of all
    gates of a block for a step, `panel` the recurrent weights of a fold; `ahead_inputs`, `ahead_weights` and
    `ahead_sums` of a fold ahead. There are so many `blocks` of a state, and `chunks` of steps whose inputs are
    multiplied at once. `home` are their sums for a block and a chunk, of which there are `homes` at once: those that
    are made, and those that are used. They stay in L3 (`stays`), or go to the workspace and come again. `page` is of a
    whole row at least, of a block's biases and cells. Pages of L2 and L3: those that stream, and those that stay.
    """

    def __init__(self, work: RecurrenceWork, plan: RecurrencePlan, machine: Machine) -> None:
        self.work, self.plan, self.machine = work, plan, machine
        target, side = machine.target, len(plan.fabric)
        ahead, columns = plan.ahead * plan.rows, plan.ahead_gates * plan.block
        self.state = aligned(plan.rows * work.hidden * WORD)
        self.elements = aligned(plan.rows * plan.block * WORD)
        self.sums = aligned(GATES * plan.rows * plan.block * WORD)
        self.bias = aligned(work.biases * GATES * plan.block * WORD)
        self.panel = aligned(plan.gates * plan.block * plan.depth * WORD)
        self.ahead_inputs = aligned(ahead * plan.ahead_depth * WORD)
        self.ahead_weights = aligned(columns * plan.ahead_depth * WORD)
        self.ahead_sums = aligned(ahead * columns * WORD)
        # Sums of states have two slots in any case: the vector engine works on others while they are made.
        of_slot = self.sums + self.bias + 2 * self.elements + self.panel + self.ahead_inputs + self.ahead_weights
        self.l1 = self.state + 2 * self.sums + self.ahead_sums + plan.slots * of_slot

        self.blocks, self.chunks = -(-work.hidden // plan.block), -(-work.steps // plan.ahead)
        self.home = GATES // plan.ahead_gates * self.ahead_sums
        self.homes = min(2, self.chunks) * self.blocks
        self.stays = side * self.homes * self.home <= target.l3.size // HOME_SHARE
        least = max(WORD * plan.depth, WORD * plan.ahead_depth, self.bias, self.elements)
        self.page = aligned(max(least, min(PAGE, max(self.panel, self.ahead_inputs, self.ahead_weights))))
        # L2 has of each tile a state, cells, and sums of inputs on both ways; and biases. L3 has sums of inputs, which
        # stay or are on both ways, and states on their way out.
        of_tile = self.state + self.blocks * self.elements + self.ahead_sums + plan.slots * self.sums
        self.recurrent_pages = (
            self.blocks * (GATES // plan.gates) * -(-work.hidden // plan.depth)
            * self._paged(plan.gates * plan.block, plan.depth)
        )  # fmt: skip
        self.weight_pages = (
            self.blocks * (GATES // plan.ahead_gates) * -(-work.width // plan.ahead_depth)
            * self._paged(columns, plan.ahead_depth)
        )  # fmt: skip
        self.input_pages = -(-work.width // plan.ahead_depth) * self._paged(ahead, plan.ahead_depth)
        self.l2_pages = self._pages(
            target.l2.size - side * of_tile - work.ways * self.blocks * self.bias, target.block_mover.count
        )
        of_tile = self.homes * self.home if self.stays else self.ahead_sums + COMING * self.sums
        self.l3_pages = self._pages(target.l3.size - side * of_tile - LEAVING * self.page, target.dma.count)

    @property
    def fits(self) -> bool:
        """Whether the memories of the target hold it."""
        return self.l1 <= self.machine.target.l1.size and self.l2_pages[0] > 0 and self.l3_pages[0] > 0

    def _pages(self, size: int, engines: int) -> tuple[int, int]:
        every = max(0, size // self.page)
        streamed = min(every, max(2, min(STREAMED * engines, every // STREAM_SHARE)))
        wanted = self.work.ways * (self.recurrent_pages + self.weight_pages) + len(self.plan.fabric) * self.input_pages
        return streamed, min(every - streamed, wanted)

    def _paged(self, rows: int, depth: int) -> int:
        """Pages of so many rows of a reduction of `depth`."""
        return -(-rows // max(1, self.page // (depth * WORD)))
