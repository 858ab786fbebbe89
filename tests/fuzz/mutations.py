"""Mutations of a fabric binary whose digests are right, so that only the checks behind them can refuse the result."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from random import Random

from tests.fuzz.resign import replace_fields, resign
from tfmbs.runtime.abi import container, siw
from tfmbs.runtime.abi.container import Container, Section
from tfmbs.runtime.abi.records import NONE, Field, Record
from tfmbs.runtime.abi.sections import HEADER, KIND_BY_CODE, SECTION, Content, SectionKind
from tfmbs.runtime.abi.writing import write

_NUMBERS = (
    0,
    1,
    2,
    3,
    7,
    8,
    255,
    256,
    65535,
    65536,
    1 << 31,
    (1 << 31) - 1,
    NONE,
    NONE - 1,
    1 << 32,
    1 << 63,
    (1 << 64) - 1,
)
_MOST_CHANGES = 3

Sections = list[tuple[Section, bytearray]]


def _row_bytes(kind: SectionKind) -> int:
    return (
        kind.record.size
        if kind.record
        else {Content.WORDS: 16, Content.U32: 4, Content.STRINGS: 4}.get(kind.content, 1)
    )


def _pick_section(sections: Sections, random: Random, *contents: Content) -> tuple[SectionKind, bytearray] | None:
    """A section of one of these contents that has at least one row."""
    kinds = [(KIND_BY_CODE[section.kind], data) for section, data in sections]
    found = [(kind, data) for kind, data in kinds if kind.content in contents and len(data) >= _row_bytes(kind)]
    return random.choice(found) if found else None


def _value(f: Field, column: list[int], random: Random) -> int | float:
    """A value near those that are there, or one that is known to break things."""
    if f.kind == "f32":
        return random.choice([0.0, -0.0, 1.0, -1.0, 0.5, float("inf"), float("nan")])
    old = random.choice(column)
    choices: list[int] = [old, old + 1, old - 1, old * 2, old // 2, random.choice(_NUMBERS)]
    if f.enum is not None:
        choices += [int(member) for member in f.enum] * 2
    low = -(1 << (8 * f.width - 1)) if f.kind.startswith("i") else 0
    return min(max(random.choice(choices), low), low + (1 << (8 * f.width)) - 1)


def _mutate_record(record: Record, data: bytearray, random: Random) -> None:
    rows = len(data) // record.size
    row, f = random.randrange(rows), random.choice(record.fields)
    values = [record.decode(data, i * record.size)[f.name] for i in range(rows)]
    if f.count == 1:
        value = _value(f, values, random)
    else:
        items = list(values[row])
        items[random.randrange(min(f.count, 4))] = _value(f, items, random)
        value = tuple(items)
    replace_fields(data, record, row * record.size, **{f.name: value})


def change_field(sections: Sections, random: Random) -> None:
    """A field of a record."""
    pair = _pick_section(sections, random, Content.RECORDS)
    if pair:
        record = pair[0].record
        assert record is not None
        _mutate_record(record, pair[1], random)


def mutated_word(data: bytes, random: Random) -> bytes:
    """An instruction word with one field changed."""
    f = random.choice(siw.FIELDS)
    word = int.from_bytes(data, "little")
    most = (1 << f.bits) - 1
    old = word >> f.low & most
    value = random.choice([old + 1, old - 1, 0, most, most >> 1, random.randint(0, most), 1, 4]) & most
    return ((word & ~(most << f.low)) | value << f.low).to_bytes(len(data), "little")


def change_word(sections: Sections, random: Random) -> None:
    """A field of an instruction word."""
    pair = _pick_section(sections, random, Content.WORDS)
    if pair:
        start = 16 * random.randrange(len(pair[1]) // 16)
        pair[1][start : start + 16] = mutated_word(bytes(pair[1][start : start + 16]), random)


def change_number(sections: Sections, random: Random) -> None:
    """An operand window, a token, or a count of a string."""
    pair = _pick_section(sections, random, Content.U32, Content.STRINGS)
    if pair:
        start = 4 * random.randrange(len(pair[1]) // 4)
        value = random.choice([random.randrange(12), random.choice(_NUMBERS) & NONE])
        pair[1][start : start + 4] = value.to_bytes(4, "little")


def change_bytes(sections: Sections, random: Random) -> None:
    """Bytes anywhere in a section."""
    _, data = random.choice(sections)
    for _ in range(random.randint(1, 4)):
        data[random.randrange(len(data))] = random.choice([0, 1, 255, random.randrange(256)])


def change_json(sections: Sections, random: Random) -> None:
    """A value of META or TARGET, spelled canonically."""
    pair = _pick_section(sections, random, Content.JSON)
    if pair:
        try:
            value = json.loads(pair[1])
        except ValueError:  # after another change
            return
        parent = value
        while True:
            key = random.choice(list(parent))
            if not isinstance(parent[key], dict) or not parent[key]:
                break
            parent = parent[key]
        parent[key] = random.choice([0, 1, -1, 2**53, 1.5, "", "x", None, [], {}, True, 3])
        pair[1][:] = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def change_rows(sections: Sections, random: Random) -> None:
    """Rows of a table: one twice, one away, two swapped."""
    pair = _pick_section(sections, random, Content.RECORDS, Content.WORDS, Content.U32)
    if pair:
        kind, data = pair
        size = _row_bytes(kind)
        rows = [bytes(data[i : i + size]) for i in range(0, len(data), size)]
        i, j = random.randrange(len(rows)), random.randrange(len(rows))
        action = random.randrange(3)
        if action == 0:
            rows.insert(j, rows[i])
        elif action == 1 and len(rows) > 1:
            del rows[i]
        else:
            rows[i], rows[j] = rows[j], rows[i]
        data[:] = b"".join(rows)


def resize_section(sections: Sections, random: Random) -> None:
    """A section that is longer, shorter or missing."""
    i = random.randrange(len(sections))
    data = sections[i][1]
    action = random.randrange(3)
    if action == 0:
        data += random.randbytes(random.choice([1, 4, 16, 64]))
    elif action == 1 and len(data) > 1:
        del data[-random.randint(1, min(len(data) - 1, 64)) :]
    else:
        del sections[i]


MUTATIONS: tuple[Callable[[Sections, Random], None], ...] = (
    *[change_field] * 6,
    *[change_word] * 4,
    change_number,
    change_bytes,
    change_json,
    change_rows,
    resize_section,
)


def _change_envelope(data: bytearray, random: Random) -> bytearray:
    """A field of the header or of the section table."""
    if random.randrange(4) == 0:
        f = random.choice([f for f in HEADER.fields if f.count == 1])
        replace_fields(data, HEADER, 0, **{f.name: _value(f, [HEADER.decode(data)[f.name]], random)})
    else:
        offset = HEADER.size + SECTION.size * random.randrange(HEADER.decode(data)["section_count"])
        f = random.choice([f for f in SECTION.fields if f.count == 1])
        replace_fields(data, SECTION, offset, **{f.name: _value(f, [SECTION.decode(data, offset)[f.name]], random)})
    count = HEADER.decode(data)["section_count"]
    inside = HEADER.size + count * SECTION.size <= len(data)
    return resign(data) if inside else data


def _is_same(sections: Sections, source: Container) -> bool:
    return [data for _, data in sections] == [section.data for section in source.sections]


def mutant(files: list[bytes], seed: int) -> bytes:
    """The mutant of number `seed`: the same for the same files and number."""
    random = Random(seed)
    source = container.read(random.choice(files))
    sections: Sections = [(section, bytearray(section.data)) for section in source.sections]
    left = random.randint(1, _MOST_CHANGES)
    while sections and (left > 0 or _is_same(sections, source)):
        random.choice(MUTATIONS)(sections, random)
        left -= 1
    changed = tuple(replace(section, data=memoryview(data)) for section, data in sections if data)
    out = write(Container(changed, source.required_features, source.optional_features, source.version))
    if random.randrange(20) == 0:
        out = _change_envelope(out, random)
    return bytes(out)
