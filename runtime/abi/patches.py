"""Where numbers that depend on run-time sizes lie in an image, and the image for given sizes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from tfmbs.runtime.abi import siw
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.forms import Degrees, Form
from tfmbs.runtime.abi.image import Image, Row
from tfmbs.runtime.abi.records import ENTRY, PROGRAM, SCHEDULE, SEMANTICS, TENSOR, Field, Patched, Reading, Record
from tfmbs.runtime.abi.sections import KIND_BY_CODE, KINDS
from tfmbs.runtime.abi.size_records import MAX_SIZES

_SIZED_FIELDS: dict[str, tuple[str, ...]] = {
    ENTRY.name: ("scratch_bytes",),
    PROGRAM.name: ("max_steps",),
    SEMANTICS.name: ("flops", "bytes"),
    SCHEDULE.name: ("tile_m", "tile_n", "tile_k"),
    TENSOR.name: ("offset", "bytes", "dims"),
}
"""Fields that may depend on sizes; of geometries, all integers that are neither codes nor indices."""

WORD_FIELDS = ("s_imm", "c_imm")
"""Fields of instruction words that may."""


@dataclass(frozen=True)
class Target:
    """A number that may depend on sizes: `low` and `high` are the least and the greatest value of its field."""

    field: str
    element: int | None  # of an array
    low: int
    high: int
    bits: int


def _sized(record: Record) -> Iterator[Field]:
    names = _SIZED_FIELDS.get(record.name)
    for field in record.fields:
        if field.name in names if names else field.kind != "f32" and field.enum is None and field.index is None:
            yield field


@cache
def targets(section: Patched) -> dict[int, Target]:
    """What may be patched in a record of a section, by its first byte (of a word: its first bit)."""
    if section is Patched.SIW:
        fields = (siw.BIT_FIELD[name] for name in WORD_FIELDS)
        return {field.low: Target(field.name, None, *field.bounds, field.bits) for field in fields}
    record = KIND_BY_CODE[section].record
    assert record is not None
    found = {}
    for field in _sized(record):
        bits = 8 * field.width
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if field.kind[0] == "i" else (0, (1 << bits) - 1)
        for element in range(field.count):
            place = element if field.count > 1 else None
            found[field.offset + element * field.width] = Target(field.name, place, low, high, bits)
    return found


def at_of(section: Patched, field: str, element: int | None = None) -> int | None:
    """The inverse of `targets`: where a number lies in its record; None where it may not be patched."""
    found = (at for at, t in targets(section).items() if (t.field, t.element) == (field, element))
    return next(found, None)


def sizes_of(image: Image, entry: int) -> list[Row]:
    """The run-time sizes of an entry point, in order."""
    return [row for row in image.sizes if row["entry"] == entry]


def names_of(image: Image, entry: int) -> list[str]:
    """Their names."""
    return [image.strings[row["name"]] for row in sizes_of(image, entry)]


def form_of(image: Image, patch: Row, count: int) -> Form:
    """The number that a patch of an entry point with `count` sizes writes."""
    rows = image.terms[patch["first_term"] : patch["first_term"] + patch["term_count"]]
    terms = tuple((row["degrees"][:count], row["coefficient"]) for row in rows)
    return Form(terms, patch["divisor"], patch["shift"], bool(patch["part"]), patch["reading"] == Reading.F32)


def field_value(form: Form, target: Target, sizes: Sequence[int]) -> int:
    """What `target` holds for these sizes. Raises ValueError for a number that does not fit."""
    value = form.at(sizes) >> form.shift
    if form.part:
        value &= (1 << target.bits) - 1
        return value - (1 << target.bits) if value > target.high else value
    if not target.low <= value <= target.high:
        raise ValueError(f"{value} is not in {target.low}…{target.high}")
    return value


def stored_value(image: Image, patch: Row) -> int:
    """What the image holds where a patch writes."""
    section = Patched(patch["section"])
    target = targets(section)[patch["at"]]
    row = getattr(image, KIND_BY_CODE[section].attribute)[patch["row"]]
    if section is Patched.SIW:
        return siw.field_of(row, target.field)
    value = row[target.field]
    return int(value if target.element is None else value[target.element])


def instance(image: Image, entry: int, sizes: Sequence[int]) -> Image:
    """The image in which an entry point has these sizes and no others, within its bounds. It is not checked.

    Weights and what does not depend on sizes are shared. Raises TfmbsError `record` for a number that does not fit.
    """
    mine = sizes_of(image, entry)
    tables = _Tables(image)
    for number, patch in enumerate(image.patches):
        if patch["entry"] == entry:
            try:
                tables.write(patch, form_of(image, patch, len(mine)), sizes)
            except ValueError as error:
                where = f"PATCHES[{number}] for {shown(names_of(image, entry), sizes)}"
                raise TfmbsError("record", where, str(error)) from error
    bounds = iter(sizes)
    fixed = [
        {**row, "low": (size := next(bounds)), "high": size} if row["entry"] == entry else row for row in image.sizes
    ]
    changed: dict[str, Any] = {**tables.changed, **_others(image, entry), "sizes": fixed}
    kept = [kind.name for kind in KINDS if kind.attribute and kind.attribute not in changed and kind.name != "WEIGHTS"]
    encoded = {name: image.section(name) for name in kept}
    return replace(image, **changed, file=None, instance_of=entry, encoded=encoded, _checked_tensors=set())


def patched_rows(image: Image, entry: int, section: Patched) -> list[int]:
    """The records of a section that depend on the sizes of an entry point."""
    rows = (patch["row"] for patch in image.patches if patch["entry"] == entry and patch["section"] == section)
    return list(dict.fromkeys(rows))


def shown(names: Sequence[str], sizes: Sequence[int]) -> str:
    """Sizes for people: `n = 3, m = 4`."""
    return ", ".join(f"{name} = {size}" for name, size in zip(names, sizes, strict=True))


class _Tables:
    """Copies of the tables of an image in which numbers change, with copies of the rows that do."""

    def __init__(self, image: Image) -> None:
        self._image = image
        self.changed: dict[str, list[Any]] = {}

    def write(self, patch: Row, form: Form, sizes: Sequence[int]) -> None:
        """Writes what a patch says for these sizes. Raises ValueError for a number that does not fit."""
        section = Patched(patch["section"])
        target = targets(section)[patch["at"]]
        value = field_value(form, target, sizes)
        attribute, row = KIND_BY_CODE[section].attribute, patch["row"]
        table = self.changed.setdefault(attribute, list(getattr(self._image, attribute)))
        if section is Patched.SIW:
            table[row] = siw.with_field(table[row], target.field, value)
        elif target.element is None:
            table[row] = {**table[row], target.field: value}
        else:
            items = list(table[row][target.field])
            items[target.element] = value
            table[row] = {**table[row], target.field: tuple(items)}


def _others(image: Image, entry: int) -> dict[str, list[Row]]:
    """The patches of the other entry points, with the terms that they use, in the same order."""
    terms: list[Row] = []
    places: dict[tuple[int, int], int] = {}
    rows = []
    for patch in image.patches:
        if patch["entry"] == entry:
            continue
        key = patch["first_term"], patch["term_count"]
        if key not in places:
            places[key] = len(terms)
            terms += image.terms[key[0] : key[0] + key[1]]
        rows.append({**patch, "first_term": places[key]})
    return {"patches": rows, "terms": terms}


@dataclass(frozen=True)
class Patch:
    """A number of an entry point that depends on its sizes: where it is, as in `targets`, and what it is."""

    section: Patched
    row: int
    at: int
    entry: int
    form: Form


def patch_tables(patches: Iterable[Patch]) -> dict[str, list[Row]]:
    """The tables `patches` and `terms` of an image; equal polynomials have their terms once."""
    rows: list[Row] = []
    terms: list[Row] = []
    places: dict[tuple[tuple[Degrees, int], ...], int] = {}
    for patch in sorted(patches, key=lambda patch: (patch.section, patch.row, patch.at)):
        form = patch.form
        if form.terms not in places:
            places[form.terms] = len(terms)
            terms += [{"coefficient": factor, "degrees": _padded(degrees)} for degrees, factor in form.terms]
        rows.append(
            {
                "entry": patch.entry,
                "row": patch.row,
                "first_term": places[form.terms],
                "divisor": form.divisor,
                "term_count": len(form.terms),
                "section": int(patch.section),
                "reading": int(Reading.F32 if form.is_f32 else Reading.NUMBER),
                "at": patch.at,
                "shift": form.shift,
                "part": int(form.part),
            }
        )
    return {"patches": rows, "terms": terms}


def _padded(degrees: Degrees) -> Degrees:
    return (*degrees, *(0,) * (MAX_SIZES - len(degrees)))
