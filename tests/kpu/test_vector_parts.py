"""Parts of a vector program overlap as their words do: the next one begins while beats of this one are under way, and
results leave when the beats that make them are over."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import pytest

from tests.conformance.builder import END, Builder, Fields, c, d, s
from tests.kpu.programs import expanded, rows
from tests.kpu.test_kinds import ran
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.movement.fields import MOVEMENT_FIELDS, Level, Op
from tfmbs.runtime.abi.movement.program import Program
from tfmbs.runtime.abi.records import Kind
from tfmbs.runtime.abi.siw import VLMAX
from tfmbs.runtime.abi.siw_cycles import decoded_words, execute
from tfmbs.runtime.abi.siw_timing import Timing
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.devices.kpu import Kpu, native_program
from tfmbs.runtime.hazards import conflicts


def sums(vl: int, count: int) -> Image:
    """y = x + x of `count` blocks of `vl` elements, word by word without a loop: two loads, then their stores."""
    builder = Builder("kpu-16x16")
    shape = (count * vl,)
    words: list[Fields] = [{**s("LI", reg=1, imm=1), **c("SETVL", imm=vl)}]
    for first in range(0, count, 2):
        blocks = range(first, min(first + 2, count))
        words += [s("LD", DType.F32, reg=b % 2, win=0, base=0, index=1, imm=b * vl) for b in blocks]
        words += [d("ADD", DType.F32, vd=b % 2, va=b % 2, vb=b % 2) for b in blocks]
        words += [s("ST", DType.F32, reg=b % 2, win=1, base=0, index=1, imm=b * vl) for b in blocks]
    builder.vector([*words, END], [builder.input("x", shape, DType.F32), builder.output("y", shape, DType.F32)])
    return builder.image()


def ends_of_accesses(image: Image, program: Program) -> list[int]:
    """When the last beat of each access is over, by the rule of `siw_cycles`."""
    timing = Timing.of(program.machine.target.vector)
    (descriptor,) = (one for one in image.descriptors if one["kind"] == Kind.VECTOR)
    record = image.programs[descriptor["program"]]
    words = image.words[record["first_word"] : record["first_word"] + record["word_count"]]
    found = execute(words, timing)
    return [
        found.issued[at] + timing.busy(one.op, found.vl[at]) + timing.result_latency(one.op)
        for at, word in enumerate(decoded_words(words))
        for one in word.operations
        if one.op.name in ("LD", "ST")
    ]


def parts_of(program: Program) -> tuple[list[int], list[int], list[int]]:
    """Accesses of each part, the cycles for which it has the engine, and those until it ends."""
    accesses, owned, busy = [], [], []
    columns = [MOVEMENT_FIELDS.index(name) for name in ("op", "busy_ps", "lag_ps", "parameter_first")]
    for op, busy_ps, lag_ps, parameters in program.movements[:, columns].tolist():
        if op == Op.VECTOR:
            accesses.append(int(program.parameters[parameters + 1]))
            owned.append((busy_ps - lag_ps) // program.machine.core_ps)
            busy.append(busy_ps // program.machine.core_ps)
    return accesses, owned, busy


@pytest.mark.parametrize(("vl", "count"), [(VLMAX, 9), (300, 9), (24, 120)])
def test_a_part_ends_with_the_beats_of_its_accesses(vl: int, count: int) -> None:
    image = sums(vl, count)
    program = expanded(image)
    accesses, owned, busy = parts_of(program)
    ends = ends_of_accesses(image, program)
    assert len(accesses) > 2
    assert accesses[-1] == -1
    assert sum(accesses[:-1]) < len(ends) == 2 * count
    starts = [0, *accumulate(owned)]
    behind = [*accumulate(accesses[:-1])]
    for part, last in enumerate(behind):
        assert starts[part] + busy[part] == max(ends[:last])
        assert busy[part] > owned[part]  # the engine goes on before that
    assert starts[-1] >= max(ends)


def test_results_leave_when_they_are_made_and_not_later() -> None:
    """Of the whole run: what takes a part's results from L1 starts after its end, the next part before that."""
    image = sums(VLMAX, 9)
    context = Kpu(image).context()
    context.run("main", {"x": np.arange(9 * VLMAX, dtype=np.float32)})
    timing = context.timing
    parts = np.flatnonzero(timing.column("op") == Op.VECTOR)
    leaving = np.flatnonzero((timing.column("source") == Level.L1) & (timing.column("op") == Op.COPY))
    waits = timing.program.waits_of_each()
    for number in leaving.tolist():
        (made,) = (part for part in parts.tolist() if part in waits[number])
        assert timing.start[number] >= timing.end[made]
    assert len(leaving) > 2
    assert (timing.start[parts[1:]] < timing.end[parts[:-1]]).any()
    assert (np.diff(timing.end[parts]) >= 0).all()


def test_parts_that_leave_something_for_each_other_do_not_wait_for_it() -> None:
    """Words have their order whatever beats overlap: sums in L1, read by the next part, take what one part would."""
    image = rows()
    program = expanded(image)
    assert not conflicts(program, native_program(program))
    parts = set(np.flatnonzero(program.movements[:, MOVEMENT_FIELDS.index("op")] == Op.VECTOR).tolist())
    waits = program.waits_of_each()
    assert len(parts) > 2
    assert not any(part in parts for number in parts for part in waits[number])
    assert (program.movements[sorted(parts), MOVEMENT_FIELDS.index("lag_ps")] > 0).any()
    ran(image)
