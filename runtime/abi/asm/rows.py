"""Records as text: `.tensor region=WEIGHTS dtype=F32 … name="w"`; fields at their default (0, or none) are left out."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tfmbs.runtime.abi.asm.cursor import Cursor
from tfmbs.runtime.abi.image import Row
from tfmbs.runtime.abi.records import NONE, Field, FieldValue, Record


def quoted(text: str) -> str:
    """A string as JSON spells it, with everything that is not printable escaped."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _default(f: Field) -> FieldValue:
    if f.count > 1:
        return (0,) * f.count
    return 0.0 if f.kind == "f32" else NONE if f.optional else 0


def _value_text(f: Field, value: FieldValue, strings: list[str]) -> str:
    if isinstance(value, tuple):
        items = list(value)
        while items and not items[-1]:
            items.pop()
        return f"[{', '.join(map(str, items))}]"
    if f.enum is not None and value in set(f.enum):
        return f.enum(int(value)).name
    if f.index == "strings" and value < len(strings):
        return quoted(strings[int(value)])
    if f.index is not None and f.index != "strings" and value != NONE:
        return f"%{value}"
    return repr(value)


def _is_written(f: Field, value: FieldValue) -> bool:
    """Whether text states a field: what is not the default, and what nobody should have to know the default of."""
    stated = (f.enum is not None and not f.quiet) or (f.index is not None and not f.optional)
    return stated or repr(value) != repr(_default(f))


def row_text(record: Record, row: Row, strings: list[str]) -> str:
    """One record."""
    parts = [f"{f.name}={_value_text(f, row[f.name], strings)}" for f in record.fields if _is_written(f, row[f.name])]
    return " ".join([f".{record.name}", *parts])


def _parse_array(cursor: Cursor, f: Field) -> tuple[int, ...]:
    start = cursor.position
    cursor.expect("[")
    items: list[int] = []
    while not cursor.accept("]"):
        if items:
            cursor.expect(",")
        items.append(cursor.integer())
    if len(items) > f.count:
        raise cursor.error(f.name, f"at most {f.count} values", len(items), at=start)
    return (*items, *(0,) * (f.count - len(items)))


def _parse_value(cursor: Cursor, f: Field, strings: Mapping[str, int]) -> FieldValue:
    if f.count > 1:
        return _parse_array(cursor, f)
    cursor.at_end()
    start = cursor.position
    is_number = cursor.text[start : start + 1].isdigit()
    if f.enum is not None and not is_number:
        return cursor.member(f.enum)
    if f.index == "strings" and not is_number:
        text = cursor.string()
        if text not in strings:
            raise cursor.error(f"string {quoted(text)} is not among the .string lines before", at=start)
        return strings[text]
    if f.index is not None and f.index != "strings" and cursor.accept("%"):
        return cursor.integer("an index")
    return cursor.number() if f.kind == "f32" else cursor.integer()


def parse_row(cursor: Cursor, record: Record, strings: Mapping[str, int]) -> Row:
    """Reads the fields of one record, up to the end of the line. `strings` gives the number of each string."""
    row: Row = {f.name: _default(f) for f in record.fields}
    fields = {f.name: f for f in record.fields}
    given: set[str] = set()
    while not cursor.at_end():
        start = cursor.position
        name = cursor.word("a field")
        f = fields.get(name)
        if f is None:
            raise cursor.error(f"field of .{record.name}", "/".join(fields), name, at=start)
        if name in given:
            raise cursor.error(f"field {name} is given twice", at=start)
        given.add(name)
        cursor.expect("=")
        row[name] = _parse_value(cursor, f, strings)
        try:
            record.encode(row)
        except ValueError as error:
            raise cursor.error(str(error), at=start) from error
    return row
