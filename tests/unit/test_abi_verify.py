"""What the image verifier refuses: each case is a golden file with one change in its assembly text."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.golden.builder import Builder
from tfmbs.runtime.abi import container
from tfmbs.runtime.abi.asm import assemble
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.limits import MAX_JSON_BYTES, MAX_REGION_BYTES, MAX_STEPS
from tfmbs.runtime.abi.records import DESCRIPTOR, Kind
from tfmbs.runtime.abi.sections import MAJOR
from tfmbs.runtime.abi.types import DTYPES, DType, Packing, Region
from tfmbs.runtime.abi.writing import write
from tfmbs.runtime.devices import open_device
from tfmbs.runtime.signature import entries_of

GOLDEN = Path(__file__).parents[1] / "golden" / f"v{MAJOR}"


def _text(name):
    return (GOLDEN / f"{name}.s").read_text(encoding="utf-8")


def _changed(name, old, new):
    text = _text(name)
    assert old in text, f"{name}.s does not hold {old!r}"
    return assemble(text.replace(old, new, 1), f"{name}.s").to_bytes()


def _refused(name, old, new, message, code="record"):
    with pytest.raises(TfmbsError) as caught:
        Image.from_buffer(_changed(name, old, new))
    assert message in str(caught.value)
    assert caught.value.code == code


FIELDS = [
    ("mlp", "kind=GEMM lhs=%0", "kind=0 lhs=%0", "CODE[0].kind at byte 0xb80: the kernel, expected GEMM/"),
    ("mlp", "kind=GEMM lhs=%0", "kind=77 lhs=%0", "got 77"),
    ("mlp", "lhs=%0", "lhs=%6", "CODE[0].lhs at byte 0xb84: left operand, input or source, expected below 6 or none"),
    ("mlp", "geometry=%0", "geometry=%2", "index of its sizes, expected below 2"),
    ("mlp", "mask=%0 program", "mask=%1 program", "CODE[0].mask"),
    ("mlp", 'io name="x" tensor=%0', 'io name="x" tensor=%9', "IO_SIG[0].tensor"),
    ("mlp", 'name="hidden" ;', "name=4000 ;", "TENSOR[2].name"),
    ("mlp", "rank=2 bytes=64", "rank=9 bytes=64", "expected at most 8, got 9"),
    ("mlp", "buffers=2", "buffers=0", "expected at least 1, got 0"),
    ("mlp", "windows=1", "windows=17", "expected at most 16, got 17"),
    ("mlp", "fusion_order=-1", "fusion_order=-2", "expected at least -1, got -2"),
    ("mlp", "fusion_order=-1", "fusion_order=-1 fusion_sparsity=nan", "expected 0…1, got nan"),
    ("conv", "stride_height=1", "stride_height=0", "expected at least 1, got 0"),
]

TENSORS = [
    ("mlp", "dims=[2, 8]", "dims=[2, 8, 1]", "dims beyond the rank"),
    ("mlp", "dims=[2, 8]", "dims=[2]", "size in bytes, expected 0, got 64"),
    ("mlp", "dims=[2, 6]", "dims=[2]", "expected at least 1, got [2, 0]"),
    ("mlp", "bytes=64 dims=[2, 8]", "bytes=60 dims=[2, 8]", "size in bytes, expected 64, got 60"),
    ("mlp", "dims=[2, 8]", "dims=[4294967295, 4294967295]", "size in bytes, expected 73786976260478468100"),
    ("mlp", "dtype=F32 packing=DENSE", "dtype=F32 packing=PT5", "packing of F32, got PT5"),
    ("ternary", "dtype=TRIT packing=PT5", "dtype=TRIT packing=DENSE", "packing of TRIT, got DENSE"),
    (
        "ternary",
        "region=WEIGHTS dtype=TRIT",
        "region=SCRATCH dtype=TRIT",
        "a ternary tensor, expected of rank 1…8 in W",
    ),
    ("mlp", "offset=192", "offset=193", "expected a multiple of 4, got 193"),
    ("mlp", "offset=256", "offset=260", "end in WEIGHTS, expected at most 328, got 332"),
    ("mlp", "offset=256", "offset=18446744073709551612", "end in WEIGHTS"),
    ("mlp", "region=SCRATCH", "region=STATE", "end in STATE, expected at most 0, got 48"),
    ("mlp", 'bytes=48 dims=[2, 6] name="hidden"', 'slot=1 bytes=48 dims=[2, 6] name="hidden"', "slot in SCRATCH"),
    ("mlp", "words=[1]", "words=[]", "tiles, expected at least one"),
    ("mlp", "words=[1]", "words=[3]", "tile, expected below 1, got 1"),
    ("mlp", "words=[1]", "words=[1, 0, 0, 9223372036854775808]", "tile, expected below 1, got 255"),
    (
        "state",
        '.state name="total" bytes=16',
        '.state name="total" bytes=16\n.state name="x" bytes=4',
        "expected at least 16",
    ),
    (
        "state",
        '.state name="total" bytes=16',
        '.state name="x" bytes=4\n.state name="x" offset=4 bytes=12',
        "used twice",
    ),
    ("ternary", "zero_count=36", "zero_count=35", "TELEMETRY[0].sparsity"),
    ("ternary", "total=91", "total=3", "TELEMETRY[0].zero_count"),
    ("mlp", ".zero 40", ".zero 39\n.hex 01", "bytes of no tensor, expected zero"),
]

LAUNCHES = [
    ("mlp", "word_count=3", "word_count=4", "end, expected at most 3, got 4"),
    ("ternary", "first_word=2 ", "first_word=1 ", "first word, expected 2, got 1"),
    ("mlp", "MAX.F32 v0, v0, v2 | END", "MAX.F32 v0, v0, v2 | END\n  END", "words of programs, expected 4, got 3"),
    ("softmax", "ST.F32 v1, w1", "ST.I32 v1, w1", "window 1: element type, expected F32, got I32"),
    ("mlp", "rhs=%3 ", "", "GEMM: rhs, expected one, got none"),
    ("mlp", "schedule=%0 ", "", "GEMM: schedule, expected one, got none"),
    ("state", "kind=VECTOR", "kind=VECTOR lhs=%1", "VECTOR: lhs, expected none, got one"),
    ("state", "program=%0 args_count=2", "args_count=2", "VECTOR: program, expected one, got none"),
    ("conv", "kind=POOL waits_count=1 lhs=%4", "kind=POOL waits_count=1 lhs=%4 rhs=%5", "POOL: rhs, expected none"),
    ("mlp", "args_count=1", "args_count=0", "operand windows, expected 1, got 0"),
    ("mlp", "args_count=1", "args_first=1 args_count=1", "end in args, expected at most 1, got 2"),
    ("mlp", "args_first=1 signal", "waits_first=1 args_first=1 signal", "end in waits, expected at most 1, got 2"),
    ("mlp", ".args 4", ".args 6", "window 0: tensor, got 6"),
    ("mlp", "program kind=EPILOGUE", "program kind=VECTOR", "GEMM: kind of its program, expected EPILOGUE"),
    ("mlp", "lhs=%2 rhs=%5 out=%1", "lhs=%2 rhs=%5 out=%5", "result in WEIGHTS, expected a writable region"),
    ("mlp", "lhs=%2 rhs=%5 out=%1", "lhs=%1 rhs=%5 out=%1", "result overlaps operand tensor 1"),
    ("mlp", ".args 4", ".args 2", "result overlaps operand tensor 2"),
    ("ternary", "rhs=%5", "rhs=%6", "GEMV: element types, expected a supported pair, got I8 × F32"),
    ("ternary", "program=%1 args_first=1 args_count=1 ", "", "GEMV: result, expected I32, got F32"),
    ("state", "lhs=%0 out=%2", "lhs=%0 out=%2 schedule=%0", "below 0 or none"),
    (
        "state",
        'dtype=I32 packing=DENSE rank=1 bytes=16 dims=[4] name="y"',
        'dtype=U32 packing=DENSE rank=1 bytes=16 dims=[4] name="y"',
        "COPY: dtype, expected 6, got 7",
    ),
    ("state", 'bytes=16 dims=[4] name="y"', 'bytes=12 dims=[3] name="y"', "COPY: bytes, expected 16, got 12"),
    ("softmax", ".args 0, 1, 2", ".args 0, 0, 2", "stores to window 1 in INPUT"),
    ("softmax", ".args 0, 1, 2", ".args 1, 1, 2", "window 1 overlaps window 0"),
]

GEOMETRY = [
    ("mlp", "m=2 n=6", "m=3 n=6", "elements of GEMM_GEOMETRY[0] at byte 0xe00, expected 12, got 18"),
    (
        "mlp",
        "lhs_m_stride=8",
        "lhs_m_stride=9",
        "last element of GEMM_GEOMETRY[0] at byte 0xe00, expected below 16, got 16",
    ),
    ("mlp", "lhs_k_stride=1", "lhs_k_stride=4294967295", "expected below 16, got 30064771073"),
    ("mlp", "rhs_n_stride=8", "rhs_n_stride=9", "expected below 48, got 52"),
    ("mlp", "k=8", "k=4294967295", "expected below 16"),
    (
        "mlp",
        "k=8 lhs_m_stride=8 lhs_k_stride=1 rhs_n_stride=8 rhs_k_stride=1",
        "k=8 lhs_zero=1",
        "lhs_zero, expected 0…0, got 1",
    ),
    ("ternary", "lhs_zero=-3", "lhs_zero=128", "lhs_zero, expected -128…127, got 128"),
    ("ternary", "m=1 n=7 k=13", "m=1 n=7 k=12", "elements of a packed row"),
    ("ternary", "rhs_n_stride=13", "rhs_n_stride=12", "rhs_n_stride of"),
    ("ternary", "rhs_k_stride=1 ; 0", "; 0", "rhs_k_stride of"),
    ("ternary", "rhs_k_stride=1 ; 0", "rhs_k_stride=1 rhs_batch_stride=5 ; 0", "rhs_batch_stride of"),
    ("mlp", "kind=GEMM lhs=%0", "kind=GEMV lhs=%0", "rows of GEMM_GEOMETRY[0] at byte 0xe00, expected 1, got 2"),
    ("conv", "groups=2", "groups=3", "channels, expected multiples of 3, got (2, 4)"),
    ("conv", "groups=2", "groups=1", "elements by its geometry, expected 72, got 36"),
    ("conv", "in_height=6", "in_height=7", "elements by its geometry, expected 84, got 72"),
    ("conv", "mode=NONE", "mode=MAX", "pooling mode, expected one for POOL only, got MAX"),
    ("conv", "groups=1 mode=MAX", "groups=1", "pooling mode, expected one for POOL only, got NONE"),
    ("conv", "groups=1 mode=MAX", "groups=1 mode=AVG", "POOL of I8, expected MAX, got AVG"),
    ("conv", "groups=1 mode=MAX", "groups=2 mode=MAX", "POOL: groups and output channels, expected 1 and 4"),
    ("conv", "stride_height=2 stride_width=2", "stride_height=3 stride_width=2", "window 2 of MAX"),
    ("conv", "groups=1 mode=AVG", "pad_left=2 groups=1 mode=AVG", "window 0 of AVG, expected a tap inside the input"),
    ("conv", "lhs_zero=5", "lhs_zero=500", "lhs_zero, expected -128…127, got 500"),
]

ENTRIES = [
    (
        "mlp",
        '.io name="y" tensor=%1',
        '.io name="y" tensor=%1\n.io name="y" tensor=%1',
        "inputs and outputs of all entries, expected 3, got 2",
    ),
    ("conv", "waits_count=1 lhs=%4", "waits_count=2 lhs=%4", "end in waits, expected at most 1, got 2"),
    ("state", "first_descriptor=1", "first_descriptor=0", "start of the range, expected 1, got 0"),
    ("state", 'entry name="get"', 'entry name="add"', "a name used twice, got add"),
    ("mlp", "descriptor_count=2", "descriptor_count=1", "output 0, expected every byte written"),
    ("mlp", "descriptor_count=2", "descriptor_count=3", "end of the range, expected at most 2, got 3"),
    ("mlp", "inputs_count=1", "inputs_count=0", "start of the range, expected 0, got 1"),
    ("conv", "outputs_count=2", "outputs_count=3", "end of the range, expected at most 4, got 5"),
    ("conv", "outputs_count=2", "outputs_count=1", "end of tensor 3 in OUTPUT 1, expected at most 0, got 24"),
    ("conv", '.io name="f" tensor=%1', '.io name="x" tensor=%1', "a name used twice, got x"),
    ("conv", '.io name="f" tensor=%1', '.io name="f" tensor=%0', "its tensor, expected INPUT slot 1 offset 0"),
    ("mlp", '.io name="y" tensor=%1', '.io name="y" tensor=%2', "expected OUTPUT slot 0 offset 0, got SCRATCH"),
    ("mlp", "scratch_bytes=48", "scratch_bytes=47", "end of tensor 2 in SCRATCH 0, expected at most 47, got 48"),
    ("mlp", "waits_count=1 ", "", "touches SCRATCH bytes 0…47 without waiting for CODE[0]"),
    ("mlp", ".waits 0", ".waits 1", "token, expected signalled by an earlier descriptor, got 1"),
    ("mlp", "signal=1", "signal=0", "token, expected signalled once, got 0"),
    ("mlp", "signal=1", "signal=2", "token, expected below 2, got 2"),
    ("mlp", "waits_count=1", "waits_count=2", "end in waits"),
    ("conv", "kind=POOL waits_count=1 lhs=%4", "kind=POOL lhs=%4", "without waiting for CODE[0]"),
    ("mlp", "lhs=%0 rhs=%3 out=%2", "lhs=%0 rhs=%3 out=%1", "GEMM_GEOMETRY[0]"),
    (
        "state",
        "kind=COPY lhs=%0 out=%2",
        "kind=COPY lhs=%1 out=%2",
        "end of tensor 1 in INPUT 0, expected at most 0, got 16",
    ),
]

LIMITS = [
    ("mlp", "scratch_bytes=48", f"scratch_bytes={MAX_REGION_BYTES + 1}", "bytes of scratch, expected at most"),
    ("state", '.state name="total" bytes=16', f'.state name="total" bytes={MAX_REGION_BYTES + 1}', "bytes of state"),
    ("state", "max_steps=5", f"max_steps={MAX_STEPS + 1}", "max_steps"),
    ("mlp", "region=SCRATCH", f"region=SCRATCH offset={MAX_REGION_BYTES}", "end in SCRATCH, expected at most"),
    ("mlp", '"producer"', f'"{"x" * MAX_JSON_BYTES}"', "bytes, expected at most"),
]


@pytest.mark.parametrize(("name", "old", "new", "message"), FIELDS + TENSORS)
def test_bad_fields_are_refused(name, old, new, message):
    _refused(name, old, new, message)


@pytest.mark.parametrize(("name", "old", "new", "message"), LAUNCHES + GEOMETRY)
def test_bad_launches_are_refused(name, old, new, message):
    _refused(name, old, new, message)


@pytest.mark.parametrize(("name", "old", "new", "message"), ENTRIES)
def test_bad_entries_are_refused(name, old, new, message):
    _refused(name, old, new, message)


@pytest.mark.parametrize(("name", "old", "new", "message"), LIMITS)
def test_limits_are_kept(name, old, new, message):
    _refused(name, old, new, message, "resource-limit")


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        (
            "ternary",
            ".trits PT5 +---0+0-00+++",
            ".hex f3fffe",
            "byte 0 of packed trits, expected a code of PT5, got 243",
        ),
        ("ternary", ".trits PT5 +---0+0-00+++", ".hex 000000", "padding of row 0, expected trit 0"),
        ("ternary", ".trits T2 0+0----0-", ".hex 030015", "byte 0 of packed trits, expected a code of T2, got 3"),
        ("ternary", ".trits T2 0+0----0-", ".hex 000000", "padding of row 0, expected trit 0"),
    ],
)
def test_bad_codes_of_trits_are_refused_eagerly_and_at_first_touch(name, old, new, message):
    _refused(name, old, new, message)
    lazy = Image.from_buffer(_changed(name, old, new), verify="lazy")
    lazy.check_weights([6])
    with pytest.raises(TfmbsError, match=message.split(",")[0]):
        lazy.check_weights([4, 5])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"tiles": 1', '"tiles": 0', "tiles"),
        ('"tiles": 1,', "", "missing key"),
        ('"tiles": 1', '"tiles": 1, "more": 2', "unknown key"),
    ],
)
def test_bad_targets_are_refused(old, new, message):
    _refused("mlp", old, new, message, "target")


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("conv", '"conv2d",', "", "feature of kpu-minimal, expected epilogue/pt5/t2/pool, got conv2d"),
        ("conv", ',\n    "pool"\n', "\n", "CODE[1].kind at byte 0xc00: feature of kpu-minimal"),
        ("mlp", '"epilogue",', "", "CODE[0].program at byte 0xb9c: feature of kpu-minimal"),
        ("ternary", '"pt5",', "", "got pt5"),
        ("ternary", '"t2",', "", "got t2"),
        (
            "mlp",
            '"f32",\n      "i8"',
            '"i8"',
            "CODE[0].lhs at byte 0xb84: operand type of kpu-minimal, expected i8/trit, got f32",
        ),
        ("mlp", "zero_skip=NONE", "zero_skip=CYCLE", "zero-skip mode of kpu-minimal, expected none/energy, got cycle"),
    ],
)
def test_what_the_target_cannot_do_is_refused(name, old, new, message):
    _refused(name, old, new, message, "target")


def test_a_kernel_of_a_later_minor_version_needs_its_feature():
    text = (GOLDEN.parent / "v1.3" / "volume.s").read_text(encoding="utf-8")
    assert ',\n    "conv3d"' in text
    with pytest.raises(TfmbsError, match=r"feature of kpu-minimal, expected .*, got conv3d"):
        Image.from_buffer(assemble(text.replace(',\n    "conv3d"', "", 1), "volume.s").to_bytes())


VOLUME_FIELDS = [
    ("in_channels=2", "in_channels=3", "groups"),
    ("in_depth=3", "in_depth=4", "elements by its geometry"),
    ("out_width=3", "out_width=2", "elements by its geometry"),
    ("kernel_depth=3", "kernel_depth=2", "elements by its geometry"),
    ("stride_depth=2", "stride_depth=0", "stride_depth"),
    ("dilation_width=1", "dilation_width=0", "dilation_width"),
    ("lhs_zero=7", "lhs_zero=300", "lhs_zero"),
]


@pytest.mark.parametrize(("old", "new", "message"), VOLUME_FIELDS, ids=[new for _, new, _ in VOLUME_FIELDS])
def test_sizes_of_volumes_fit_their_tensors(old, new, message):
    text = (GOLDEN.parent / "v1.3" / "volume.s").read_text(encoding="utf-8")
    start = text.index("volume_geometry")
    assert old in text[start:], text[start : start + 900]
    changed = text[:start] + text[start:].replace(old, new, 1)
    with pytest.raises(TfmbsError, match=message):
        Image.from_buffer(assemble(changed, "volume.s").to_bytes())


ATTENTION_FIELDS = [
    ("rows=5", "rows=6", "last element of lhs, expected below 160"),
    ("columns=7", "columns=8", "last element of rhs"),
    ("value_width=6", "value_width=7", "last element of value"),
    ("shared=2", "shared=1", "elements by its geometry"),
    ("lhs_head_stride=40", "lhs_head_stride=4000000000", "last element of lhs"),
    ("scale=0.375", "scale=nan", "factor of the scores"),
    ("fill=-inf", "fill=1.0", "score of what is hidden"),
    ("causal=1", "causal=2", "later keys are hidden"),
    ("mask=NONE", "mask=ADD", "masks of mode ADD, expected one, got 0"),
    ("mask=SELECT", "mask=NONE", "masks of mode NONE, expected none, got 1"),
    ("mask=SELECT", "mask=ADD", "mask: element type, expected F32, got BOOL"),
    ("mask_row_stride=7", "mask_row_stride=8", "last element of mask"),
    (".args 2, 2, 3", ".args 4, 2, 3", "result overlaps operand tensor 4"),
    (".args 2, 2, 3", ".args 99, 2, 3", "values: tensor"),
]


@pytest.mark.parametrize(("old", "new", "message"), ATTENTION_FIELDS, ids=[new for _, new, _ in ATTENTION_FIELDS])
def test_sizes_of_attention_fit_its_tensors(old, new, message):
    text = (GOLDEN.parent / "v1.3" / "attention.s").read_text(encoding="utf-8")
    assert old in text, text
    with pytest.raises(TfmbsError, match=message):
        Image.from_buffer(assemble(text.replace(old, new, 1), "attention.s").to_bytes())


LSTM_FIELDS = [
    ("steps=4 batch=2 width=5 hidden=6", "steps=5 batch=2 width=5 hidden=6", "lhs: elements by its geometry"),
    ("width=5 hidden=6", "width=5 hidden=5", "rhs: elements by its geometry"),
    ("direction=BOTH", "direction=FORWARD", "rhs: elements by its geometry, expected 120, got 240"),
    ("direction=BOTH", "direction=3", "direction"),
    ("order=IFCO", "order=2", "order"),
    ("cell=1", "cell=2", "cell"),
    ("cell=1", "cell=0", "out: elements by its geometry, expected 96, got 120"),
    ("recurrent_bias=1", "recurrent_bias=0", "recurrent, bias, expected 2, got 3"),
    ("initial=1", "initial=0", "recurrent, expected 1, got 3"),
    (".args 6, 7, 8", ".args 6, 7, 99", "recurrent_bias: tensor"),
    (".args 6, 7, 8", ".args 6, 7, 6", "recurrent_bias: elements by its geometry"),
    (".args 6, 7, 8", ".args 3, 7, 8", "result overlaps operand tensor 3"),
]


@pytest.mark.parametrize(("old", "new", "message"), LSTM_FIELDS, ids=[new for _, new, _ in LSTM_FIELDS])
def test_sizes_of_an_lstm_fit_its_tensors(old, new, message):
    text = (GOLDEN.parent / "v1.6" / "lstm.s").read_text(encoding="utf-8")
    assert old in text, text
    with pytest.raises(TfmbsError, match=message):
        Image.from_buffer(assemble(text.replace(old, new, 1), "lstm.s").to_bytes())


def test_what_the_target_can_do_is_accepted():
    Image.from_buffer(_changed("mlp", "dataflow=OUTPUT_STATIONARY", "dataflow=WEIGHT_STATIONARY"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'{"model":', b'{"model" ', "not valid JSON"),
        (b'"model":"mlp"', b'"model":"ml\xff"', "not valid JSON"),
        (b'"producer"', b'"model"   ', "not valid JSON"),
        (b'"model":"mlp"', b'"model":"m\\u0070"'[:13], "not valid JSON"),
        (
            b'{"model":"mlp","producer":"golden corpus"}',
            b'{"model":"mlp","model":"golden corpus   "}',
            "a key appears twice",
        ),
        (
            b'{"model":"mlp","producer":"golden corpus"}',
            b'{"model":"mlp", "producer":"golden corpu"}',
            "canonical form",
        ),
        (
            b'{"model":"mlp","producer":"golden corpus"}',
            b'{"producer":"golden corpus","model":"mlp"}',
            "canonical form",
        ),
        (
            b'{"model":"mlp","producer":"golden corpus"}',
            b'["model","mlp","producer","golden_corpus"]',
            "expected an object",
        ),
        (b'{"model":"mlp","producer":"golden corpus"}', b"[" * 42, "not valid JSON"),
    ],
)
def test_json_sections_have_one_spelling(old, new, message):
    with pytest.raises(TfmbsError, match=message):
        Image.from_buffer(_with_section("mlp", "META", lambda data: data.replace(old, new, 1)))


def _with_section(name, section_name, change):
    """A golden file with the bytes of one section changed, and right digests."""
    file = container.read((GOLDEN / f"{name}.tfb").read_bytes())
    sections = []
    for section in file.sections:
        data = bytes(section.data)
        if section.name == section_name:
            changed = change(data)
            assert changed != data
            data = changed
        sections.append(replace(section, data=memoryview(data)))
    return write(replace(file, sections=tuple(sections)))


def test_scratch_must_be_written_before_it_is_read():
    text = _text("mlp")
    first, second = (line for line in text.splitlines() if line.startswith(".descriptor"))
    swapped = text.replace(first, "FIRST").replace(second, first).replace("FIRST", second)
    swapped = swapped.replace("waits_count=1 ", "").replace(".waits 0", "")
    with pytest.raises(TfmbsError, match=r"CODE\[0\].*reads SCRATCH bytes 0…47, expected written before"):
        Image.from_buffer(assemble(swapped).to_bytes())


@pytest.mark.parametrize("byte", DESCRIPTOR.reserved)
def test_reserved_bytes_of_records_must_be_zero(byte):
    at = DESCRIPTOR.size + byte
    with pytest.raises(TfmbsError, match=rf"CODE\[1\].*reserved byte {byte}"):
        Image.from_buffer(_with_section("mlp", "CODE", lambda data: data[:at] + b"\1" + data[at + 1 :]))


@pytest.mark.parametrize("section", ["CODE", "SIW", "ARGS", "TENSOR", "MASK"])
def test_tables_hold_whole_rows(section):
    with pytest.raises(TfmbsError, match=f"{section} at byte 0x.*length, expected a multiple of"):
        Image.from_buffer(_with_section("mlp", section, lambda data: data + b"\0"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:3], "string count, expected 1…0, got 0"),
        (lambda data: b"\xff\xff\xff\xff" + data[4:], "string count, expected 1…24, got 4294967295"),
        (lambda data: b"\0\0\0\0" + data[4:], "string count"),
        (lambda data: data + b"x", "bytes of all strings"),
        (lambda data: data[:4] + b"\xff\xff\xff\xff" + data[8:], "bytes of all strings"),
        (lambda data: data.replace(b"hidden", b"hidde\xc3"), "string 2 is not UTF-8"),
        (lambda data: data.replace(b"w1", b"w2", 1), "strings, expected each once, got duplicates"),
    ],
)
def test_bad_string_tables_are_refused(change, message):
    with pytest.raises(TfmbsError, match=message):
        Image.from_buffer(_with_section("mlp", "STRINGS", change))


def test_a_token_is_waited_for_once():
    text = _text("conv").replace(".waits 0", ".waits 0, 0").replace("waits_count=1 lhs=%4", "waits_count=2 lhs=%4")
    with pytest.raises(TfmbsError, match=r"tokens, expected each once, got \[0, 0\]"):
        Image.from_buffer(assemble(text.replace("waits_first=1", "waits_first=2")).to_bytes())


def test_an_empty_tensor_has_sizes_that_an_array_can_have():
    dims = [0, 1 << 31, 1 << 31, 1 << 31]
    text = _text("mlp").replace("rank=2 bytes=64 dims=[2, 8]", f"rank=4 bytes=0 dims={dims}")
    with pytest.raises(TfmbsError, match="product of dims that are not 0, expected at most 4294967296") as caught:
        Image.from_buffer(assemble(text).to_bytes())
    assert caught.value.code == "resource-limit"


def test_a_file_without_entries_is_refused():
    text = "\n".join(line for line in _text("state").splitlines() if not line.startswith((".entry", ".io")))
    with pytest.raises(TfmbsError, match="descriptors of all entries, expected 2, got 0"):
        Image.from_buffer(assemble(text).to_bytes())
    empty = Image(target=Image.from_buffer((GOLDEN / "mlp.tfb").read_bytes()).target)
    with pytest.raises(TfmbsError, match="entry points, expected at least 1, got 0"):
        Image.from_buffer(empty.to_bytes())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"meta": {"a": float("nan")}}, "JSON: a value that cannot be written"),
        ({"meta": {"a": object()}}, "JSON: a value that cannot be written"),
        ({"strings": ["\ud800"]}, "STRINGS: a string that is no Unicode text"),
        ({"args": [-1]}, "ARGS: a number that does not fit"),
        ({"waits": [1 << 32]}, "WAITS: a number that does not fit"),
        ({"masks": [{"words": (1, 0, 0, 0)}, {"words": (0,)}]}, r"MASK\[1\]: record mask: field words has 1 values"),
        ({"words": [bytes(15)]}, r"SIW\[0\]: bytes of a word, expected 16, got 15"),
    ],
)
def test_what_does_not_fit_is_not_written(changes, message):
    with pytest.raises(TfmbsError, match=message):
        Image(**changes).to_bytes()


def test_images_are_saved_and_their_tables_read_in_place(tmp_path):
    image = Image.load(GOLDEN / "mlp.tfb")
    image.save(tmp_path / "copy.tfb")
    assert (tmp_path / "copy.tfb").read_bytes() == (GOLDEN / "mlp.tfb").read_bytes()
    assert image.table(DESCRIPTOR)["kind"].tolist() == [row["kind"] for row in image.descriptors]
    assert image.section("WINDOW_GEOMETRY") == b""


def test_inputs_are_of_types_that_are_not_packed():
    b = Builder("trits")
    x = b.tensor("x", Region.INPUT, DType.TRIT, (4,), packing=Packing.I8)
    y = b.tensor("y", Region.OUTPUT, DType.TRIT, (4,), packing=Packing.I8)
    b.launch("copy", Kind.COPY, lhs=x, out=y)
    b.entry("main", [x], [y])
    with pytest.raises(TfmbsError, match=r"TENSOR\[0\]"):
        Image.from_buffer(b.finish().to_bytes())


@pytest.mark.parametrize("dtype", [DType.F16, DType.BF16, DType.F64, DType.U64, DType.BOOL], ids=lambda t: t.name)
def test_arrays_of_every_type_go_in_and_out(dtype):
    b = Builder("copy")
    x = b.tensor("x", Region.INPUT, dtype, (4,))
    y = b.tensor("y", Region.OUTPUT, dtype, (4,))
    b.launch("copy", Kind.COPY, lhs=x, out=y)
    b.entry("main", [x], [y])
    image = Image.from_buffer(b.finish().to_bytes())
    (argument,) = entries_of(image)[0].inputs
    assert argument.dtype == {DType.BF16: "uint16", DType.BOOL: "bool"}.get(dtype, DTYPES[dtype].numpy)
    given = np.array([1, 0, 1, 1]).astype(argument.dtype)
    assert np.array_equal(open_device("emulator", image).context(1).run("main", {"x": given})["y"], given)
