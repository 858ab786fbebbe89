"""Checks of every field of every record by the record tables: reserved bytes, enums, bounds, indices."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfmbs.runtime.abi.minor import fields_after
from tfmbs.runtime.abi.records import GEOMETRY_OF_KIND, NONE, Field, Kind, Record
from tfmbs.runtime.abi.sections import KIND_OF_RECORD, KINDS, SectionKind
from tfmbs.runtime.abi.verify.subject import Subject

_Array = np.ndarray[Any, np.dtype[Any]]


def _first(bad: _Array) -> int | None:
    """Index of the first row with a True, if there is one."""
    rows = bad.reshape(len(bad), -1).any(axis=1)
    return int(rows.argmax()) if rows.any() else None


def _table_length(subject: Subject, index: str) -> int:
    if index == "strings":
        return len(subject.image.strings)
    return len(getattr(subject.image, KIND_OF_RECORD[index].attribute))


def _check_reserved(subject: Subject, kind: SectionKind, record: Record) -> None:
    data = np.frombuffer(subject.image.section(kind.name), np.uint8).reshape(-1, record.size)
    bad = _first(data[:, list(record.reserved)] != 0) if record.reserved else None
    if bad is not None:
        byte = next(b for b in record.reserved if data[bad, b])
        raise subject.refuse(record, bad, "", f"reserved byte {byte}", 0, int(data[bad, byte]))


def _check_minor(subject: Subject, kind: SectionKind, record: Record, table: _Array) -> None:
    minor = subject.image.version[1]
    for later, name in fields_after(minor, kind.attribute):
        row = _first(table[name] != 0)
        if row is not None:
            got = f"{table[name][row]} in version {minor}"
            raise subject.refuse(record, row, name, "field", f"0 before minor version {later}", got)


def _range(f: Field) -> str:
    if f.high is None:
        return f"at least {f.low:g}"
    return f"at most {f.high:g}" if f.low is None else f"{f.low:g}…{f.high:g}"


def _check_field(subject: Subject, record: Record, f: Field, column: _Array) -> None:
    expected, bad = "", np.zeros(len(column), bool)
    if f.enum is not None:
        expected = "/".join(member.name for member in f.enum)
        bad = ~np.isin(column, [member.value for member in f.enum])
    elif f.index is not None and f.index != "geometry":
        length = _table_length(subject, f.index)
        expected = f"below {length}{' or none' if f.optional else ''}"
        bad = (column >= length) & ((column != NONE) if f.optional else True)
    elif f.low is not None or f.high is not None:
        expected = _range(f)
        low = -np.inf if f.low is None else f.low
        high = np.inf if f.high is None else f.high
        bad = ~((column >= low) & (column <= high))
    row = _first(bad)
    if row is not None:
        raise subject.refuse(record, row, f.name, f.doc, expected, column[row].tolist())


def _check_geometry_indices(subject: Subject) -> None:
    record = KIND_OF_RECORD["descriptor"].record
    assert record is not None
    for i, descriptor in enumerate(subject.image.descriptors):
        table = GEOMETRY_OF_KIND[Kind(descriptor["kind"])]
        length = _table_length(subject, table.name) if table else 0
        if descriptor["geometry"] != NONE and descriptor["geometry"] >= length:
            raise subject.refuse(record, i, "geometry", "index of its sizes", f"below {length}", descriptor["geometry"])


def check_fields(subject: Subject) -> None:
    """Checks all record tables. After it, enums can be constructed and indices can be followed."""
    for kind in KINDS:
        record = kind.record
        if record is None or not getattr(subject.image, kind.attribute):
            continue
        _check_reserved(subject, kind, record)
        table = subject.image.table(record)
        _check_minor(subject, kind, record, table)
        for f in record.fields:
            _check_field(subject, record, f, table[f.name])
    _check_geometry_indices(subject)
