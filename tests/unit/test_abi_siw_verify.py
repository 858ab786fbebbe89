"""The program verifier: what it refuses in words and programs; dependency bits and step counts against execution."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.asm import assemble
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.records import ProgramKind
from tfmbs.runtime.abi.siw import Dep
from tfmbs.runtime.abi.siw_deps import missing_deps
from tfmbs.runtime.abi.siw_steps import count_steps
from tfmbs.runtime.abi.siw_verify import decode_program, required_deps, verify_program
from tfmbs.runtime.abi.types import DType

ZEROS = dict.fromkeys(range(siw.SCALAR_REGISTERS), 0)


def _verify(text, kind=ProgramKind.VECTOR, windows=2, max_steps=1000):
    return verify_program(assemble(text).words, kind, windows, max_steps, "p")


def _refused(text, message, code="siw", **options):
    with pytest.raises(TfmbsError) as caught:
        _verify(text, **options)
    assert message in str(caught.value)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"d_op": 200}, "slot D: opcode 200 is not known"),
        ({"s_op": 255}, "slot S: opcode 255 is not known"),
        ({"c_op": 99}, "slot C: opcode 99 is not known"),
        ({"d_vd": 1}, "NOP: unused field d_vd, expected 0, got 1"),
        ({"s_imm": -1}, "NOP: unused field s_imm, expected 0, got -1"),
        ({"c_imm": 1}, "END: unused field c_imm"),
        ({"c_zero": 1}, "END: unused field c_zero"),
        ({"d_op": 1, "d_type": 12}, "MOV: unused field d_type"),
        ({"d_op": 2, "d_type": 0}, "ADD: element type, expected F32/I32, got 0"),
        ({"d_op": 2, "d_type": 15}, "ADD: element type, expected F32/I32, got 15"),
        ({"d_op": 13, "d_type": 12}, "AND: element type, expected I32, got 12"),
        ({"d_op": 11, "d_type": 12, "d_aux": 16}, "CMP: aux"),
        ({"d_op": 11, "d_type": 6, "d_aux": 7}, "CMP: aux"),
        ({"d_op": 24, "d_type": 6, "d_aux": 3}, "RED: aux, expected SUM/MAX/MIN, got 3"),
        ({"d_op": 23, "d_type": 12, "d_aux": 13}, "CVT: aux"),
        ({"s_op": 1, "s_type": 14}, "LD: element type"),
        ({"s_op": 5, "s_imm": 3}, "LI writes s0, which is always 0"),
        ({"deps": 8}, "dependency bits, expected within 0x7, got 0x8"),
        ({"d_op": 1, "d_vd": 3, "s_op": 1, "s_type": 12, "s_reg": 3}, "slots D and S both write v3"),
    ],
)
def test_bad_words_are_refused(fields, message):
    data = siw.encode({"c_op": 1, **fields})
    with pytest.raises(TfmbsError) as caught:
        verify_program([data], ProgramKind.VECTOR, 2, 10, "p")
    assert message in str(caught.value)
    assert str(caught.value).startswith("error: p word 0: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("NOP\nNOP", "p word 1: END, expected in the last word, and only there"),
        ("END\nEND", "p word 0: END"),
        ("SETVL 0\nEND", "SETVL, expected 1…512, got 0"),
        ("SETVL 513\nEND", "SETVL, expected 1…512, got 513"),
        ("LOOP s1, 0\nNOP\nEND", "p word 0: LOOP: last word of the body, expected 1…1, got 0"),
        ("LOOP s1, 2\nNOP\nEND", "p word 0: LOOP: last word of the body, expected 1…1, got 2"),
        ("LOOP s1, 2\nLOOP s1, 2\nNOP\nNOP\nEND", "p word 1: LOOP: last word of the body, expected 2…2, got 3"),
        (
            "\n".join(f"LOOP s1, {9 - i}" for i in range(9)) + "\nNOP\nEND",
            "p word 8: nested loops, expected at most 8, got 9",
        ),
        ("LD.F32 v0, w2, s0, s0, 0\nEND", "LD: window, expected below 2, got 2"),
        ("LD.F32 v0, w0, s0, s0, 0\nMOV v1, v0\nEND", "p word 1: dependency bits, expected LOAD set, got 0x0"),
        ("LD.F32 v0, w0, s0, s0, 0\nMOV v0, v1\nEND", "p word 1: dependency bits, expected LOAD set"),
        ("LD.F32 v0, w0, s0, s0, 0\nST.F32 v0, w1, s0, s0, 0\nEND", "p word 1: dependency bits, expected LOAD set"),
        ("LD.I32 v0, w0, s0, s0, 0\nGATHER.I32 v1, w0, s0, v0, 0\nEND", "p word 1: dependency bits, expected LOAD set"),
        ("EXP.F32 v0, v1\nMOV v2, v0\nEND", "p word 1: dependency bits, expected COMPUTE set"),
        ("DIV.F32 v0, v1, v1\nDIV.F32 v0, v1, v1\nEND", "p word 1: dependency bits, expected COMPUTE set"),
        ("ST.F32 v0, w1, s0, s0, 0\nLD.F32 v1, w1, s0, s0, 0\nEND", "p word 1: dependency bits, expected STORE set"),
        ("LOOP s1, 2\nMOV v1, v0\nLD.F32 v0, w0, s0, s0, 0\nEND", "p word 1: dependency bits, expected LOAD set"),
        (
            "LOOP s1, 1\nLD.F32 v0, w0, s0, s0, 0 | deps LOAD\nMOV v1, v0\nEND",
            "p word 2: dependency bits, expected LOAD",
        ),
        ("LI s1, 10\nLOOP s1, 1\nNOP\nEND", "words it executes, expected at most max_steps = 12, got 13"),
    ],
)
def test_bad_programs_are_refused(text, message):
    _refused(text, message, max_steps=12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ST.F32 v0, w0, s0, s0, 0\nEND", "ST in an epilogue, expected lane-wise operations only"),
        ("SETVL 4\nEND", "SETVL in an epilogue"),
        ("RED.F32 v0, v1, SUM\nEND", "RED in an epilogue"),
        ("LD.F32 v1, w0, s1, s0, 0\nEND", "base and index, expected s1, s4 or s2, s3 or s0, s0, got s1, s0"),
        ("GATHER.F32 v1, w0, s1, v0, 0\nEND", "GATHER in an epilogue: base, expected s0, got s1"),
        ("ADDI s1, s1, 1\nEND", "ADDI in an epilogue writes s1"),
    ],
)
def test_epilogues_are_lane_wise(text, message):
    _refused(text, message, kind=ProgramKind.EPILOGUE)
    _verify("LD.F32 v1, w0, s2, s3, 5\nADD.F32 v0, v0, v1 | END | deps LOAD", kind=ProgramKind.EPILOGUE)


@pytest.mark.parametrize("max_steps", [0, 1 << 63])
def test_max_steps_is_limited(max_steps):
    _refused("END", "max_steps", "resource-limit", max_steps=max_steps)


def test_results_of_other_units_are_forwarded():
    _verify("ADD.F32 v0, v1, v2\nMUL.F32 v0, v0, v0\nST.F32 v0, w1, s0, s0, 0\nST.F32 v0, w1, s0, s0, 0 | END")


def test_windows_are_reported():
    text = "LD.F32 v0, w0, s0, s0, 0\nST.F32 v1, w1, s0, s0, 0\nST.I8 v1, w1, s0, s0, 0 | END"
    used = _verify(text)
    assert used.types == {0: {DType.F32}, 1: {DType.F32, DType.I8}}
    assert (used.loaded, used.stored) == ({0}, {1})


# --- dependency bits against execution --------------------------------------------------------------------------------

_REGISTERS = st.integers(0, 3)
_WINDOW = st.integers(0, 1)
_SLOT_D = st.one_of(
    st.just({}),
    st.builds(lambda d, a: {"d_op": 1, "d_vd": d, "d_va": a}, _REGISTERS, _REGISTERS),
    st.builds(lambda d, a: {"d_op": 28, "d_type": 12, "d_vd": d, "d_va": a}, _REGISTERS, _REGISTERS),
    st.builds(lambda d, a, b: {"d_op": 6, "d_type": 12, "d_vd": d, "d_va": a, "d_vb": b}, *[_REGISTERS] * 3),
)
_SLOT_S = st.one_of(
    st.just({}),
    st.builds(
        lambda op, r, w: {"s_op": op, "s_type": 12, "s_reg": r, "s_win": w},
        st.sampled_from([1, 2]),
        _REGISTERS,
        _WINDOW,
    ),
    st.builds(
        lambda r, i, w: {"s_op": 3, "s_type": 12, "s_reg": r, "s_index": i, "s_win": w}, _REGISTERS, _REGISTERS, _WINDOW
    ),
)


def _word(d, s):
    if d and s.get("s_op") in (1, 3) and d["d_vd"] == s["s_reg"]:
        d = {}
    return {**d, **s}


_BLOCKS = st.recursive(
    st.lists(st.builds(_word, _SLOT_D, _SLOT_S), min_size=1, max_size=4),
    lambda inner: st.lists(st.one_of(st.builds(_word, _SLOT_D, _SLOT_S), inner), min_size=1, max_size=4),
    max_leaves=12,
)


def _flatten(block):
    words = []
    for item in block:
        if isinstance(item, dict):
            words.append(item)
        else:
            body = _flatten(item)
            words += [{"c_op": 4, "c_reg": 1, "c_imm": len(body)}, *body]
    return words


def _trace(words, first, end, trips, out):
    i = first
    while i <= end:
        out.append(i)
        if words[i].get("c_op") == 4:
            last = i + words[i]["c_imm"]
            for _ in range(trips(i)):
                _trace(words, i + 1, last, trips, out)
            i = last
        i += 1
    return out


def _violations(words, deps, trace):
    """Runs the words in the order of `trace` with results in flight until they are waited for."""
    load, slow, stored, bad = set(), set(), set(), []
    for i in trace:
        w = words[i]
        if deps[i] & Dep.LOAD:
            load.clear()
        if deps[i] & Dep.COMPUTE:
            slow.clear()
        if deps[i] & Dep.STORE:
            stored.clear()
        touched = {w[name] for name in ("d_vd", "d_va", "d_vb") if name in w}
        touched |= {w["s_reg"]} if "s_op" in w else set()
        touched |= {w["s_index"]} if w.get("s_op") == 3 else set()
        reads_window = {w["s_win"]} if w.get("s_op") in (1, 3) else set()
        if touched & (load | slow) or reads_window & stored:
            bad.append(i)
        if w.get("d_op") in (6, 28):
            slow.add(w["d_vd"])
        if w.get("s_op") in (1, 3):
            load.add(w["s_reg"])
        if w.get("s_op") == 2:
            stored.add(w["s_win"])
    return bad


@settings(max_examples=150)
@given(_BLOCKS, st.data())
def test_required_bits_suffice_on_every_path(block, data):
    words = [*_flatten(block), {"c_op": 1}]
    encoded = [siw.encode(word) for word in words]
    deps = required_deps(encoded)
    trips = {i: data.draw(st.integers(0, 3)) for i, word in enumerate(words) if word.get("c_op") == 4}
    trace = _trace(words, 0, len(words) - 1, trips.__getitem__, [])
    assert _violations(words, deps, trace) == []
    marked = [siw.encode({**word, "deps": bits}) for word, bits in zip(words, deps, strict=True)]
    assert missing_deps(decode_program(marked, "p")) == [0] * len(words)


@settings(max_examples=150)
@given(_BLOCKS, st.data())
def test_a_violation_on_some_path_is_always_found(block, data):
    words = [*_flatten(block), {"c_op": 1}]
    deps = [data.draw(st.integers(0, 7)) for _ in words]
    trips = {i: data.draw(st.integers(0, 3)) for i, word in enumerate(words) if word.get("c_op") == 4}
    trace = _trace(words, 0, len(words) - 1, trips.__getitem__, [])
    marked = [siw.encode({**word, "deps": bits}) for word, bits in zip(words, deps, strict=True)]
    missing = missing_deps(decode_program(marked, "p"))
    assert set(_violations(words, deps, trace)) <= {i for i, bits in enumerate(missing) if bits}


@given(st.lists(st.builds(_word, _SLOT_D, _SLOT_S), min_size=1, max_size=8))
def test_straight_code_carries_no_bit_too_many(words):
    words = [*words, {"c_op": 1}]
    deps = required_deps([siw.encode(word) for word in words])
    for i, bits in enumerate(deps):
        for dep in Dep:
            if bits & dep:
                fewer = [*deps[:i], bits & ~dep, *deps[i + 1 :]]
                assert _violations(words, fewer, range(len(words)))


# --- steps against execution ------------------------------------------------------------------------------------------

_SCALARS = st.integers(1, 3)
_SCALAR_OPS = st.one_of(
    st.builds(lambda r, i: {"s_op": 5, "s_reg": r, "s_imm": i}, _SCALARS, st.integers(-2, 4)),
    st.builds(lambda r, i: {"s_op": 6, "s_reg": r, "s_imm": i}, _SCALARS, st.integers(-1, 1)),
    st.builds(lambda r, b, i: {"s_op": 7, "s_reg": r, "s_base": b, "s_imm": i}, _SCALARS, _SCALARS, st.integers(-2, 2)),
    st.builds(
        lambda op, r, b, i: {"s_op": op, "s_reg": r, "s_base": b, "s_index": i},
        st.sampled_from([8, 9]),
        *[_SCALARS] * 3,
    ),
)
_SCALAR_BLOCKS = st.recursive(
    st.lists(_SCALAR_OPS, min_size=1, max_size=3),
    lambda inner: st.lists(st.one_of(_SCALAR_OPS, st.tuples(_SCALARS, inner)), min_size=1, max_size=3),
    max_leaves=8,
)
_STEP_LIMIT = 20_000


def _flatten_scalar(block):
    words = []
    for item in block:
        if isinstance(item, tuple) and isinstance(item[1], list):
            body = _flatten_scalar(item[1])
            words += [{"c_op": 4, "c_reg": item[0], "c_imm": len(body)}, *body]
        elif isinstance(item, list):
            words += _flatten_scalar(item)
        else:
            words.append(item)
    return words


def _execute(words, first, end, s, steps):
    def wrap(value):
        return (value + (1 << 63)) % (1 << 64) - (1 << 63)

    i = first
    while i <= end and steps <= _STEP_LIMIT:
        w = words[i]
        trips = s[w["c_reg"]] if w.get("c_op") == 4 else 0
        steps += 1
        base, index, imm = s[w.get("s_base", 0)], s[w.get("s_index", 0)], w.get("s_imm", 0)
        rules = {5: imm, 6: s[w.get("s_reg", 0)] << 17 | imm & 0x1FFFF, 7: base + imm, 8: base + index, 9: base * index}
        if "s_op" in w:
            s[w["s_reg"]] = wrap(rules[w["s_op"]])
        if w.get("c_op") == 4:
            last = i + w["c_imm"]
            trip = 0
            while trip < trips and steps <= _STEP_LIMIT:
                steps = _execute(words, i + 1, last, s, steps)
                trip += 1
            i = last
        i += 1
    return steps


@settings(max_examples=150)
@given(_SCALAR_BLOCKS)
def test_step_counts_agree_with_execution(block):
    words = [*_flatten_scalar(block), {"c_op": 1}]
    counted = count_steps(decode_program([siw.encode(word) for word in words], "p"), ZEROS)
    executed = _execute(words, 0, len(words) - 1, [0] * siw.SCALAR_REGISTERS, 0)
    if executed <= _STEP_LIMIT:
        assert counted in (None, executed)
    else:
        assert counted is None or counted > _STEP_LIMIT


def test_constant_loops_are_counted_exactly():
    text = "LI s1, 1000\nLI s2, 3\nLOOP s1, 3\nADDI s3, s3, 1 | LOOP s2, 2\nNOP\nNOP\nEND"
    assert count_steps(decode_program(assemble(text).words, "p"), ZEROS) == 3 + 1000 * (1 + 3 * 2) + 1
