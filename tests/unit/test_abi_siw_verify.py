"""The program verifier: what it refuses in words and programs."""

import pytest

from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.asm import assemble
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.limits import MAX_STEPS
from tfmbs.runtime.abi.records import ProgramKind
from tfmbs.runtime.abi.siw_verify import verify_program
from tfmbs.runtime.abi.types import DType


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
        ({"d_op": 2, "d_type": 0}, "ADD: element type, expected F32/F64/I32/I64, got 0"),
        ({"d_op": 2, "d_type": 15}, "ADD: element type, expected F32/F64/I32/I64, got 15"),
        ({"d_op": 13, "d_type": 12}, "AND: element type, expected I32/I64, got 12"),
        ({"d_op": 11, "d_type": 12, "d_aux": 16}, "CMP: aux"),
        ({"d_op": 11, "d_type": 6, "d_aux": 7}, "CMP: aux"),
        ({"d_op": 24, "d_type": 6, "d_aux": 7}, "RED: aux, expected SUM/MAX/MIN/PROD/AND/OR/XOR, got 7"),
        ({"d_op": 24, "d_type": 12, "d_aux": 3}, "RED: aux, expected SUM/MAX/MIN, got 3"),
        ({"d_op": 24, "d_type": 7, "d_aux": 0}, "RED: aux, expected MAX/MIN, got 0"),
        ({"d_op": 44, "d_type": 13, "d_aux": 4}, "SCAN: aux, expected SUM/MAX/MIN/PROD, got 4"),
        ({"d_op": 23, "d_type": 12, "d_aux": 14}, "CVT: aux"),
        ({"c_op": 7, "c_type": 12, "c_aux": 0}, "CAST: aux, expected BOOL/I8/"),
        ({"c_op": 7, "c_type": 14, "c_aux": 6}, "CAST: element type"),
        ({"c_op": 9, "c_type": 12, "c_aux": 6}, "RECV: unused field c_aux, expected 0, got 6"),
        ({"c_op": 9, "c_type": 12, "c_imm": 1 << 15}, "RECV: unused field c_imm, expected 0, got 32768"),
        ({"c_op": 9, "c_type": 12, "c_zero": 4}, "RECV: unused field c_zero"),
        ({"c_op": 8, "c_type": 10}, "REDUCE: element type"),
        ({"d_op": 2, "d_type": 13, "d_vd": 1}, "ADD: d_vd, a pair of registers, expected an even register, got v1"),
        ({"d_op": 2, "d_type": 8, "d_vb": 31}, "ADD: d_vb, a pair of registers, expected an even register, got v31"),
        ({"d_op": 11, "d_type": 13, "d_vd": 1, "d_va": 3}, "CMP: d_va, a pair of registers"),
        ({"d_op": 23, "d_type": 12, "d_va": 5, "d_aux": 8}, "CVT: d_va, a pair of registers"),
        ({"d_op": 42, "d_va": 7}, "MOV64: d_va, a pair of registers"),
        ({"d_op": 43, "d_va": 7, "d_vc": 9}, "SEL64: d_vc, a pair of registers"),
        ({"s_op": 1, "s_type": 9, "s_reg": 3}, "LD: s_reg, a pair of registers"),
        ({"s_op": 10, "s_type": 12, "s_index": 3}, "GATHER64: s_index, a pair of registers"),
        ({"s_op": 13, "s_type": 8, "s_reg": 1, "s_index": 3}, "SGET: s_index, a pair of registers"),
        ({"s_op": 13, "s_type": 6, "s_index": 2}, "SGET writes s0"),
        ({"s_op": 16}, "SMAX writes s0"),
        ({"c_op": 7, "c_type": 13, "c_reg": 2, "c_src": 1, "c_aux": 13}, "CAST: c_src, a pair of registers"),
        ({"c_op": 10, "c_type": 13, "c_reg": 11}, "SEND: c_reg, a pair of registers"),
        ({"s_op": 1, "s_type": 14}, "LD: element type"),
        ({"s_op": 5, "s_imm": 3}, "LI writes s0, which is always 0"),
        ({"left": 1}, "left in a word that does not wait for loads, expected 0, got 1"),
        ({"deps": 5, "left": 31}, "left in a word that does not wait for loads, expected 0, got 31"),
        ({"d_op": 1, "d_vd": 3, "s_op": 1, "s_type": 12, "s_reg": 3}, "slots D and S both write v3"),
        ({"d_op": 42, "d_vd": 2, "s_op": 1, "s_type": 12, "s_reg": 3}, "slots D and S both write v3"),
        ({"d_op": 1, "d_vd": 3, "c_op": 9, "c_type": 13, "c_reg": 2}, "slots D and C both write v3"),
        ({"s_op": 12, "s_type": 8, "s_reg": 2, "c_op": 8, "c_type": 12, "c_reg": 3}, "slots S and C both write v3"),
        (
            {"s_op": 2, "s_type": 12, "s_win": 1, "c_op": 9, "c_type": 12, "c_reg": 1, "c_src": 1},
            "slots S and C both access window 1, expected loads only, got a store",
        ),
        ({"s_op": 1, "s_type": 12, "c_op": 10, "c_type": 12}, "slots S and C both access window 0"),
        ({"s_op": 4, "s_type": 12, "c_op": 10, "c_type": 12}, "slots S and C both access window 0"),
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
        (
            "LD.F32 v0, w0, s0, s0, 0\nMOV v1, v0\nEND",
            "p word 1: waits, expected at least LOAD, got nothing",
        ),
        ("LD.F32 v0, w0, s0, s0, 0\nMOV v0, v1\nEND", "p word 1: waits, expected at least LOAD"),
        (
            "LD.F32 v0, w0, s0, s0, 0\nST.F32 v0, w1, s0, s0, 0\nEND",
            "p word 1: waits, expected at least LOAD",
        ),
        (
            "LD.I32 v0, w0, s0, s0, 0\nGATHER.I32 v1, w0, s0, v0, 0\nEND",
            "p word 1: waits, expected at least LOAD",
        ),
        ("EXP.F32 v0, v1\nMOV v2, v0\nEND", "p word 1: waits, expected at least COMPUTE"),
        ("DIV.F32 v0, v1, v1\nDIV.F32 v0, v1, v1\nEND", "p word 1: waits, expected at least COMPUTE"),
        (
            "ST.F32 v0, w1, s0, s0, 0\nLD.F32 v1, w1, s0, s0, 0\nEND",
            "p word 1: waits, expected at least STORE",
        ),
        (
            "LOOP s1, 2\nMOV v1, v0\nLD.F32 v0, w0, s0, s0, 0\nEND",
            "p word 1: waits, expected at least LOAD",
        ),
        (
            "LOOP s1, 1\nLD.F32 v0, w0, s0, s0, 0 | deps LOAD\nMOV v1, v0\nEND",
            "p word 2: waits, expected at least LOAD",
        ),
        (
            "LD.F32 v0, w0, s0, s0, 0\nLD.F32 v1, w0, s0, s0, 1\nMOV v2, v0 | deps LOAD-2\nEND",
            "p word 2: waits, expected at least LOAD-1, got LOAD-2",
        ),
        ("LD.F64 v0, w0, s0, s0, 0\nMOV v2, v1\nEND", "p word 1: waits, expected at least LOAD"),
        ("RECV.F32 v0, w0\nCAST.I32 v1, v0, F32\nEND", "p word 1: waits, expected at least LOAD"),
        ("SCAN.F32 v0, v1, v2, SUM\nMOV v3, v0\nEND", "p word 1: waits, expected at least COMPUTE"),
        ("SEND.F32 v0, w1\nLD.F32 v0, w1, s0, s0, 0\nEND", "p word 1: waits, expected at least STORE"),
        ("SEND.F32 v0, w1\nRECV.F32 v0, w1\nEND", "p word 1: waits, expected at least STORE"),
        ("RECV.F32 v0, w2\nEND", "p word 0: RECV: window, expected below 2, got 2"),
        ("SEND.F32 v0, w16\nEND", "p word 0: SEND: window, expected below 2, got 16"),
        ("SKIP s1, 0\nNOP\nEND", "p word 0: SKIP: last word to skip, expected 1…1, got 0"),
        ("SKIP s1, 2\nNOP\nEND", "p word 0: SKIP: last word to skip, expected 1…1, got 2"),
        ("LOOP s1, 2\nSKIP s1, 2\nNOP\nNOP\nEND", "p word 1: SKIP: last word to skip, expected 2…2, got 3"),
        ("SKIP s1, 2\nLOOP s1, 2\nNOP\nNOP\nEND", "p word 1: LOOP: last word of the body, expected 2…2, got 3"),
        ("LOOP s1, 1\nNOP\nBREAK s1\nEND", "p word 2: BREAK, expected inside a loop"),
        ("SKIP s1, 1\nBREAK s1\nEND", "p word 1: BREAK, expected inside a loop"),
        ("SKIP s2, 1\nNOP\nLI s1, 10\nLOOP s1, 1\nNOP\nEND", "at most max_steps = 12, got 15"),
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
        ("GATHER64.F32 v1, w0, s1, v0, 0\nEND", "GATHER64 in an epilogue: base, expected s0, got s1"),
        ("INDEX.I32 v1, s4, s1, 0\nEND", "INDEX in an epilogue: base and index, expected s1, s4 or"),
        ("ADDI s5, s1, 1\nINDEX.I32 v1, s5, s0, 0\nEND", "INDEX in an epilogue: base and index"),
        ("INDEX.I32 v1, s6, s0, 0\nSMAX s6, s5, s0\nSADD s5, s4, s3\nEND", "INDEX in an epilogue: base and index"),
        ("LOOP s2, 1\nMOV v0, v0\nEND", "LOOP in an epilogue: count, expected one that does not depend on s1, s2"),
        ("ADDI s1, s1, 1\nEND", "ADDI in an epilogue writes s1"),
        ("SMAX s3, s1, s0\nEND", "SMAX in an epilogue writes s3"),
        ("REDUCE.F32 v0, v1, SUM\nEND", "REDUCE in an epilogue"),
        ("SCAN.F32 v0, v1, v2, SUM\nEND", "SCAN in an epilogue"),
        ("LAST v0, v1\nEND", "LAST in an epilogue"),
        ("LAST64 v0, v2\nEND", "LAST64 in an epilogue"),
        ("SGET.I32 s5, v1\nEND", "SGET in an epilogue"),
        ("RECV.F32 v0, w0\nEND", "RECV in an epilogue"),
        ("SEND.F32 v0, w0\nEND", "SEND in an epilogue"),
        ("SCATTER64.F32 v0, w0, s0, v2, 0\nEND", "SCATTER64 in an epilogue"),
        ("SKIP s5, 1\nNOP\nEND", "SKIP in an epilogue"),
        ("LOOP s4, 1\nBREAK s4\nEND", "BREAK in an epilogue"),
    ],
)
def test_epilogues_are_lane_wise(text, message):
    _refused(text, message, kind=ProgramKind.EPILOGUE)
    _verify("LD.F32 v1, w0, s2, s3, 5\nADD.F32 v0, v0, v1 | END | deps LOAD", kind=ProgramKind.EPILOGUE)


def test_epilogues_may_compute_scalars_that_no_lane_sees():
    _verify("ADDI s5, s1, 1\nLI s6, 3\nINDEX.I32 v1, s6, s0, 4 | LOOP s6, 1\nNOP\nEND", kind=ProgramKind.EPILOGUE)


def test_epilogues_may_use_wide_lanes_conversions_and_positions():
    _verify(
        "INDEX.I64 v2, s1, s4, 0\nCAST.F64 v4, v0, F32 | GATHER64.F64 v6, w0, s0, v2, 0\n"
        "ADD.F64 v0, v4, v6 | END | deps LOAD",
        kind=ProgramKind.EPILOGUE,
    )


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


def test_streams_are_windows():
    used = _verify("RECV.F64 v0, w0 | LD.F32 v3, w1, s0, s0, 0\nSEND.F32 v2, w1\nEND")
    assert used.types == {0: {DType.F64}, 1: {DType.F32}}
    assert (used.loaded, used.stored) == ({0, 1}, {1})


def test_a_while_loop_needs_no_more_than_the_largest_number_of_steps():
    _verify("LI s1, 65535\nSMUL s1, s1, s1\nSMUL s1, s1, s1 | LOOP s1, 1\nBREAK s2\nEND", max_steps=MAX_STEPS)
    _refused(
        "LI s1, 65535\nSMUL s1, s1, s1\nLOOP s1, 1\nBREAK s2\nEND",
        "words it executes, expected at most max_steps = 100, got 4294836229",
        max_steps=100,
    )
