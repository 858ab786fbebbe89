"""Parts of the back end by themselves: memory, bounds, coloring, timing, and that the schedule check sees mistakes."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.siw_code import F32, TIMING, Kernel, axpy, compiled, instr
from tfmbs.passes.siw.inductions import fold_steps
from tfmbs.passes.siw.machine import ZERO, Bank, Code, Instr, Item, Reg, Touch
from tfmbs.passes.siw.modulo_bounds import recurrence_bound
from tfmbs.passes.siw.registers_color import color
from tfmbs.passes.siw.schedule_check import check_schedule
from tfmbs.passes.siw.schedule_graph import Graph
from tfmbs.passes.siw.schedule_memory import distance, overlaps
from tfmbs.passes.siw.schedule_names import ScheduleError
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.records import ProgramKind
from tfmbs.runtime.abi.siw_bounds import Edge
from tfmbs.runtime.abi.siw_cycles import execute
from tfmbs.runtime.abi.siw_verify import required_deps

LOOP = 3


@given(*(st.integers(-20, 20) for _ in range(2)), *(st.integers(-6, 6) for _ in range(3)), st.integers(1, 8))
def test_places_that_meet_are_found(a: int, b: int, s: int, t: int, step: int, lanes: int) -> None:
    """What is said to be apart is; with equal strides, what is said to meet does."""
    first, second = Touch(0, a, ((LOOP, step),), s), Touch(0, b, ((LOOP, step),), t)
    for ahead in range(4):
        here = {a + i * s for i in range(lanes)}
        there = {b + step * ahead + i * t for i in range(lanes)}
        said = overlaps(first, second, lanes, LOOP, ahead)
        assert said or not here & there
        if s == t:
            assert said == bool(here & there)


@given(st.integers(-40, 40), st.integers(-40, 40), st.integers(-6, 6), st.integers(1, 8))
def test_the_distance_is_that_of_the_first_meeting(a: int, b: int, step: int, lanes: int) -> None:
    load = instr("S", "LD", Touch(0, a, ((LOOP, step),), 1))
    store = instr("S", "ST", Touch(0, b, ((LOOP, step),), 1))
    met = [n for n in range(1, 120) if abs(b + step * n - a) < lanes]
    found = distance(load, store, lanes, LOOP)
    if met:
        assert found is not None
        assert found == met[0] if met[0] <= 16 else found <= met[0]


@pytest.mark.parametrize("touch", [None, Touch(0, 0, None)])
def test_unknown_places_may_be_any(touch: Touch | None) -> None:
    assert overlaps(touch, Touch(0, 99, (), 1), 4)
    assert not overlaps(Touch(1), Touch(0), 4)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(1, 9), st.integers(1, 3)), max_size=8))
def test_the_recurrence_bound_is_that_of_the_worst_cycle(edges: list[tuple[int, int, int, int]]) -> None:
    graph = Graph([instr("D", "NOP")] * 5, [1] * 5, [[] for _ in range(5)], [[] for _ in range(5)])
    for source, to, cycles, ahead in edges:
        graph.out[source].append(Edge(source, to, cycles, ahead))
    worst = 1
    for length in range(1, 6):
        for path in product(range(5), repeat=length):
            if len(set(path)) < length:
                continue
            steps = [[e for e in graph.out[n] if e.to == m] for n, m in zip(path, [*path[1:], path[0]], strict=True)]
            for chosen in product(*steps):
                total, ahead = sum(e.cycles for e in chosen), sum(e.ahead for e in chosen)
                worst = max(worst, -(-total // ahead))
    assert recurrence_bound(graph) == worst


@settings(max_examples=50)
@given(st.integers(1, 40), st.integers(0, 10), st.randoms(use_true_random=False))
def test_colors_of_conflicting_registers_differ(vectors: int, pairs: int, random: Random) -> None:
    order = [Reg(Bank.VECTOR, n) for n in range(vectors)] + [Reg(Bank.PAIR, 100 + n) for n in range(pairs)]
    conflicts = [0] * len(order)
    for n in range(len(order)):
        for m in range(n):
            if random.random() < 0.6:
                conflicts[n] |= 1 << m
                conflicts[m] |= 1 << n
    coloring = color(order, conflicts, {})
    taken = {r: {c, c + 1} if r.bank is Bank.PAIR else {c} for r, c in coloring.color.items()}
    assert len(taken) + len(coloring.failed) == len(order)
    assert all(c % 2 == 0 for r, c in coloring.color.items() if r.bank is Bank.PAIR)
    for n, m in product(range(len(order)), repeat=2):
        if conflicts[n] >> m & 1 and order[n] in taken and order[m] in taken:
            assert not taken[order[n]] & taken[order[m]]
    if vectors + 2 * pairs <= siw.VECTOR_REGISTERS:
        assert not coloring.failed or pairs


def test_steps_of_addresses_are_put_together() -> None:
    pointer, value = Reg(Bank.SCALAR, 1), Reg(Bank.VECTOR, 1)
    step = {"reg": pointer, "base": pointer, "imm": 7}
    load = {"type": F32, "reg": value, "win": 0, "base": pointer, "index": ZERO}
    items: list[Item] = [
        instr("S", "LI", reg=pointer, imm=0),
        instr("S", "ADDI", **step),
        instr("S", "LD", imm=1, **load),
        instr("S", "ADDI", **step),
        instr("S", "LD", imm=-3, **load),
    ]
    folded = [item for item in fold_steps(items) if isinstance(item, Instr)]
    assert [(i.op.name, i.imms.get("s_imm")) for i in folded] == [("LI", 0), ("LD", 8), ("LD", 11), ("ADDI", 14)]


def _changed(word: bytes, **fields: int) -> bytes:
    return siw.encode({**siw.decode(word), **fields})


def _bound(words: list[bytes]) -> list[bytes]:
    return [siw.encode({**siw.decode(w), **d._asdict()}) for w, d in zip(words, required_deps(words), strict=True)]


def _recheck(code: Code, words: list[bytes], max_steps: int) -> None:
    check_schedule(code, _bound(words), code.windows, max_steps + 100, ProgramKind.VECTOR)


def test_the_check_sees_every_change_of_a_program() -> None:
    """Another register or immediate anywhere changes what is stored."""
    code = axpy(20)
    program = compiled(code)
    seen = 0
    for n, word in enumerate(program.words):
        fields = siw.decode(word)
        changes = [
            _changed(word, **{f: fields[f] ^ 1})
            for slot in "dsc"
            for f in siw.OP_BY_CODE[slot.upper(), fields[f"{slot}_op"]].uses
            if f in ("d_va", "d_vb", "d_vc", "d_vd", "s_reg", "s_imm") or (f == "s_base" and fields[f])
        ]
        for changed in changes:
            with pytest.raises((ScheduleError, TfmbsError)):
                _recheck(code, [*program.words[:n], changed, *program.words[n + 1 :]], program.max_steps)
            seen += 1
    assert seen > 20


def test_the_check_sees_a_store_before_its_value() -> None:
    code = axpy(20)
    words = [*compiled(code).words]
    (at,) = (n for n, word in enumerate(words) if siw.decode(word)["d_op"])
    words[at], words[at + 1] = words[at + 1], words[at]
    with pytest.raises(ScheduleError, match="elements of window 3 differ"):
        _recheck(code, words, 1000)


def test_the_check_sees_a_missing_wait() -> None:
    code = axpy(20)
    program = compiled(code)
    for n, word in enumerate(program.words):
        if siw.decode(word)["deps"]:
            words = [*program.words[:n], _changed(word, deps=0, left=0), *program.words[n + 1 :]]
            with pytest.raises(TfmbsError, match="wait"):
                check_schedule(code, words, program.windows, program.max_steps, ProgramKind.VECTOR)


def _run(*items: dict[str, int]) -> tuple[int, dict[str, int]]:
    words = _bound([siw.encode(item) for item in (*items, {"c_op": siw.OP_BY_NAME["C", "END"].code})])
    outcome = execute(words, TIMING)
    return outcome.issued[len(items) - 1], dict(outcome.stalls)


def _word(slot: str, name: str, **operands: int) -> dict[str, int]:
    prefix = slot.lower()
    return {f"{prefix}_op": siw.OP_BY_NAME[slot, name].code, **{f"{prefix}_{k}": v for k, v in operands.items()}}


BEATS = siw.VLMAX // TIMING.lanes
ADD = _word("D", "ADD", type=F32, vd=1, va=2, vb=3)
EXP = _word("D", "EXP", type=F32, vd=1, va=2)
LD = _word("S", "LD", type=F32, reg=1)
ISSUES = [
    ("a full slot", [ADD, _word("D", "ADD", type=F32, vd=4, va=5, vb=6)], BEATS, "slot D"),
    ("chaining to a load", [LD, _word("D", "NEG", type=F32, vd=2, va=1)], TIMING.latency["memory"], "operand"),
    ("a slow producer", [EXP, _word("S", "ST", type=F32, reg=1)], 24 + BEATS, "operand"),
    ("an operand in use", [EXP, _word("S", "LD", type=F32, reg=2)], BEATS, "overwritten operand"),
    ("a reduction's end", [_word("D", "RED", type=F32, vd=1, va=2), _word("S", "ST", type=F32, reg=1)], 67, "operand"),
    ("stores complete", [_word("S", "ST", type=F32, reg=1), LD], BEATS + TIMING.latency["store"], "store"),
]


@pytest.mark.parametrize(("words", "issue", "cause"), [i[1:] for i in ISSUES], ids=[i[0] for i in ISSUES])
def test_when_the_second_word_issues(words: list[dict[str, int]], issue: int, cause: str) -> None:
    assert _run(*words) == (issue, {cause: issue - 1})


def test_limited_trips_leave_the_interval() -> None:
    program = compiled(axpy(400, stream=True))
    (whole,) = execute(program.words, TIMING).loops.values()
    (short,) = execute(program.words, TIMING, most_trips=5).loops.values()
    assert whole.interval == short.interval
    assert (whole.trips, short.trips) == (399, 5)


def test_work_is_counted_without_filler() -> None:
    k = Kernel(10)
    moved = k.compute("MOV", k.load(0), dtype=None)
    k.store(1, k.compute("ADD", moved, moved))
    code = Code(k.code(2).items, 2)
    outcome = execute(compiled(code).words, TIMING)
    assert outcome.slot("D") == 10 * BEATS
    assert outcome.operations == outcome.slot("D") + outcome.slot("S") + outcome.slot("C")
