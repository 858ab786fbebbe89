"""The parts of modulo scheduling that decide whether a loop reaches its bound: windows of VLs, address steps, waits."""

from __future__ import annotations

import pytest

from tests.unit.siw_code import F32, TIMING, Kernel, compiled, instr
from tfmbs.passes.siw.machine import ZERO, Bank, Code, Loop, Reg, Touch
from tfmbs.passes.siw.modulo_phases import Phases
from tfmbs.passes.siw.modulo_steps import step_places
from tfmbs.passes.siw.modulo_windows import Windows, fits_before
from tfmbs.passes.siw.schedule_check import check_schedule
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.records import ProgramKind
from tfmbs.runtime.abi.siw_cycles import execute
from tfmbs.runtime.abi.siw_verify import decode_program

BEATS = siw.VLMAX // TIMING.lanes


def interval(code: Code) -> tuple[float, int]:
    """Cycles of a turn of the only loop as executed, and the iterations of a turn."""
    program = compiled(code)
    (loop,) = program.report.loops
    (measured,) = execute(program.words, TIMING).loops.values()
    return measured.interval, loop.copies * loop.unroll


def scaled_rows(trips: int, times: int) -> Code:
    """Rows of 512 in window 0, multiplied by an element of window 1 each, so many `times`: window 2."""
    k = Kernel(trips)
    row, factor, scale = k.reg(Bank.SCALAR), k.reg(), k.reg()
    k.before.append(instr("S", "LI", reg=row, imm=0))
    y = k.load(0, stream=True)
    k.body += [
        instr("C", "SETVL", imm=1),
        instr("S", "LD", Touch(1, 0, ((0, 1),), 1), type=F32, reg=factor, win=1, base=row, index=ZERO, imm=0),
        instr("D", "LAST", vd=scale, va=factor),
        instr("C", "SETVL", imm=siw.VLMAX),
    ]
    for _ in range(times):
        y = k.compute("MUL", y, scale)
    k.store(2, y, stream=times > 1)
    k.body.append(instr("S", "ADDI", reg=row, base=row, imm=1))
    return k.code(3)


def test_what_all_lanes_read_is_loaded_into_all_lanes_where_slot_s_has_the_cycles() -> None:
    """D is the fullest slot, and S has time: nothing of VL 1 is left, and no SETVL in the loop."""
    code = scaled_rows(200, 3)
    cycles, rows = interval(code)
    assert 3 * BEATS * rows <= cycles < 3 * BEATS * rows + 1
    words = decode_program(compiled(code).words, "program")
    at = next(n for n, word in enumerate(words) if word.c.op.name == "LOOP")
    body = words[at + 1 : at + 1 + words[at].fields["c_imm"]]
    assert not [word for word in body if word.c.op.name == "SETVL" or word.d.op.name == "LAST"]


def test_a_value_of_one_lane_stays_one_where_all_slots_are_full() -> None:
    """A row takes a load, a product and a store of 64 cycles each, all in different slots, and little more."""
    cycles, rows = interval(scaled_rows(200, 1))
    assert BEATS + 1 <= cycles / rows <= BEATS + 2


def test_a_slot_that_loads_what_it_stores_turns_round_once_an_interval() -> None:
    """y = y * a in slot C, with window 0 as two streams: in every interval a receive waits for the sends before it."""
    k = Kernel(96)
    a = k.constant(1)
    y = k.load(0, stream=True)
    for n in range(2):
        y = k.compute("FMA", k.load(2 + n), a, y)
    k.store(0, y, stream=True)
    program = compiled(k.code(4))
    (loop,) = program.report.loops
    latency = TIMING.latency["store"]
    assert loop.recurrence == 2 * BEATS * loop.unroll + latency
    (measured,) = execute(program.words, TIMING).loops.values()
    assert measured.interval == loop.copies * loop.recurrence
    assert loop.unroll > 1


def test_steps_of_addresses_take_idle_cycles_and_otherwise_one_each() -> None:
    first, second = Reg(Bank.SCALAR, 1), Reg(Bank.SCALAR, 2)
    places = step_places([first, second], 100, 10, {100, 105}, [(100, 5), (106, 4)])  # idle: 105, where a word is
    assert places.of == {first: (105, 0), second: (100, -1)}
    assert places.added == 1
    around = step_places([first], 100, 10, {108}, [(108, 4)])  # on until 112, which is 102
    assert around.of == {first: (102, 0)}
    assert around.added == 0


@pytest.mark.parametrize("trips", [64, 67])
def test_a_kernel_takes_an_address_step_once_a_turn(trips: int) -> None:
    """S is full: each turn is longer by one cycle for its step, however many iterations it has."""
    k = Kernel(trips)
    x, y = k.load(0), k.load(1)
    k.store(2, k.compute("ADD", x, y))
    program = compiled(k.code(3))
    (loop,) = program.report.loops
    (measured,) = execute(program.words, TIMING).loops.values()
    assert measured.interval == loop.turn == loop.copies * loop.interval + 1
    assert loop.interval == 3 * BEATS * loop.unroll


def test_a_loop_that_only_moves_an_address() -> None:
    k = Kernel(64)
    code = k.code(2)
    at = {"win": 1, "base": k.pointer, "index": k.one}
    x = Reg(Bank.VECTOR, 900)
    code.items.append(instr("S", "LD", Touch(0, 0, (), 1), type=F32, reg=x, win=0, base=ZERO, index=k.one, imm=0))
    code.items.append(instr("S", "ST", Touch(1, terms=None), type=F32, reg=x, imm=0, **at))
    assert compiled(code).report.loops == ()


@pytest.mark.parametrize("vl", [8, siw.VLMAX])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 16, 33, 36, 37, 38])
def test_loops_of_a_number_that_only_runs_tell(count: int, vl: int) -> None:
    """The kernel runs as often as it goes, a loop behind it the rest; with copies of registers and without."""
    for chain in (0, 4):
        k = Kernel(count, vl)
        x, y = k.load(0, stream=chain > 0), k.load(1)
        z = k.compute("MUL", x, y)
        for _ in range(chain):
            z = k.compute("ADD", z, x)
        k.store(2, z)
        if count:  # otherwise nothing is in z
            k.after.append(instr("S", "ST", Touch(3, 0, (), 0), type=F32, reg=z, win=3, base=ZERO, index=ZERO, imm=0))
        code = k.code(4)
        for item in code.items:
            if isinstance(item, Loop):
                item.trips = None
        (loop,) = compiled(code).report.loops
        assert (loop.copies > 1) == (vl == 8)


def test_windows_are_as_tight_as_their_operations_allow() -> None:
    """VL 1: D and S twice a cycle; then a send behind the load that must not come after it; VL 512: C is full."""
    phases = Phases((1, 512), (2, 256), (1, 64), 260, (0, 0, 0, 0, 0, 1, 1, 1, 1))
    slots, busy = "DDSSCCCCC" + "C" * 2, [1, 1, 1, 1, 1, 64, 64, 64, 64, 1, 1]
    windows = Windows.of(phases, slots, busy, {(3, 4)})
    assert windows is not None
    setvl, wide = windows.starts
    assert (setvl, wide) == (0, 4)
    assert windows.place[3] < windows.place[4] < wide  # the send is in a word behind the load, the SETVL behind it
    assert all(setvl < windows.place[n] and fits_before(wide, windows.place[n], busy[n]) for n in range(5))
    assert windows.bound == wide + 1 + 4 * 64


def test_a_setvl_waits_for_last_beats_but_for_those_of_its_own_word() -> None:
    assert fits_before(10, 10, 64)
    assert fits_before(10, 7, 4)
    assert not fits_before(10, 7, 5)


def test_checks_see_a_step_at_the_wrong_place() -> None:
    """A kernel whose address step is left out stores elsewhere, which the check of schedules finds."""
    k = Kernel(64)
    k.store(1, k.load(0))
    code = k.code(2)
    program = compiled(code)
    at, word = next((n, w) for n, w in enumerate(decode_program(program.words, "p")) if w.s.op.name == "ADDI")
    fields = {**word.fields, "s_imm": word.fields["s_imm"] + 1}
    wrong = [*program.words[:at], siw.encode(fields), *program.words[at + 1 :]]
    with pytest.raises(Exception, match="window"):
        check_schedule(code, wrong, program.windows, program.max_steps, ProgramKind.VECTOR)
