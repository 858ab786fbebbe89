"""How an attention is cut into blocks of queries and panels of keys and values, and what a closed model expects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tfmbs.runtime.abi.array_timing import Sizes
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.movement.machine import Machine, array_cycles
from tfmbs.runtime.abi.movement.memory import aligned
from tfmbs.runtime.abi.movement.predicted import Prediction
from tfmbs.runtime.abi.movement.prediction import Stream, predict_streams
from tfmbs.runtime.abi.records import Dataflow
from tfmbs.runtime.abi.siw_timing import Timing

SLOTS = 2  # of what streams
WORD = 4
PASSES = 4  # of the vector engine over a row, besides exponentials and divisions
SHARE = 4  # of L2 and L3 for queries, masks and results


@dataclass(frozen=True)
class AttentionWork:
    """`heads` of each of `batch`; `shared` of them have the same keys and values. Elements are words, those of the mask
    have `mask_bytes` (0: none)."""

    batch: int
    heads: int
    shared: int
    rows: int
    columns: int
    width: int
    value_width: int
    mask_bytes: int = 0
    mask_rows: bool = False

    def query(self, rows: int) -> int:
        """Bytes of a block of queries."""
        return aligned(rows * self.width * WORD)

    def result(self, rows: int) -> int:
        """Bytes of its result."""
        return aligned(rows * self.value_width * WORD)

    def scores(self, rows: int) -> int:
        """Bytes of its scores."""
        return aligned(rows * self.columns * WORD)

    def mask(self, rows: int) -> int:
        """Bytes of its mask."""
        return aligned((rows if self.mask_rows else 1) * self.columns * self.mask_bytes)

    def key_panel(self, panel: int) -> int:
        """Bytes of a panel of keys."""
        return aligned(panel * self.width * WORD)

    def value_panel(self, panel: int) -> int:
        """Bytes of a panel of values."""
        return aligned(panel * self.value_width * WORD)


@dataclass(frozen=True)
class AttentionPlan:
    """Blocks of `rows` queries, panels of `panel` keys, and how many blocks have their scores in L1 at once: with two,
    the array makes the scores of the next block while the vector engine works on those of this one."""

    rows: int
    panel: int
    score_slots: int
    dataflow: Dataflow
    is_buffered: bool
    fabric: tuple[int, ...]


def planned_attention(
    work: AttentionWork,
    wanted: tuple[int, int],
    dataflow: Dataflow,
    buffers: int,
    fabric: Sequence[int],
    machine: Machine,
    where: str,
) -> AttentionPlan:
    """The plan for the rows and the panel that a schedule asks for, halved (the larger first) until L1, L2 and L3 hold
    them. Raises TfmbsError `unsupported`, located at `where`, where not even one row and one key fit.
    """
    target = machine.target
    rows, panel = min(wanted[0], work.rows), min(wanted[1], work.columns)
    while True:
        small = min(target.l2.size, target.l3.size) // SHARE
        others = SLOTS * (work.query(rows) + work.mask(rows) + work.result(rows))
        panels = SLOTS * (work.key_panel(panel) + work.value_panel(panel))
        left = target.l1.size - others - panels
        if left >= work.scores(rows) and others <= small and panels <= SLOTS * small:
            slots = 2 if buffers > 1 and left >= 2 * work.scores(rows) else 1
            jobs = work.batch * work.heads * -(-work.rows // rows)
            return AttentionPlan(rows, panel, slots, dataflow, buffers > 1, tuple(fabric[:jobs]))
        if rows == panel == 1:
            raise TfmbsError("unsupported", where, "its smallest tile does not fit the memories of the target")
        rows, panel = (-(-rows // 2), panel) if rows >= panel else (rows, -(-panel // 2))


def softmax_cycles(machine: Machine, columns: int) -> int:
    """What the vector engine takes for a row of scores."""
    timing = Timing.of(machine.target.vector)
    exponential = "special" if "exp" in timing.functions else "software"
    beats = -(-columns // timing.lanes)
    return beats * (PASSES + timing.cycles[exponential] + timing.cycles["div"]) + sum(
        timing.latency[unit] for unit in ("memory", "alu", "special", "div")
    )


def predict_attention(work: AttentionWork, plan: AttentionPlan, machine: Machine) -> Prediction:
    """The prediction for a launch: blocks follow each other on each tile, engines overlap with two slots of scores."""
    blocks = -(-work.rows // plan.rows)
    jobs, fabric = work.batch * work.heads * blocks, len(plan.fabric)
    panels = -(-work.columns // plan.panel)
    first, last = plan.panel, work.columns - (panels - 1) * plan.panel

    def fold(sizes: Sizes, *, again: bool) -> int:
        return array_cycles(machine, plan.dataflow, sizes, plan.is_buffered, again)

    array = 0
    for number, size in enumerate([first] * (panels - 1) + [last]):
        array += fold(Sizes(plan.rows, size, work.width), again=False)
        array += fold(Sizes(plan.rows, work.value_width, size), again=number > 0)
    softmax = plan.rows * softmax_cycles(machine, work.columns)
    of_group = panels * (work.key_panel(plan.panel) + work.value_panel(plan.panel))
    groups = work.batch * work.heads // work.shared
    turns = work.shared * blocks
    per_job = work.query(plan.rows) + work.mask(plan.rows)
    result = work.result(plan.rows)
    # Panels of a group stay in L2 and L3 while its blocks follow each other, where they fit beside what streams.
    stays = of_group <= machine.target.l3.size // 2
    into = (
        jobs * per_job + groups * of_group * (1 if stays else turns),
        jobs * per_job + groups * of_group * (1 if stays else turns),
        jobs * (per_job + of_group),
    )
    rounds = -(-jobs // fabric)
    stream = Stream(
        array=array * rounds,
        vector=softmax * rounds,
        into=into,
        results=jobs * result,
        first_bytes=per_job + work.key_panel(plan.panel),
        last_bytes=result,
        fabric=fabric,
        # The first block's scores and the last block's result are made by themselves.
        before=array // 2 + softmax if plan.score_slots > 1 else 0,
        in_turns=plan.score_slots == 1,
    )
    return predict_streams(stream, machine)
