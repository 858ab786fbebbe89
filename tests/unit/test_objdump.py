"""tfmbs-objdump and tfmbs-as: the text gives back the same bytes; bad text is refused at line and column."""

import contextlib
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.siw_programs import operations
from tfmbs.compiler.driver import Driver
from tfmbs.compiler.emit import emit
from tfmbs.dialect.mlir import context, ir
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.asm import assemble, disassemble
from tfmbs.runtime.abi.asm.words import word_text
from tfmbs.runtime.abi.container import Section
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.packing import pack_rows
from tfmbs.runtime.abi.records import NONE
from tfmbs.runtime.abi.sections import KINDS, MAJOR, Content
from tfmbs.runtime.abi.types import DTYPES, DType, Packing, Region
from tfmbs.runtime.abi.writing import write
from tfmbs.tools import assemble as as_tool
from tfmbs.tools import objdump

GOLDEN = Path(__file__).parents[1] / "golden" / f"v{MAJOR}"
FILES = sorted(GOLDEN.parent.glob("v*/*.tfb"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_tools_give_back_the_same_bytes(path, tmp_path, capsys):
    assert objdump.main([str(path)]) == 0
    source, output = tmp_path / "a.s", tmp_path / "a.tfb"
    source.write_text(capsys.readouterr().out, encoding="utf-8")
    assert as_tool.main([str(source), "-o", str(output)]) == 0
    assert output.read_bytes() == path.read_bytes()


def test_schedules_show_cycles_slots_sources_and_bounds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A long elementwise launch: one loop, whose interval is what its fullest slot needs."""
    text = """
        #id = affine_map<(d0) -> (d0)>
        func.func @main(%x: memref<65536xf32> {tfmbs.name = "x"},
                        %y: memref<65536xf32> {tfmbs.name = "y", tfmbs.output}) {
          linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
              ins(%x : memref<65536xf32>) outs(%y : memref<65536xf32>) {
          ^bb0(%in: f32, %out: f32):
            %0 = math.exp %in : f32
            linalg.yield %0 : f32
          } loc("node_exp")
          return
        }"""
    with context(), ir.Location.unknown():
        module = ir.Module.parse(text)
        Driver().run_text(module, "builtin.module(tfmbs-to-fabric)")
        (tmp_path / "exp.tfb").write_bytes(write(emit(module)))
    assert objdump.main([str(tmp_path / "exp.tfb"), "--schedule"]) == 0
    out = capsys.readouterr().out
    assert "from node_exp" in out
    (loop,) = (line for line in out.splitlines() if "loop:" in line)
    assert "II 128 cycles, 100 % of its bound (resources 128, recurrence 1); 2.0" in loop
    (exp,) = (line for line in out.splitlines() if " |" in line and "EXP.F32" in line)
    assert re.fullmatch(r" *\d+ \| *\d+  EXP.F32 v\d+, v\d+ .*(after LOAD(-\d+)?)?", exp)


# --- any image, valid or not ------------------------------------------------------------------------------------------


def _value(f):
    bits = 8 * f.width
    if f.kind == "f32":
        return st.floats(width=32, allow_nan=False)
    if f.enum is not None:
        one = st.sampled_from([*f.enum, 0, (1 << bits) - 1]).map(int)
    elif f.index is not None:
        one = st.sampled_from([0, 1, 2, 7, NONE])
    else:
        low = -(1 << (bits - 1)) if f.kind.startswith("i") else 0
        one = st.integers(low, low + (1 << bits) - 1)
    return st.tuples(*[one] * f.count) if f.count > 1 else one


def _content(kind):
    match kind.content:
        case Content.JSON:
            scalars = (
                st.none()
                | st.booleans()
                | st.integers(-(10**6), 10**6)
                | st.floats(allow_nan=False, allow_infinity=False)
                | st.text(max_size=4)
            )
            return st.dictionaries(st.text(max_size=4), st.recursive(scalars, st.lists, max_leaves=3), max_size=3)
        case Content.STRINGS:
            return st.lists(st.text(max_size=8), max_size=4, unique=True)
        case Content.RECORDS:
            return st.lists(st.fixed_dictionaries({f.name: _value(f) for f in kind.record.fields}), max_size=2)
        case Content.U32:
            return st.lists(st.integers(0, NONE), max_size=20)
        case Content.WORDS:
            return st.lists(st.binary(min_size=16, max_size=16), max_size=3)
        case _:
            return st.binary(max_size=200)


_IMAGES = st.builds(
    Image, **{kind.attribute: _content(kind) for kind in KINDS if kind.attribute and kind.name != "TENSOR"}
)


@settings(max_examples=60)
@given(_IMAGES)
def test_any_image_is_given_back(image):
    image.strings = [text for text in image.strings if not any(0xD800 <= ord(c) < 0xE000 for c in text)]
    image.extras = [Section(4000, "MORE", memoryview(b"\1\2"), 64, optional=True)]
    image.optional_features, image.declared_version = 3, (1, 9)
    assert assemble(disassemble(image)).to_bytes() == image.to_bytes()


def _waits():
    bits, left = st.integers(0, 7), st.integers(0, 31)
    return st.builds(lambda deps, n: {"deps": deps, "left": n if deps & siw.Dep.LOAD else 0}, bits, left)


@pytest.mark.parametrize("op", siw.OPS, ids=lambda op: f"{op.slot}.{op.name}")
@settings(max_examples=40)
@given(st.data())
def test_every_operation_is_given_back(op, data):
    fields = data.draw(operations(op)) | data.draw(_waits())
    text = word_text(siw.encode(fields))
    assert assemble(text).words == [siw.encode(fields)]
    writes_s0 = op.writes and op.writes not in op.vectors and fields[op.writes] == 0
    bad_length = op.name == "SETVL" and not 1 <= fields["c_imm"] <= siw.VLMAX
    assert text.startswith("WORD") == bool(writes_s0 or bad_length)


@settings(max_examples=150)
@given(*(st.sampled_from([op for op in siw.OPS if op.slot == slot]).flatmap(operations) for slot in "DSC"), _waits())
def test_words_are_given_back(d, s, c, waits):
    word = siw.encode(d | s | c | waits)
    assert assemble(word_text(word)).words == [word]


@settings(max_examples=150)
@given(st.binary(min_size=16, max_size=16))
def test_any_word_is_given_back(word):
    assert assemble(word_text(word)).words == [word]


@pytest.mark.parametrize(
    "text",
    [
        "FMA.F64 v2, v4, v6, v8 | RECV.F32 v1, w0 | deps COMPUTE+LOAD-2+STORE",
        "CVT.BF16 v1, v2, F64 | SGET.I64 s3, v4 | SEND.U16 v5, w15 | deps LOAD-31",
        "SEL64 v0, v3, v4, v6 | INDEX.I64 v8, s1, s2, -3 | CAST.F32 v10, v2, I32",
        "SCAN.I32 v0, v1, v2, XOR | GATHER64.U8 v3, w4, s5, v6, -7 | SKIP s3, 4",
        "REDUCE.F64 v0, v2, MAX | deps LOAD",
        "SMIN s1, s2, s3 | BREAK s4",
    ],
)
def test_new_words_read_as_written(text):
    assert word_text(assemble(text).words[0]) == text


def test_most_words_have_a_readable_text():
    word = siw.encode(
        {
            "d_op": 5,
            "d_type": 12,
            "d_vd": 1,
            "d_va": 2,
            "d_vb": 3,
            "d_vc": 4,
            "deps": 3,
            "c_op": 4,
            "c_reg": 7,
            "c_imm": 2,
        }
    )
    assert word_text(word) == "FMA.F32 v1, v2, v3, v4 | LOOP s7, 2 | deps COMPUTE+LOAD"
    assert word_text(bytes(16)) == "NOP"
    assert word_text(bytes(15) + b"\xf8") == "WORD 0xf8000000000000000000000000000000"


# --- weights ----------------------------------------------------------------------------------------------------------


def _one_tensor(dtype, dims, data, packing=Packing.DENSE):
    row = {
        "region": Region.WEIGHTS,
        "dtype": dtype,
        "packing": packing,
        "rank": len(dims),
        "slot": 0,
        "offset": 0,
        "bytes": len(data),
        "dims": (*dims, *(0,) * (8 - len(dims))),
        "name": 0,
    }
    return Image(strings=["w"], tensors=[row], weights=bytes(data))


@given(st.sampled_from([d for d in DType if DTYPES[d].bits]), st.integers(1, 20), st.data())
def test_weights_of_every_type_are_given_back(dtype, count, data):
    raw = data.draw(st.binary(min_size=count * DTYPES[dtype].bits // 8, max_size=count * DTYPES[dtype].bits // 8))
    image = _one_tensor(dtype, (count,), raw)
    assert assemble(disassemble(image)).weights == raw


@given(st.sampled_from([Packing.PT5, Packing.T2, Packing.I8]), st.integers(1, 4), st.integers(1, 12), st.data())
def test_trits_are_given_back(packing, rows, columns, data):
    trits = np.array(data.draw(st.lists(st.integers(-1, 1), min_size=rows * columns, max_size=rows * columns)), np.int8)
    raw = pack_rows(trits.reshape(rows, columns), packing).tobytes()
    image = _one_tensor(DType.TRIT, (rows, columns), raw, packing)
    assert assemble(disassemble(image)).weights == raw


@given(st.integers(1, 130), st.integers(1, 330), st.integers(0, 99))
def test_trits_of_rows_side_by_side_are_given_back(rows, columns, seed):
    trits = np.random.default_rng(seed).integers(-1, 2, (rows, columns), np.int8)
    raw = pack_rows(trits, Packing.A5).tobytes()
    text = disassemble(_one_tensor(DType.TRIT, (rows, columns), raw, Packing.A5))
    lines = [line.split()[2:] for line in text.splitlines() if line.startswith(".trits A5 ")]
    assert [row for line in lines for row in line] == ["".join("-0+"[trit + 1] for trit in row) for row in trits]
    assert assemble(text).weights == raw


def test_not_a_number_keeps_its_bits():
    raw = np.array([0x7FC00001, 0xFF800000, 0x80000000, 1], np.uint32).tobytes()
    text = disassemble(_one_tensor(DType.F32, (4,), raw))
    assert ".hex 0100c07f" in text
    assert assemble(text).weights == raw


# --- options and errors -----------------------------------------------------------------------------------------------


def test_options_select_parts(capsys):
    path = str(GOLDEN / "mlp.tfb")
    objdump.main([path, "--headers"])
    headers = capsys.readouterr().out
    assert headers.startswith("; tfb 1.0, requires VECTOR\n")
    assert "WEIGHTS              0x2000        328   4096" in headers
    assert not [line for line in headers.splitlines() if not line.startswith(";")]
    objdump.main([path, "--weights"])
    assert capsys.readouterr().out.startswith("; WEIGHTS\n; 0x0: tensor 3\n.f32 0.34558418, ")
    objdump.main([path, "--section", "SIW", "--section", "ARGS"])
    assert capsys.readouterr().out.splitlines() == [
        "; SIW",
        '; program "bias_relu"',
        "  LD.F32 v1, w0, s2, s3, 0 ; 0",
        "  ADD.F32 v0, v0, v1 | deps LOAD ; 1",
        "  MAX.F32 v0, v0, v2 | END ; 2",
        "",
        "; ARGS",
        ".args 4 ; 0",
    ]


def test_tools_refuse_with_one_line(tmp_path, capsys):
    bad = tmp_path / "bad.tfb"
    bad.write_bytes(b"\x89TFB\r\n\x1a\n")
    assert objdump.main([str(bad)]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"error: {bad}: byte 0x0: the header is cut off, expected 96 bytes, got 8"
    ]
    text = tmp_path / "bad.s"
    text.write_bytes(b"FMA.F32 v1, v2, v3\n\xff")
    assert as_tool.main([str(text), "-o", str(tmp_path / "out.tfb")]) == 1
    assert "text, expected UTF-8, got byte 0xff at 19" in capsys.readouterr().err
    text.write_text("NOP\nFMA.F32 v1, v2, v3\n")
    assert as_tool.main([str(text), "-o", str(tmp_path / "out.tfb")]) == 1
    assert capsys.readouterr().err.splitlines() == [f"error: {text}:2:19: syntax, expected ,, got end of line"]
    text.write_text("END\n")
    assert as_tool.main([str(text), "-o", str(tmp_path / "out.tfb")]) == 1
    assert ": TARGET: name" in capsys.readouterr().err
    assert not (tmp_path / "out.tfb").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n  FRB v1", "t:2:3: opcode FRB is not known"),
        ("ADD.F33 v0, v1, v2", "t:1:5: DType, expected BOOL/"),
        ("ADD v0, v1, v2", "t:1:5: syntax, expected ., got v0"),
        ("ADD.F32 v0, v1, s2", "t:1:17: syntax, expected v, got s2"),
        ("ADD.F32 v0, v1, v32", "t:1:17: ADD: d_vb, expected v0…v31, got v32"),
        ("LI s1, 65536", "t:1:8: LI: s_imm, expected -65536…65535, got 65536"),
        ("MOV v0, v1 | MOV v1, v2", "t:1:14: slot D is used twice in a word, got MOV"),
        ("MOV v0, v1 extra", "t:1:12: syntax, expected end of line, got extra"),
        ("MOV v0, v1 | deps LAOD", "t:1:19: Dep, expected COMPUTE/LOAD/STORE, got LAOD"),
        ("MOV v0, v1 | deps LOAD-32", "t:1:24: loads left, expected 0…31, got 32"),
        ("MOV v0, v1 | deps STORE-1", "t:1:24: syntax, expected end of line, got -1"),
        ("CAST.F32 v0, v1, I33", "t:1:18: DType, expected BOOL/"),
        ("RECV.F32 v0, v1", "t:1:14: syntax, expected w, got v1"),
        ("SKIP s1, 65536", "t:1:10: SKIP: c_imm, expected 0…65535, got 65536"),
        ("WORD 0x1ffffffffffffffffffffffffffffffff", "t:1:6: WORD, expected 128 bits"),
        ("@", "t:1:1: syntax, expected an opcode, got @"),
        (".nothing 3", "t:1:1: directive .nothing is not known"),
        (".tensor regoin=WEIGHTS", "t:1:9: field of .tensor, expected region/"),
        (".tensor region=WEIGHT", "t:1:16: Region, expected WEIGHTS/SCRATCH/STATE/INPUT/OUTPUT, got WEIGHT"),
        (".tensor rank=1 rank=2", "t:1:16: field rank is given twice"),
        (".tensor rank=256", "t:1:9: record tensor: field rank = 256"),
        (".tensor dims=[1,2,3,4,5,6,7,8,9]", "t:1:14: dims, expected at most 8 values, got 9"),
        ('.tensor name="x"', 't:1:14: string "x" is not among the .string lines before'),
        (".tensor name=x", "t:1:14: syntax, expected a string, got x"),
        ('.string "a"\n.string "a"', 't:2:8: string "a" appears twice'),
        ('.string "a', "t:1:9: JSON, expected Unterminated string"),
        ('.string "\\ud800"', "t:1:9: string, expected Unicode text, got a lone surrogate"),
        (".meta [1]", "t:1:6: JSON value, expected an object"),
        (".meta {", "t:1:8: JSON"),
        (".args 4294967296", "t:1:7: number, expected 32 bits, got 4294967296"),
        (".hex 0", "t:1:6: hexadecimal bytes, expected pairs of digits, got 0"),
        (".zero 0", "t:1:7: .zero, expected 1…2³² bytes, got 0"),
        (".i8 128", "t:1:5: value, expected one of int8, got 128"),
        (".f32 a", "t:1:6: syntax, expected a number, got a"),
        (".trits PT5 +-x", "t:1:14: trits, expected a packing and a row of + 0 -"),
        (".trits DENSE +", "t:1:14: trits"),
        (".trits PT5 + -", "t:1:14: syntax, expected end of line, got -"),
        (".trits A5 +- +", "t:1:14: trits, expected a row of 2, got 1"),
        (f".trits A5 {'+ ' * 65}", "t:1:139: syntax, expected end of line, got +"),
        (".version 1", "t:1:11: syntax, expected an integer, got end of file"),
    ],
)
def test_errors_name_line_and_column(text, message):
    with pytest.raises(TfmbsError) as caught:
        assemble(text, "t")
    assert message in str(caught.value)
    assert caught.value.code == "asm"


@settings(max_examples=200)
@given(st.text(max_size=60))
def test_any_text_is_assembled_or_refused(text):
    with contextlib.suppress(TfmbsError):
        assemble(text)


@settings(max_examples=100)
@given(st.data())
def test_damaged_text_is_assembled_or_refused(data):
    text = (GOLDEN / "ternary.s").read_text(encoding="utf-8")
    at = data.draw(st.integers(0, len(text) - 1))
    length = data.draw(st.integers(0, 5))
    damaged = text[:at] + data.draw(st.text(max_size=3)) + text[at + length :]
    with contextlib.suppress(TfmbsError):
        Image.from_buffer(assemble(damaged).to_bytes())
