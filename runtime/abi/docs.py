"""`docs/isa.md` and `docs/tfb.md`, written from the tables by `python -m tfmbs.runtime.abi.docs`."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Iterator
from enum import IntEnum
from pathlib import Path

from tfmbs.runtime.abi import asm, limits, minor, siw, siw_deps, siw_verify, verify
from tfmbs.runtime.abi.asm import words
from tfmbs.runtime.abi.cpp_header import ENUMS, SIW_CONSTANTS
from tfmbs.runtime.abi.kinds import KIND_RULES, OPERANDS
from tfmbs.runtime.abi.records import RECORDS, Field, Record
from tfmbs.runtime.abi.sections import HEADER, KINDS, MAJOR, MINOR, OLDEST_MAJOR, SECTION, Feature, SectionFlag
from tfmbs.runtime.abi.special_render import markdown

DOCS = Path(__file__).resolve().parents[2] / "docs"
_ISA_ENUMS: tuple[type[IntEnum], ...] = (siw.Dep, siw.Reduce, siw.Predicate)
_NOTE = "Written by `python -m tfmbs.runtime.abi.docs` from the tables in `runtime/abi`; do not edit.\n"


def _text(documented: object) -> str:
    """The docstring of a module or class as Markdown paragraphs."""
    return inspect.cleandoc(documented.__doc__ or "")


def _table(heads: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    columns = list(heads)
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(str(cell).replace('|', '&#124;') for cell in row)} |"
    yield ""


def _enum(enum: type[IntEnum], level: int = 3) -> Iterator[str]:
    yield f"{'#' * level} {enum.__name__}\n"
    yield f"{_text(enum)}\n"
    yield from _table(("name", "code"), ((member.name, member.value) for member in enum))


# --- isa.md -----------------------------------------------------------------------------------------------------------


def _types(op: siw.Op) -> str:
    return " ".join(sorted((dtype.name for dtype in op.types), key=lambda name: (len(name), name)))


def _lanes(op: siw.Op) -> str:
    """Lanes of vector operands where the element type does not say them: `reg: aux`, `index: 64`."""
    return ", ".join(f"{name[2:]}: {source}" for name, source in op.lanes.items())


def _operations(slot: str) -> Iterator[str]:
    ops = [op for op in siw.OPS if op.slot == slot]
    heads = ("code", "operation", "types", "lanes", "unit", "meaning")
    rows = ((op.code, f"`{words.syntax(op)}`", _types(op), _lanes(op), op.unit, op.doc) for op in ops)
    yield from _table(heads, rows)


def _fields(fields: Iterable[siw.BitField]) -> Iterator[str]:
    rows = ((f.name, f.slot, f"{f.low}…{f.low + f.bits - 1}", f"{f.bounds[0]}…{f.bounds[1]}") for f in fields)
    yield from _table(("field", "slot", "bits", "values"), rows)


_C_DATA = """\
Opcodes of slot C that move data (CAST, REDUCE, RECV, SEND) use parts of `c_imm` as fields of their own; its other bits
are zero there:
"""
_WIDE = """\
## Lanes of 64 bits

An operand of the types {types} is a pair of registers, named by its even one: `ADD.F64 v2, v4, v6` adds v4 and v5 to
v6 and v7. The pair is one array of `VLMAX` lanes in ascending order, little-endian; what 32-bit operations see in its
registers follows from that. The element type of an operation says which of its operands are pairs, all of them, except
where the column `lanes` of the tables below names a width, or `aux` for the type that it converts from. An operation
whose operand is half of another one's pair reads all of both before it writes.
"""
_STREAMS = """\
## Streams

RECV and SEND access the next VL elements of a window, without an address: RECV from the read cursor of the window on,
SEND from its write cursor on, which then moves on by VL. Cursors start at 0 with each launch; other operations neither
use nor move them. A window may be read and written as a stream and by address in one program; what is in flight is
counted per window in either case. In slot C, a stream leaves slots S and D to an access by address and an operation.
"""


def isa_page() -> str:
    """The text of `docs/isa.md`."""
    lines = ["# The instruction set\n", _NOTE, f"{_text(siw)}\n", "## The word\n", *_fields(siw.BIT_FIELDS)]
    lines.append(
        "Fields of a slot that its opcode does not use are zero, and so is `c_zero`. Opcodes are append-only.\n"
    )
    lines += [_C_DATA, *_fields(siw.C_DATA_FIELDS)]
    lines += [_WIDE.format(types=", ".join(dtype.name for dtype in sorted(siw.WIDE))), _STREAMS]
    slots = {"D": "computes", "S": "moves data and computes addresses", "C": "controls, converts and streams"}
    for slot, purpose in slots.items():
        lines += [f"## Slot {slot}: {purpose}\n", *_operations(slot)]
    lines += ["## Codes\n"]
    for enum in _ISA_ENUMS:
        lines += _enum(enum)
    lines += ["## Constants\n", *_table(("name", "value"), ((name, getattr(siw, name)) for name in SIW_CONSTANTS))]
    lines += ["## Waits\n", f"{_text(siw_deps)}\n"]
    lines += ["## Programs\n", f"{_text(siw_verify)}\n"]
    lines += ["## Assembly\n", f"{_text(words)}\n", markdown()]
    return "\n".join(lines).rstrip("\n") + "\n"


# --- tfb.md -----------------------------------------------------------------------------------------------------------


def _meaning(f: Field) -> str:
    notes = [f.doc]
    if f.enum is not None:
        notes.append(f"a {f.enum.__name__}")
    if f.index is not None:
        notes.append(f"index into {f.index}{', or none' if f.optional else ''}")
    if f.low is not None:
        notes.append(f"at least {f.low:g}")
    if f.high is not None:
        notes.append(f"at most {f.high:g}")
    return "; ".join(notes)


def _record(record: Record, level: int = 3) -> Iterator[str]:
    yield f"{'#' * level} {record.name}\n"
    yield f"{record.size} bytes. {record.doc}\n"
    rows = ((f.offset, f.name, f"{f.kind}×{f.count}" if f.count > 1 else f.kind, _meaning(f)) for f in record.fields)
    yield from _table(("offset", "field", "type", "meaning"), rows)


def _sections() -> Iterator[str]:
    rows = (
        (k.code, k.name, k.alignment, "yes" if k.optional else "", k.record.name if k.record else "", k.doc)
        for k in KINDS
    )
    yield from _table(("code", "section", "alignment", "optional", "records", "content"), rows)


def _kinds() -> Iterator[str]:
    def mark(name: str, required: frozenset[str], optional: frozenset[str]) -> str:
        return "required" if name in required else "optional" if name in optional else ""

    rows = ((kind.name, *(mark(name, r.required, r.optional) for name in OPERANDS)) for kind, r in KIND_RULES.items())
    yield from _table(("kind", *OPERANDS), rows)
    types = (
        (kind.name, lhs.name, rhs.name if rhs else "", accumulator.name)
        for kind, rule in KIND_RULES.items()
        for lhs, rhs, accumulator in sorted(rule.types, key=str)
    )
    yield from _table(("kind", "lhs", "rhs", "accumulator"), types)


def _limits() -> Iterator[str]:
    found = re.findall(r'^(MAX_\w+) = .*\n"""(.*)"""$', inspect.getsource(limits), re.MULTILINE)
    yield f"{_text(limits)}\n"
    yield from _table(("limit", "value", "of"), ((name, getattr(limits, name), doc) for name, doc in found))


def _minor() -> Iterator[str]:
    rows = (
        (version, f"target.{key}.{name}", json.dumps(value))
        for version, tables in minor.TARGET_DEFAULTS.items()
        for key, added in tables.items()
        for name, value in added.items()
    )
    yield from _table(("minor", "added", "taken in files of minor versions before"), rows)


def tfb_page() -> str:
    """The text of `docs/tfb.md`."""
    majors = f"{OLDEST_MAJOR}…{MAJOR}" if OLDEST_MAJOR < MAJOR else str(MAJOR)
    lines = [f"# The fabric binary, version {MAJOR}.{MINOR}\n", _NOTE]
    lines.append(
        "All integers are little-endian. A file is a header, a section table, and the sections, each at the first "
        "aligned byte\nafter the one before it; the bytes between are zero and the last section ends the file. "
        "Sections come in ascending order\nof their kind, each kind at most once; an empty section is left out. "
        f"Readers take major versions {majors} and any minor.\n"
    )
    lines += [*_record(HEADER), *_record(SECTION), *_enum(SectionFlag), *_enum(Feature), "## Sections\n", *_sections()]
    lines += ["## Minor versions\n", f"{_text(minor)}\n", *_minor()]
    lines += ["## Records\n", "Bytes of a record that belong to no field are zero.\n"]
    for record in RECORDS.values():
        lines += _record(record)
    lines += [
        "## Kernels\n",
        "What a descriptor of each kind needs, and the element types it computes with.\n",
        *_kinds(),
    ]
    lines += ["## Codes\n", "All are append-only.\n"]
    for enum in ENUMS:
        if enum not in _ISA_ENUMS:
            lines += _enum(enum)
    lines += ["## What a valid file is\n", f"{_text(verify)}\n", "## Limits\n", *_limits()]
    lines += ["## Assembly\n", f"{_text(asm)}\n"]
    return "\n".join(lines).rstrip("\n") + "\n"


PAGES = {"isa.md": isa_page, "tfb.md": tfb_page}


def main() -> None:
    """Writes the pages in place."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
