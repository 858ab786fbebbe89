"""Disassembly: the text from which `assemble` makes the same bytes, with comments for people."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator

from tfmbs.runtime.abi.asm.data import weight_lines
from tfmbs.runtime.abi.asm.rows import quoted, row_text
from tfmbs.runtime.abi.asm.words import word_text
from tfmbs.runtime.abi.container import read
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.patches import form_of, names_of, targets
from tfmbs.runtime.abi.records import NONE, Patched
from tfmbs.runtime.abi.sections import KINDS, Content, Feature, SectionKind

_NUMBERS_PER_LINE = 16
_OPERANDS = ("lhs", "rhs", "out")


def _string(image: Image, index: int) -> str:
    return quoted(image.strings[index]) if index < len(image.strings) else str(index)


def _tensor_note(image: Image, index: int) -> str:
    return _string(image, image.tensors[index]["name"]) if index < len(image.tensors) else str(index)


def _descriptor_note(image: Image, number: int) -> str:
    """What a descriptor refers to, by name."""
    row = image.descriptors[number]
    named = [f"{name} {_tensor_note(image, row[name])}" for name in _OPERANDS if row[name] != NONE]
    args = image.args[row["args_first"] : row["args_first"] + row["args_count"]]
    named += [f"w{i} {_tensor_note(image, arg)}" for i, arg in enumerate(args)]
    waits = image.waits[row["waits_first"] : row["waits_first"] + row["waits_count"]]
    return ", ".join(named + ([f"after {waits}"] if waits else []))


def _patch_note(image: Image, number: int) -> str:
    """What a patch writes: `TENSOR[3].dims[1] = n`."""
    patch = image.patches[number]
    section = next((code for code in Patched if code == patch["section"]), None)
    target = targets(section).get(patch["at"]) if section is not None else None
    if section is None or target is None:
        return ""
    names = names_of(image, patch["entry"])
    form = form_of(image, patch, len(names))
    value = form.text(names)
    if form.shift or form.part:
        last = f"{form.shift + target.bits - 1}" if form.part else ""
        value = f"bits {form.shift}…{last} of {value}"
    element = "" if target.element is None else f"[{target.element}]"
    return f"{section.name}[{patch['row']}].{target.field}{element} = {value}"


_NOTES: dict[str, Callable[[Image, int], str]] = {"descriptor": _descriptor_note, "patch": _patch_note}


def _json_lines(kind: SectionKind, image: Image) -> Iterator[str]:
    value = getattr(image, kind.attribute)
    yield f".{kind.name.lower()} {json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False)}"


def _record_lines(kind: SectionKind, image: Image) -> Iterator[str]:
    record = kind.record
    assert record is not None
    note_of = _NOTES.get(record.name)
    for number, row in enumerate(getattr(image, kind.attribute)):
        note = note_of(image, number) if note_of else ""
        yield f"{row_text(record, row, image.strings)} ; {number}{': ' if note else ''}{note}"


def _number_lines(kind: SectionKind, image: Image) -> Iterator[str]:
    numbers = getattr(image, kind.attribute)
    for start in range(0, len(numbers), _NUMBERS_PER_LINE):
        yield f".{kind.attribute} {', '.join(map(str, numbers[start : start + _NUMBERS_PER_LINE]))} ; {start}"


def _word_lines(_: SectionKind, image: Image) -> Iterator[str]:
    names = {row["first_word"]: _string(image, row["name"]) for row in image.programs}
    for number, word in enumerate(image.words):
        if number in names:
            yield f"; program {names[number]}"
        yield f"  {word_text(word)} ; {number}"


def _string_lines(_: SectionKind, image: Image) -> Iterator[str]:
    yield from (f".string {quoted(text)}" for text in image.strings)


def _raw_lines(kind: SectionKind, image: Image) -> Iterator[str]:
    if kind.name == "WEIGHTS":
        yield from weight_lines(image)
    else:
        yield f".{kind.name.lower()} {bytes(getattr(image, kind.attribute)).hex()}"


_PRINTERS: dict[Content, Callable[[SectionKind, Image], Iterator[str]]] = {
    Content.JSON: _json_lines,
    Content.STRINGS: _string_lines,
    Content.RECORDS: _record_lines,
    Content.U32: _number_lines,
    Content.WORDS: _word_lines,
    Content.RAW: _raw_lines,
}


def _file_lines(image: Image) -> Iterator[str]:
    if image.declared_version is not None:
        yield f".version {image.version[0]} {image.version[1]}"
    if image.optional_features:
        yield f".optional_features {image.optional_features:#x}"
    for section in image.extras:
        data = bytes(section.data).hex()
        yield f".extra {section.kind} {section.alignment} {quoted(section.name)} {data}"


def headers(image: Image) -> str:
    """The header and the section table as comment lines. `image` must come from a file."""
    file = image.file if image.file is not None else read(image.to_bytes())
    features = [bit.name for bit in Feature if file.required_features >> bit & 1]
    lines = [f"; tfb {file.version[0]}.{file.version[1]}, requires {', '.join(features) or 'nothing'}"]
    lines.append(f"; {'section':<16} {'offset':>10} {'bytes':>10} {'align':>6}")
    for section in file.sections:
        note = " optional" if section.optional else ""
        lines.append(
            f"; {section.name:<16} {section.offset:>#10x} {len(section.data):>10} {section.alignment:>6}{note}"
        )
    return "\n".join(lines) + "\n"


def section_text(image: Image, kind: SectionKind) -> str:
    """The statements of one section; nothing where it is empty."""
    value = getattr(image, kind.attribute) if kind.attribute else b""
    if not len(value) and kind.content is not Content.JSON:
        return ""
    return "\n".join(_PRINTERS[kind.content](kind, image)) + "\n"


def disassemble(image: Image, sections: Iterable[str] | None = None) -> str:
    """The text of a whole image (`assemble` gives it back), or of some sections."""
    wanted = set(sections) if sections is not None else None
    parts = [] if wanted is not None else [headers(image), "\n".join(_file_lines(image))]
    for kind in KINDS:
        if kind.attribute and (wanted is None or kind.name in wanted):
            text = section_text(image, kind)
            if text:
                parts.append(f"; {kind.name}\n{text}")
    return "\n".join(part for part in parts if part)
