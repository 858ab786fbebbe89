"""The ABI tables: what they refuse to be, that their codecs are inverse, that codes only grow."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmbs.runtime.abi import cpp_header, docs, siw
from tfmbs.runtime.abi.movement import header as movement_header
from tfmbs.runtime.abi.records import RECORDS, Field, Record
from tfmbs.runtime.abi.sections import HEADER, KINDS, SECTION, Feature

CODES = Path(__file__).parent / "data" / "abi_codes.json"
LAYOUTS = [*RECORDS.values(), HEADER, SECTION]


def _field_values(f):
    bits = 8 * f.width
    if f.kind == "f32":
        one = st.floats(width=32, allow_nan=False)
    elif f.kind.startswith("i"):
        one = st.integers(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    else:
        one = st.integers(0, (1 << bits) - 1)
    return st.tuples(*[one] * f.count) if f.count > 1 else one


def _rows(record):
    return st.fixed_dictionaries({f.name: _field_values(f) for f in record.fields})


@pytest.mark.parametrize("record", LAYOUTS, ids=lambda record: record.name)
@settings(max_examples=40)
@given(data=st.data())
def test_records_decode_to_what_was_encoded(record, data):
    rows = data.draw(st.lists(_rows(record), min_size=1, max_size=3))
    encoded = [record.encode(row) for row in rows]
    assert [record.decode(b) for b in encoded] == rows
    assert record.decode_all(b"".join(encoded)) == rows
    assert all(len(b) == record.size for b in encoded)


@pytest.mark.parametrize("record", LAYOUTS, ids=lambda record: record.name)
@given(data=st.data())
def test_every_byte_of_a_record_is_a_field_or_reserved(record, data):
    raw = bytearray(data.draw(st.binary(min_size=record.size, max_size=record.size)))
    for f in record.fields:
        if f.kind == "f32":  # NaN payloads are not carried; verification refuses NaN
            raw[f.offset : f.offset + f.width] = bytes(4)
    for byte in record.reserved:
        raw[byte] = 0
    assert record.encode(record.decode(raw)) == raw


@pytest.mark.parametrize("record", LAYOUTS, ids=lambda record: record.name)
def test_numpy_layout_agrees_with_the_codec(record):
    raw = bytes(range(record.size))
    table = np.frombuffer(raw, record.numpy)
    for f in record.fields:
        value = record.decode(raw)[f.name]
        assert table[f.name][0].tolist() == (list(value) if f.count > 1 else value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ([Field("a", 0, "u32", ""), Field("b", 2, "u16", "")], "field b overlaps a at byte 2"),
        ([Field("a", 2, "u32", "")], "field a at 2 is not aligned to 4"),
        ([Field("a", 4, "u64", "")], "field a at 4 is not aligned to 8"),
        ([Field("a", 8, "u8", "")], "field a overlaps the end at byte 8"),
        ([Field("a", 4, "u16", "", count=3)], "field a overlaps the end at byte 8"),
    ],
)
def test_bad_record_tables_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Record("bad", 8, "", tuple(fields))


def test_gaps_are_reserved():
    assert Record("gap", 8, "", (Field("a", 1, "u8", ""), Field("b", 4, "u16", ""))).reserved == (0, 2, 3, 6, 7)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"words": (0, 0, 0)}, "field words has 3 values, expected 4"),
        ({"words": (0, 0, 0, 1 << 64)}, "field words"),
        ({"words": (0, 0, 0, 0), "more": 1}, "unknown field more"),
        ({}, "field words is missing"),
    ],
)
def test_values_that_do_not_fit_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        RECORDS["mask"].encode(values)


@st.composite
def _words(draw):
    """The fields of any word, valid or not."""
    fields = {f.name: draw(st.integers(*f.bounds)) for f in siw.FIELDS}
    moves_data = draw(st.booleans())
    if moves_data:
        fields["c_op"] = draw(st.sampled_from([op.code for op in siw.OPS if op.slot == "C" and "c_src" in op.uses]))
        fields["c_imm"] &= 7 << 13
    else:
        fields |= {f.name: 0 for f in siw.C_DATA_FIELDS}
        fields["c_op"] = draw(st.sampled_from([0, 1, 2, 3, 4, 5, 6, 11, 255]))
    return fields


@given(_words())
def test_words_decode_to_what_was_encoded(fields):
    data = siw.encode(fields)
    assert len(data) == 16
    assert siw.decode(data) == fields


@given(st.binary(min_size=16, max_size=16))
def test_every_bit_of_a_word_is_a_field(data):
    assert siw.encode(siw.decode(data)) == data


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"d_vd": 32}, "0…31"),
        ({"s_imm": 1 << 16}, "-65536…65535"),
        ({"nothing": 0}, "unknown field nothing"),
        ({"c_op": 4, "c_imm": 2, "c_src": 1}, "c_imm overlaps c_src, c_type and c_aux with opcode 4"),
        ({"c_op": 9, "c_imm": 1 << 12}, "c_imm overlaps c_src, c_type and c_aux with opcode 9"),
    ],
)
def test_word_fields_out_of_bounds_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        siw.encode(fields)


def test_a_word_layout_of_another_size_is_refused():
    with pytest.raises(ValueError, match="12 bits are accounted for, expected 128"):
        siw._layout(("a", "D", 8, False), ("b", "D", 4, False))


def test_opcodes_name_only_fields_of_their_slot():
    for op in siw.OPS:
        assert {siw.BIT_FIELD[name].slot for name in op.uses} <= {op.slot}
        assert set(op.vectors) <= set(op.uses)
        assert not op.writes or op.writes in op.uses
        assert bool(op.types) == any(name.endswith("_type") for name in op.uses)
        assert (op.aux is not None) == any(name.endswith("_aux") for name in op.uses)
        assert set(op.auxes) == (op.types if op.auxes else set())
        assert set(op.lanes) <= set(op.vectors)


def test_data_fields_of_slot_c_are_parts_of_c_imm():
    whole = siw.BIT_FIELD["c_imm"]
    used = set()
    for f in siw.C_DATA_FIELDS:
        bits = set(range(f.low, f.low + f.bits))
        assert bits <= set(range(whole.low, whole.low + whole.bits))
        assert not bits & used
        used |= bits


@pytest.mark.parametrize(
    ("fields", "name", "registers"),
    [
        ({"d_op": 2, "d_type": 12, "d_vb": 3}, "d_vb", [3]),
        ({"d_op": 2, "d_type": 13, "d_vb": 4}, "d_vb", [4, 5]),
        ({"d_op": 11, "d_type": 8, "d_vd": 1}, "d_vd", [1]),
        ({"d_op": 11, "d_type": 8, "d_va": 2}, "d_va", [2, 3]),
        ({"d_op": 23, "d_type": 12, "d_va": 2, "d_aux": 8}, "d_va", [2, 3]),
        ({"d_op": 23, "d_type": 13, "d_va": 2, "d_aux": 6}, "d_va", [2]),
        ({"d_op": 12, "d_va": 2}, "d_va", [2]),
        ({"d_op": 43, "d_va": 2}, "d_va", [2]),
        ({"d_op": 43, "d_vb": 2}, "d_vb", [2, 3]),
        ({"s_op": 3, "s_type": 13, "s_index": 2}, "s_index", [2]),
        ({"s_op": 10, "s_type": 12, "s_index": 2}, "s_index", [2, 3]),
        ({"s_op": 10, "s_type": 12, "s_reg": 7}, "s_reg", [7]),
        ({"s_op": 13, "s_type": 8, "s_index": 6}, "s_index", [6, 7]),
        ({"c_op": 7, "c_type": 10, "c_src": 6, "c_aux": 13}, "c_src", [6, 7]),
        ({"c_op": 7, "c_type": 10, "c_reg": 6, "c_aux": 13}, "c_reg", [6]),
        ({"c_op": 10, "c_type": 9, "c_reg": 6}, "c_reg", [6, 7]),
    ],
)
def test_operands_are_registers_or_pairs(fields, name, registers):
    slot = name[0]
    op = siw.OP_BY_CODE[slot.upper(), fields[f"{slot}_op"]]
    assert list(op.registers(name, fields)) == registers


def _codes():
    return {
        "opcodes": {f"{op.slot}.{op.name}": op.code for op in siw.OPS},
        "sections": {kind.name: kind.code for kind in KINDS},
        "features": {bit.name: bit.value for bit in Feature},
        **{enum.__name__: {m.name: m.value for m in enum} for enum in cpp_header.ENUMS},
    }


def test_codes_are_append_only():
    """Add new codes to the file, with `python -m json.tool` formatting; what is there must stay."""
    known = json.loads(CODES.read_text())
    assert _codes() == known


@pytest.mark.parametrize("name", docs.PAGES)
def test_the_committed_pages_are_fresh(name):
    page = docs.PAGES[name]()
    assert (docs.DOCS / name).read_text(encoding="utf-8") == page, "run python -m tfmbs.runtime.abi.docs"


def test_the_committed_header_is_fresh():
    assert cpp_header.PATH.read_text(encoding="utf-8") == cpp_header.header(), (
        "run python -m tfmbs.runtime.abi.cpp_header"
    )


def test_the_committed_header_of_movements_is_fresh():
    assert movement_header.PATH.read_text(encoding="utf-8") == movement_header.header(), (
        "run python -m tfmbs.runtime.abi.movement.header"
    )
