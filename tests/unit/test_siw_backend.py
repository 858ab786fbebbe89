"""The back end as a whole: known intervals of classic loops, spills, epilogues, and random programs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.siw_code import (
    F32,
    F64,
    I8,
    I32,
    TIMING,
    Kernel,
    RandomCode,
    axpy,
    compiled,
    dot,
    instr,
    softmax_rows,
    stencil,
)
from tfmbs.passes.siw.machine import ZERO, Bank, Code, CodegenError, Instr, Item, Loop, Reg, Touch
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.records import ProgramKind
from tfmbs.runtime.abi.siw_cycles import execute
from tfmbs.runtime.abi.siw_word import decode_word
from tfmbs.runtime.abi.types import DType

ONE = Reg(Bank.SCALAR, 9000)
BEATS = siw.VLMAX // TIMING.lanes


@settings(max_examples=40, deadline=None)
@given(
    st.builds(
        RandomCode,
        st.integers(0, 1 << 30),
        st.sampled_from([6, 12, 30, 40]),
        st.sampled_from([0, 3, 8, 18]),
        st.sampled_from([10, 30, 60]),
        st.sampled_from([(512,), (512, 16), (512, 100, 7)]),
    )
)
def test_random_programs(program: RandomCode) -> None:
    compiled(program.code())


@pytest.mark.parametrize(
    "program",
    [
        RandomCode(1011418818, 12, 0, 10, (512, 16)),  # a register that each iteration writes twice, at last unread
        RandomCode(37867973, 6, 18, 10, (512,)),  # a spill with which another value to be spilled becomes dead
    ],
)
def test_programs_that_were_wrong_once(program: RandomCode) -> None:
    compiled(program.code())


def requantize(trips: int = 100) -> Code:
    k = Kernel(trips)
    scale, low, high = (k.constant(2, n) for n in range(3))
    x = k.compute("CVT", k.load(0, dtype=I32, stream=True), aux=I32)
    rounded = k.compute("ROUND", k.compute("MUL", x, scale))
    clamped = k.compute("MIN", k.compute("MAX", rounded, low), high)
    k.store(1, k.compute("CVT", clamped, aux=F32, dtype=I8), dtype=I8, stream=True)
    return k.code(3)


# What the fullest slot needs, but for the steps of addresses: three accesses of S; two streams of C; D and C even; …
# Of two iterations of the dot product, D multiplies and adds up one, C receives and adds up the other.
BOUNDS = [
    ("axpy", axpy(), 3 * BEATS, 1),
    ("axpy in streams", axpy(stream=True), 2 * BEATS, 1),
    ("dot", dot(), 4 * BEATS, 2),
    ("dot in streams", dot(stream=True), 3 * BEATS, 2),
    ("stencil", stencil(), 3 * BEATS, 1),
    ("requantize", requantize(), 4 * BEATS, 1),
    ("softmax of rows", softmax_rows(), 144, 1),
]


@pytest.mark.parametrize(("code", "bound", "unroll"), [b[1:] for b in BOUNDS], ids=[b[0] for b in BOUNDS])
def test_intervals_of_classic_loops(code: Code, bound: int, unroll: int) -> None:
    """The bound is what the slots allow; the schedule comes near it, and so do the words when they are executed."""
    program = compiled(code)
    (loop,) = program.report.loops
    assert (max(loop.resource, loop.recurrence), loop.unroll, program.report.spilled) == (bound, unroll, 0)
    (measured,) = execute(program.words, TIMING).loops.values()
    assert bound <= loop.interval <= bound * 1.02
    assert bound <= measured.interval / loop.copies <= bound * 1.02
    assert loop.turn - 1 <= measured.interval <= loop.turn


@pytest.mark.parametrize("trips", [1, 2, 3, 4, 5, 7, 16, 33, 34, 35])
@pytest.mark.parametrize("vl", [8, 64, 512])
def test_any_number_of_trips(trips: int, vl: int) -> None:
    """Iterations before and behind the kernel are as many as are left over."""
    compiled(axpy(trips, vl))
    compiled(axpy(trips, vl, stream=True))


def test_a_loop_that_waits_for_itself_is_not_faster() -> None:
    """y[i + 1 vector] = y[i] * 2: each iteration loads what the one before stored."""
    k = Kernel(50)
    y = k.load(0)
    k.store(0, k.compute("ADD", y, y), offset=siw.VLMAX)
    program = compiled(k.code(1))
    (measured,) = execute(program.words, TIMING).loops.values()
    chain = TIMING.latency["memory"] + TIMING.latency["alu"] + BEATS + TIMING.latency["store"]
    assert measured.interval >= chain


def test_pipelining_doubles_the_buffers_of_loads() -> None:
    """The kernel loads for the next iteration before it stores this one's result."""
    program = compiled(axpy(stream=True))
    assert program.report.loops[0].stages >= 2
    unpacked = program.report.sequential
    assert unpacked == 9


def _all_live(count: int, bank: Bank = Bank.VECTOR) -> Code:
    """`count` values, each computed from the one before; the last is needed first."""
    dtype, values = (F64, F32)[bank is Bank.VECTOR], [Reg(bank, n) for n in range(count)]
    items: list[Item] = [instr("S", "LI", reg=ONE, imm=1)]
    first = Reg(bank, 9001)
    load = {"type": dtype, "win": 0, "base": ZERO, "index": ONE}
    items.append(instr("S", "LD", Touch(0, 0, (), 1), reg=first, imm=0, **load))
    for value in values:
        items.append(instr("D", "ADD", type=dtype, vd=value, va=first, vb=first))
        items.append(instr("D", "MUL", type=dtype, vd=first, va=first, vb=value))
    items += [instr("D", "SUB", type=dtype, vd=first, va=first, vb=value) for value in reversed(values)]
    items.append(instr("S", "ST", Touch(1, 0, (), 1), type=dtype, reg=first, win=1, base=ZERO, index=ONE, imm=0))
    return Code(items, 2)


@pytest.mark.parametrize(("count", "bank", "element"), [(40, Bank.VECTOR, 4), (20, Bank.PAIR, 8)])
def test_spilled_vectors_have_a_window_of_their_own(count: int, bank: Bank, element: int) -> None:
    program = compiled(_all_live(count, bank))
    (spills,) = program.spills
    assert spills.window == 2
    assert program.windows == 3
    assert 8 <= program.report.spilled <= 12 or bank is Bank.PAIR
    assert program.spill_bytes == spills.bytes == program.report.spilled * siw.VLMAX * element


def test_what_fits_is_not_spilled() -> None:
    assert compiled(_all_live(30)).spills == ()
    assert compiled(_all_live(15, Bank.PAIR)).spills == ()


def test_loads_of_what_nothing_stores_are_repeated_instead() -> None:
    values = [Reg(Bank.VECTOR, n) for n in range(40)]
    items: list[Item] = [instr("S", "LI", reg=ONE, imm=1)]
    for passes in ("LD", "ST"):
        for n, value in enumerate(values if passes == "LD" else reversed(values)):
            at, window = n * siw.VLMAX, int(passes == "ST")
            operands = {"type": F32, "reg": value, "win": window, "base": ZERO, "index": ONE, "imm": at}
            items.append(instr("S", passes, Touch(window, at, (), 1), **operands))
    program = compiled(Code(items, 2))
    assert program.report.spilled > 0
    assert program.spills == ()


def test_scalars_beyond_the_registers() -> None:
    """Constants are made again; sums that differ every time travel through memory."""
    sums, counter = [Reg(Bank.SCALAR, n) for n in range(40)], Reg(Bank.SCALAR, 100)
    vector, count = Reg(Bank.VECTOR, 0), Reg(Bank.SCALAR, 101)
    items: list[Item] = [instr("S", "LI", reg=counter, imm=3), instr("S", "LI", reg=count, imm=5)]
    items += [instr("S", "SMUL", reg=s, base=counter, index=counter) for s in sums]
    body: list[Item] = [instr("S", "SADD", reg=s, base=s, index=counter) for s in sums]
    items.append(Loop(0, count, 5, [*body, instr("S", "SADD", reg=counter, base=counter, index=counter)]))
    for n, s in enumerate(sums):
        items.append(instr("S", "INDEX", type=I32, reg=vector, base=s, index=ZERO, imm=0))
        items.append(instr("S", "ST", Touch(0, n, (), 0), type=I32, reg=vector, win=0, base=ZERO, index=ZERO, imm=n))
    program = compiled(Code(items, 1))
    assert program.report.spilled >= 40 + 2 - 31
    assert [spills.window for spills in program.spills] == [1]


def _epilogue(constants: int, loads: int) -> Code:
    """v0 + many operands, all of which are read twice."""
    result = Reg(Bank.VECTOR, 0, fixed=0)
    total = Reg(Bank.VECTOR, 1)
    element, one = Reg(Bank.SCALAR, 1, fixed=1), Reg(Bank.SCALAR, 4, fixed=4)
    values = [Reg(Bank.VECTOR, 10 + n) for n in range(constants + loads)]
    items: list[Item] = []
    for n, value in enumerate(values):
        if n < constants:
            items.append(instr("S", "INDEX", type=I32, reg=value, base=ZERO, index=ZERO, imm=n))
        else:
            operands = {"type": F32, "reg": value, "win": 0, "base": element, "index": one, "imm": n}
            items.append(instr("S", "LD", Touch(0, n, None), **operands))
    items.append(instr("D", "MOV", vd=total, va=result))
    items += [instr("D", "ADD", type=F32, vd=total, va=total, vb=v) for v in (*values, *reversed(values))]
    items.append(instr("D", "MOV", vd=result, va=total))
    return Code(items, 1)


@pytest.mark.parametrize(("constants", "loads"), [(3, 2), (40, 0), (0, 40)])
def test_epilogues_make_values_again(constants: int, loads: int) -> None:
    program = compiled(_epilogue(constants, loads), ProgramKind.EPILOGUE)
    assert program.spills == ()


def test_epilogues_that_would_have_to_store_are_refused() -> None:
    values = [Reg(Bank.VECTOR, 10 + n) for n in range(40)]
    result = Reg(Bank.VECTOR, 0, fixed=0)
    items: list[Item] = []
    pairs = zip(values, [result, *values], strict=False)
    items += [instr("D", "EXP", type=F32, vd=value, va=before) for value, before in pairs]
    items += [instr("D", "ADD", type=F32, vd=result, va=result, vb=value) for value in values]
    with pytest.raises(CodegenError, match="too many values are live at once for the vector registers"):
        compiled(Code(items, 0), ProgramKind.EPILOGUE)


def test_two_values_cannot_be_in_one_place() -> None:
    first, second = Reg(Bank.VECTOR, 0, fixed=0), Reg(Bank.VECTOR, 1, fixed=0)
    items: list[Item] = [
        instr("D", "NEG", type=F32, vd=second, va=first),
        instr("D", "ADD", type=F32, vd=first, va=first, vb=second),
    ]
    with pytest.raises(CodegenError, match="two values are needed at once in v0"):
        compiled(Code(items, 0), ProgramKind.EPILOGUE)


def test_a_region_longer_than_an_operation_can_span_is_refused() -> None:
    count, value = Reg(Bank.SCALAR, 1), Reg(Bank.VECTOR, 0)
    body: list[Item] = [instr("D", "NEG", type=F32, vd=value, va=value) for _ in range(65536)]
    store = instr("S", "ST", Touch(0), type=F32, reg=value, win=0, base=ZERO, index=ZERO, imm=0)
    items: list[Item] = [instr("S", "LI", reg=count, imm=2), Loop(0, count, 2, body), store]
    with pytest.raises(CodegenError, match="over 65536 words"):
        compiled(Code(items, 1))


def test_the_program_given_stays_as_it_was() -> None:
    code = axpy()
    before = repr(code)
    compiled(code)
    assert repr(code) == before


def test_operations_know_their_source() -> None:
    k = Kernel(1)
    k.store(1, k.compute("NEG", k.load(0)))
    code = k.code(2)
    for n, item in enumerate(code.items[-1].body if isinstance(code.items[-1], Loop) else ()):
        if isinstance(item, Instr):
            item.source = n
    program = compiled(code)
    of = {"LD": 0, "NEG": 1, "ST": 2, "RECV": 0, "SEND": 2}
    seen: set[int] = set()
    for data, sources in zip(program.words, program.sources, strict=True):
        operations = {slot.op.slot: slot.op.name for slot in decode_word(data, "word").slots}
        for slot, source in sources.items():
            assert source == of.get(operations[slot], source)
            seen.add(source)
    assert seen == {0, 1, 2, -1}  # the loop itself has none


def test_the_first_interval_has_the_vl_of_its_operations() -> None:
    """Sums of single elements: a load with VL 1 that issued before the first SETVL would leave its window."""
    k = Kernel(20, 1)
    partials, total = k.reg(Bank.PAIR), k.reg(Bank.PAIR)
    x, first = k.reg(Bank.PAIR), k.reg(Bank.PAIR)
    k.before[-1] = instr("C", "SETVL", imm=siw.VLMAX)
    place = {"type": F64, "base": k.pointer, "index": ZERO, "imm": 0}
    k.body = [
        instr("C", "SETVL", imm=16),
        instr("S", "INDEX", type=DType.I64, reg=partials, base=ZERO, index=ZERO, imm=0),
        instr("C", "SETVL", imm=1),
        instr("S", "LD", Touch(0, 0, ((0, 1),), 1), reg=x, win=0, **{**place, "index": k.one}),
        instr("D", "RED", type=F64, vd=partials, va=x, aux=0),
        instr("D", "FOLD", type=F64, vd=total, va=partials, aux=0),
        instr("S", "LD", Touch(1, 0, ((0, 1),), 0), reg=first, win=1, **place),
        instr("D", "ADD", type=F64, vd=total, va=total, vb=first),
        instr("S", "ST", Touch(1, 0, ((0, 1),), 0), reg=total, win=1, **place),
    ]
    assert compiled(k.code(2)).report.loops
