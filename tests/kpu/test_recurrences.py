"""LSTM on the simulator: bytes, waits and traffic of many shapes and memories, and what the model expects."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest

from tests.kpu.programs import expanded
from tests.kpu.recurrences import layouts, plain, random_recurrences
from tests.kpu.test_hazards import check_deletions
from tests.kpu.test_kinds import ran
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.movement.expansion import Expansion
from tfmbs.runtime.abi.movement.fields import PART_FIELDS, Memory
from tfmbs.runtime.abi.movement.machine import Machine
from tfmbs.runtime.abi.movement.memory import Slot
from tfmbs.runtime.abi.movement.pages import Pages
from tfmbs.runtime.abi.target_file import load_target
from tfmbs.runtime.devices.kpu import KpuContext, walked
from tfmbs.tools.bench.simulated import models
from tfmbs.tools.bench.simulated.workload import Workload, simulate

SEEDS = range(40)
FROM, SOURCE, TO = (PART_FIELDS.index(name) for name in ("from", "source", "target"))


@pytest.mark.parametrize("seed", SEEDS)
def test_bytes_are_the_emulators_and_nothing_conflicts(seed: int) -> None:
    context = ran(random_recurrences(seed))
    context.check_hazards()
    assert context.stats.measured is not None


def test_the_random_programs_have_every_kind_of_plan() -> None:
    every = [layout for seed in SEEDS for layout in layouts(random_recurrences(seed))]
    for kinds in (
        {layout.stays for layout in every},
        {layout.chunks > 1 for layout in every},
        {layout.plan.slots > 1 for layout in every},
        {layout.plan.gates > 1 for layout in every},
        {layout.plan.ahead_gates > 1 for layout in every},
        {layout.plan.depth < layout.work.hidden for layout in every},
        {layout.plan.ahead_depth < layout.work.width for layout in every},
        {layout.work.hidden % layout.plan.block > 0 for layout in every},
        {layout.plan.rows < layout.work.batch for layout in every},
        {layout.l2_pages[1] + layout.l3_pages[1] < layout.recurrent_pages for layout in every},
        {len(layout.plan.fabric) > 1 for layout in every},
    ):
        assert kinds == {True, False}


def test_every_wait_that_is_deleted_is_reported() -> None:
    """Of random programs that are not too long."""
    programs = [expanded(random_recurrences(seed)) for seed in SEEDS]
    short = [program for program in programs if len(program.movements) < 500]
    assert len(short) > 3
    assert sum(check_deletions(program) for program in short[:4]) > 200


def loads(context: KpuContext, image: Image, tensor: int) -> Counter[int]:
    """How often each page of a tensor of weights comes to L3, by its first byte."""
    row, timing = image.tensors[tensor], context.timing
    at = timing.tables.parts[timing.column("part_first")[timing.column("part_count") > 0]]
    low, high = row["offset"], row["offset"] + row["bytes"]
    here = (at[:, SOURCE] == Memory.WEIGHTS) & (at[:, TO] == Memory.L3) & (at[:, FROM] >= low) & (at[:, FROM] < high)
    return Counter(at[here][:, FROM].tolist())


@pytest.mark.parametrize("hidden", [64, 256])
def test_recurrent_weights_that_fit_come_once_and_all_others_with_each_step(hidden: int) -> None:
    """kpu-minimal has 128 and 256 KB of L2 and L3: for 64 KB of weights, or a part of 1 MB."""
    steps = 4
    image = plain(steps, 1, 16, hidden)
    (layout,), context = layouts(image), ran(image)
    assert layout.chunks == 1
    found = loads(context, image, image.args[0])
    kept = min(layout.recurrent_pages, layout.l2_pages[1] + layout.l3_pages[1])
    assert len(found) == layout.recurrent_pages
    assert Counter(found.values()) == Counter([1] * kept + [steps] * (layout.recurrent_pages - kept))
    assert kept * layout.page > (0.6 * 1024 * (128 + 256) if hidden == 256 else 0)


@pytest.mark.parametrize(("steps", "batch"), [(3, 2), (12, 48)])
def test_weights_of_inputs_come_once_for_as_many_steps_as_are_multiplied_at_once(steps: int, batch: int) -> None:
    image = plain(steps, batch, 160, 160)
    (layout,), context = layouts(image), ran(image)
    jobs = -(-batch // layout.plan.rows)
    assert (layout.chunks > 1) == (batch > 2)
    found = loads(context, image, image.descriptors[0]["rhs"])
    assert set(found.values()) <= {jobs * layout.chunks, jobs}
    assert max(found.values()) == jobs * layout.chunks


@pytest.mark.parametrize("sizes", [(16, 1, 64, 64), (12, 16, 64, 64), (8, 1, 256, 256), (6, 16, 256, 256)])
def test_the_model_expects_what_the_simulator_takes(sizes: tuple[int, int, int, int]) -> None:
    found = simulate(Workload("t", "t", partial(models.lstm, *sizes)))
    assert found.predicted is not None
    assert 0.8 * found.cycles < found.predicted < 1.2 * found.cycles


def test_sums_of_inputs_stay_in_l3_or_go_to_the_workspace() -> None:
    for batch, stays in ((1, True), (16, False)):
        image = plain(3, batch, 32, 256)
        (layout,), context = layouts(image), ran(image)
        parts = context.timing.tables.parts
        assert layout.stays is stays
        out, back = (bool((parts[:, column] == Memory.WORKSPACE).any()) for column in (TO, SOURCE))
        assert (out, back) == (not stays, not stays)
        assert (context.last.program.workspace == 0) is stays


def test_pages_that_stay_are_spread_evenly() -> None:
    """Of 12 pages 6 find a slot: every other one; those of an earlier class all do; who has a slot keeps it."""
    slots = [[Slot(memory, 64 * i, 64) for i in range(count)] for memory, count in ((0, 1), (0, 3), (1, 1), (1, 5))]
    image = random_recurrences(0)
    expansion = Expansion(image, image.descriptors, Machine.of(load_target("kpu-minimal")), walked)
    pages = Pages(expansion, (slots[0], slots[1]), (slots[2], slots[3]))
    pages.settle(["a", "b"], range(12))
    assert pages.kept == {"a", "b", 0, 2, 4, 6, 8, 10}
    pages.settle(range(12))
    assert pages.kept == {0, 2, 4, 6, 8, 10, 1, 7}
