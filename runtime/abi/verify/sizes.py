"""Checks of run-time sizes: their bounds, and that each patch is a polynomial for a number that may depend on them."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from tfmbs.runtime.abi.forms import Form
from tfmbs.runtime.abi.image import Image, Row
from tfmbs.runtime.abi.patches import field_value, form_of, stored_value, targets
from tfmbs.runtime.abi.records import ENTRY, PATCH, SIZE, TERM, Patched
from tfmbs.runtime.abi.sections import KIND_BY_CODE
from tfmbs.runtime.abi.size_records import MAX_DEGREE, MAX_PIECES, MAX_SIZES
from tfmbs.runtime.abi.sized_shapes import SizedShapes, order_of_solution
from tfmbs.runtime.abi.verify.subject import Subject


def check_sizes(subject: Subject) -> None:
    """Checks SIZES, PATCHES and TERMS; what the patches lead to is checked when it is made."""
    _check_bounds(subject)
    shapes = SizedShapes(subject.image)
    _check_names(subject, shapes)
    _check_patches(subject, shapes)
    for entry in dict.fromkeys(row["entry"] for row in subject.image.sizes):
        _check_inputs(subject, shapes, entry)


def _check_bounds(subject: Subject) -> None:
    entry, count, names = -1, 0, set[int]()
    for index, row in enumerate(subject.image.sizes):
        if row["entry"] < entry:
            raise subject.refuse(SIZE, index, "entry", "entry point", f"at least {entry}", row["entry"])
        if row["entry"] != entry:
            entry, count, names = row["entry"], 0, set()
        count += 1
        if count > MAX_SIZES:
            raise subject.refuse(SIZE, index, "entry", "sizes of an entry point", f"at most {MAX_SIZES}", count)
        if row["name"] in names:
            raise subject.refuse(SIZE, index, "name", "a name used twice", got=subject.image.strings[row["name"]])
        names.add(row["name"])
        if row["low"] > row["high"]:
            raise subject.refuse(SIZE, index, "high", "greatest value", f"at least {row['low']}", row["high"])


def _check_names(subject: Subject, shapes: SizedShapes) -> None:
    """Checks that entries of one name, its pieces, have the same sizes, in ranges that share no point."""
    image = subject.image
    named: dict[int, list[int]] = {}
    for index, entry in enumerate(image.entries):
        named.setdefault(entry["name"], []).append(index)
    for indices in named.values():
        if len(indices) > MAX_PIECES:
            what, expected = "entry points of a name", f"at most {MAX_PIECES}"
            raise subject.refuse(ENTRY, indices[-1], "name", what, expected, len(indices))
        for first, second in combinations(indices, 2):
            mine, other = shapes.sizes(first), shapes.sizes(second)
            if not mine or [row["name"] for row in mine] != [row["name"] for row in other]:
                name = image.strings[image.entries[second]["name"]]
                raise subject.refuse(ENTRY, second, "name", "a name used twice", got=name)
            if all(a["low"] <= b["high"] and b["low"] <= a["high"] for a, b in zip(mine, other, strict=True)):
                what = f"sizes of entry point {image.strings[image.entries[second]['name']]}"
                raise subject.refuse(ENTRY, second, "name", what, f"others than of ENTRY[{first}]", "some of them")
        for index in indices[1:]:
            if _arguments(image, index) != _arguments(image, indices[0]):
                expected = f"those of ENTRY[{indices[0]}]"
                raise subject.refuse(ENTRY, index, "name", "inputs and outputs", expected, "others")


def _arguments(image: Image, entry: int) -> tuple[Any, ...]:
    """What pieces of one entry point have in common: names, element types and ranks of inputs and outputs."""
    row = image.entries[entry]
    end = row["outputs_first"] + row["outputs_count"]
    tensors = [(io, image.tensors[io["tensor"]]) for io in image.io[row["inputs_first"] : end]]
    ends = [(io["name"], io["meaning"], tensor["dtype"], tensor["rank"]) for io, tensor in tensors]
    return row["inputs_count"], ends


def _check_patches(subject: Subject, shapes: SizedShapes) -> None:
    image = subject.image
    before, end = (-1, -1, -1), 0
    ranges: set[tuple[int, int]] = set()
    for index, patch in enumerate(image.patches):
        place = patch["section"], patch["row"], patch["at"]
        if place <= before:
            raise subject.refuse(PATCH, index, "section", "section, row and place", f"more than {before}", place)
        before = place
        _check_place(subject, index, patch)
        terms = patch["first_term"], patch["first_term"] + patch["term_count"]
        if terms not in ranges:
            if terms[0] != end or terms[1] > len(image.terms):
                expected = f"those of a patch before, or from {end} on, at most {len(image.terms)}"
                raise subject.refuse(PATCH, index, "first_term", "terms", expected, f"{terms[0]}…{terms[1]}")
            ranges.add(terms)
            end = terms[1]
        _check_form(subject, shapes, index, patch)
    if end != len(image.terms):
        raise subject.refuse(TERM, end, "", "terms of patches", end, len(image.terms))


def _check_place(subject: Subject, index: int, patch: Row) -> None:
    section = Patched(patch["section"])
    rows = len(getattr(subject.image, KIND_BY_CODE[section].attribute))
    if patch["row"] >= rows:
        raise subject.refuse(PATCH, index, "row", f"record of {section.name}", f"below {rows}", patch["row"])
    if patch["at"] not in targets(section):
        expected = "/".join(map(str, sorted(targets(section))))
        what = f"a number of {section.name} that may be patched"
        raise subject.refuse(PATCH, index, "at", what, expected, patch["at"])


def _check_form(subject: Subject, shapes: SizedShapes, index: int, patch: Row) -> None:
    """Checks the polynomial: degrees descend, of the entry's sizes; its value at the upper bounds is stored."""
    image = subject.image
    sizes = shapes.sizes(patch["entry"])
    before: tuple[int, ...] | None = None
    first, end = patch["first_term"], patch["first_term"] + patch["term_count"]
    for number, row in enumerate(image.terms[first:end], first):
        degrees = row["degrees"]
        if not row["coefficient"]:
            raise subject.refuse(TERM, number, "coefficient", "coefficient", "not 0", 0)
        if sum(degrees) > MAX_DEGREE or any(degrees[len(sizes) :]):
            expected = f"at most {MAX_DEGREE} in all, of {len(sizes)} sizes"
            raise subject.refuse(TERM, number, "degrees", "degrees", expected, list(degrees))
        if before is not None and degrees >= before:
            raise subject.refuse(TERM, number, "degrees", "degrees", f"less than {list(before)}", list(degrees))
        before = degrees
    form = form_of(image, patch, len(sizes))
    if not form.used():
        raise subject.refuse(PATCH, index, "first_term", "a number that depends on sizes", got="a constant")
    target = targets(Patched(patch["section"]))[patch["at"]]
    try:
        field_value(form, target, [row["low"] for row in sizes])
        value = field_value(form, target, [row["high"] for row in sizes])
    except ValueError as error:
        raise subject.refuse(PATCH, index, "first_term", "number at an end of the sizes", got=str(error)) from error
    stored = stored_value(image, patch)
    if value != stored:
        raise subject.refuse(PATCH, index, "first_term", "number at the high ends of the sizes", stored, value)


def _check_inputs(subject: Subject, shapes: SizedShapes, entry: int) -> None:
    """Checks that the shapes of the inputs tell every size of an entry point that is not fixed."""
    sizes = shapes.sizes(entry)
    fixed = {i for i, row in enumerate(sizes) if row["low"] == row["high"]}
    forms = [dim for dims in shapes.inputs(entry) for dim in dims if isinstance(dim, Form)]
    told = {size for _, size in order_of_solution(forms, fixed, [row["high"] for row in sizes])}
    for number, row in enumerate(sizes):
        if number not in told | fixed:
            index = next(i for i, other in enumerate(subject.image.sizes) if other is row)
            raise subject.refuse(SIZE, index, "name", "a size that no shape of an input tells")
