"""Fabric-level ops carry every value of their record to the tables of a binary."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tfmbs.dialect.fabric import DERIVED, RECORD_OPS, FabricArgsOp, FabricDataOp, FabricWaitsOp, build_record
from tfmbs.dialect.fabric_siw import build_program
from tfmbs.dialect.fabric_tables import fabric_tables
from tfmbs.dialect.mlir import context, ir
from tfmbs.dialect.resources import resource_attr
from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.records import NONE, PROGRAM, RECORDS, Field, ProgramKind, Record
from tfmbs.runtime.abi.sections import KIND_OF_RECORD
from tfmbs.runtime.abi.types import DType

examples = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TABLES = [record for record in RECORDS.values() if record is not PROGRAM and record.name in KIND_OF_RECORD]


@pytest.fixture(autouse=True)
def mlir() -> Iterator[Any]:
    with context() as mlir_context, ir.Location.unknown():
        yield mlir_context


def scalars(field: Field) -> st.SearchStrategy[Any]:
    """Every value of one item of a field, strings as text."""
    if field.enum:
        return st.sampled_from(field.enum)
    if field.index == "strings":
        return st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    if field.kind == "f32":
        return st.floats(width=32, allow_nan=False)
    bits = 8 * field.width
    if field.kind.startswith("i"):
        return st.integers(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    top = (1 << 63) - 1 if bits == 64 and field.count == 1 else (1 << bits) - 1
    return st.integers(0, NONE - 1 if field.index and not field.optional else top)


def rows(record: Record) -> st.SearchStrategy[dict[str, Any]]:
    fields = [field for field in record.fields if field.name not in DERIVED.get(record.name, ())]
    return st.fixed_dictionaries(
        {f.name: scalars(f) if f.count == 1 else st.tuples(*[scalars(f)] * f.count) for f in fields}
    )


@pytest.mark.parametrize("record", TABLES, ids=lambda record: record.name)
def test_every_value_of_a_record_survives(record: Record) -> None:
    @given(row=rows(record))
    @examples
    def check(row: dict[str, Any]) -> None:
        module = ir.Module.create()
        with ir.InsertionPoint(module.body):
            build_record(record.name, row)
        tables, _ = fabric_tables(ir.Module.parse(str(module)))
        (got,) = tables[KIND_OF_RECORD[record.name].attribute]
        texts = {field.name for field in record.fields if field.index == "strings"}
        assert {n: tables["strings"][v] if n in texts else v for n, v in got.items()} == row
        record.encode(got)

    check()


def test_every_record_has_an_op() -> None:
    assert set(RECORD_OPS) == set(RECORDS)
    assert {op.OPERATION_NAME for op in RECORD_OPS.values()} == {f"tfmbs.fabric_{name}" for name in RECORDS}


def word(**fields: Any) -> bytes:
    """A word from field values; opcodes by name."""
    codes = {name: siw.OP_BY_NAME[name[0].upper(), value].code for name, value in fields.items() if name[1:] == "_op"}
    return siw.encode({**fields, **codes})


def test_programs_tile_the_words() -> None:
    end = word(c_op="END")
    load = word(s_op="LI", s_reg=1, s_imm=-65536)
    compare = word(d_op="CMP", d_type=12, d_vd=31, d_va=1, d_aux=15)
    module = ir.Module.create()
    with ir.InsertionPoint(module.body):
        for name, words in (("a", [load, compare, end]), ("b", [end])):
            values = {"kind": ProgramKind.VECTOR, "windows": 0, "name": name, "max_steps": 8}
            build_program(values, words)
    tables, _ = fabric_tables(ir.Module.parse(str(module)))
    assert tables["words"] == [load, compare, end, end]
    assert [(row["first_word"], row["word_count"]) for row in tables["programs"]] == [(0, 3), (3, 1)]
    assert [tables["strings"][row["name"]] for row in tables["programs"]] == ["a", "b"]


NAMED = {
    "compare": {"d_op": ("D", "CMP"), "s_op": ("S", "NOP"), "c_op": ("C", "LOOP")},
    "cast": {"d_op": ("D", "SCAN"), "s_op": ("S", "INDEX"), "c_op": ("C", "CAST")},
}


@pytest.mark.parametrize("ops", NAMED.values(), ids=NAMED.keys())
def test_words_keep_every_field(ops: dict[str, tuple[str, str]]) -> None:
    def values(field: siw.BitField) -> st.SearchStrategy[int]:
        op = siw.OP_BY_NAME[ops[f"{field.slot.lower()}_op"]] if field.slot != "-" else None
        if field.name in ops:
            return st.just(op.code if op else 0)
        if field.name.endswith("_type"):
            return st.sampled_from(DType).map(int)
        if field.name.endswith("_aux") and op and op.aux:
            return st.sampled_from(op.aux).map(int)
        moves_data = ops["c_op"] == ("C", "CAST")
        if field in siw.C_DATA_FIELDS and not moves_data:
            return st.just(0)
        return st.sampled_from([0, 5 << 13]) if field.name == "c_imm" and moves_data else st.integers(*field.bounds)

    @given(fields=st.fixed_dictionaries({f.name: values(f) for f in siw.FIELDS}))
    @examples
    def check(fields: dict[str, int]) -> None:
        wanted = fields if ops["c_op"] == ("C", "CAST") else {**fields, "c_type": 0}
        module = ir.Module.create()
        with ir.InsertionPoint(module.body):
            record = {"kind": ProgramKind.VECTOR, "windows": 0, "name": "p", "max_steps": 1}
            program = build_program(record, [siw.encode(wanted)])
        (op,) = program.siw_ops
        assert siw.decode(op.word) == wanted

    check()


def test_data_lie_at_their_offsets() -> None:
    module = ir.Module.create()
    first, second = np.arange(10, dtype=np.int8), np.arange(40, dtype=np.float32)
    with ir.InsertionPoint(module.body):
        FabricDataOp.build([], [], label="a", offset=0, value=resource_attr(first, "a"))
        FabricDataOp.build([], [], label="b", offset=64, value=resource_attr(second, "b"))
        FabricArgsOp.build([], [], values=[3, 1])
        FabricWaitsOp.build([], [], values=[])
        FabricArgsOp.build([], [], values=[NONE])
    tables, weights = fabric_tables(module)
    assert bytes(weights) == first.tobytes() + bytes(54) + second.tobytes()
    assert (tables["args"], tables["waits"]) == ([3, 1, NONE], [])
    assert Image(**tables).args == [3, 1, NONE]


def test_overlapping_data_are_refused() -> None:
    module = ir.Module.create()
    with ir.InsertionPoint(module.body):
        for label, offset in (("a", 0), ("b", 9)):
            value = resource_attr(np.zeros(10, np.int8), label)
            FabricDataOp.build([], [], label=label, offset=offset, value=value, loc=ir.Location.name(label))
    with pytest.raises(TfmbsError, match="error: b: offset of the data b, expected at least 10, got 9"):
        fabric_tables(module)


def test_unknown_fields_are_programming_errors() -> None:
    module = ir.Module.create()
    with ir.InsertionPoint(module.body), pytest.raises(TypeError, match="record mask has no field bits"):
        build_record("mask", {"words": (1, 0, 0, 0), "bits": 3})
