"""Shapes that depend on run-time sizes, and the sizes that follow from shapes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tfmbs.runtime.abi.forms import Form, solve
from tfmbs.runtime.abi.image import Image, Row
from tfmbs.runtime.abi.patches import at_of, form_of
from tfmbs.runtime.abi.records import Patched

Dims = tuple[int | Form, ...]
"""A shape: numbers, and forms in the sizes of an entry point."""


class SizedShapes:
    """Shapes of the tensors of an image, and the sizes of its entry points."""

    def __init__(self, image: Image) -> None:
        self._image = image
        self._sizes: dict[int, list[Row]] = {}
        for row in image.sizes:
            self._sizes.setdefault(row["entry"], []).append(row)
        self._patches = {
            (patch["row"], patch["at"]): patch for patch in image.patches if patch["section"] == Patched.TENSOR
        }

    def sizes(self, entry: int) -> list[Row]:
        """The run-time sizes of an entry point, in order."""
        return self._sizes.get(entry, [])

    def dims(self, entry: int, tensor: int) -> Dims:
        """The shape of a tensor as an entry point sees it."""
        row = self._image.tensors[tensor]
        return tuple(self._dim(entry, tensor, axis, size) for axis, size in enumerate(row["dims"][: row["rank"]]))

    def inputs(self, entry: int) -> list[Dims]:
        """The shapes of an entry point's inputs, in order."""
        return self._ends(entry, "inputs")

    def outputs(self, entry: int) -> list[Dims]:
        """Those of its outputs."""
        return self._ends(entry, "outputs")

    def _ends(self, entry: int, name: str) -> list[Dims]:
        row = self._image.entries[entry]
        first = row[f"{name}_first"]
        return [self.dims(entry, io["tensor"]) for io in self._image.io[first : first + row[f"{name}_count"]]]

    def _dim(self, entry: int, tensor: int, axis: int, size: int) -> int | Form:
        patch = self._patches.get((tensor, at_of(Patched.TENSOR, "dims", axis) or 0))
        if patch is None or patch["entry"] != entry:
            return size
        return form_of(self._image, patch, len(self.sizes(entry)))


def order_of_solution(forms: Iterable[Form], known: Iterable[int], example: Sequence[int]) -> list[tuple[Form, int]]:
    """Which form tells which size, one after the other: linear in it, the others being known by then.

    `example` are possible sizes, for which the forms must tell them. Sizes that no form tells are left out.
    """
    tried, found = list(dict.fromkeys(forms)), set(known)
    steps: list[tuple[Form, int]] = []
    before = -1
    while len(steps) > before:  # a pass over all forms tells one size at least, or there are no more
        before = len(steps)
        for form in tried:
            unknown = list(form.used() - found)
            if len(unknown) == 1 and solve(form, form.at(example), unknown[0], example) is not None:
                steps.append((form, unknown[0]))
                found.update(unknown)
    return steps


Bounds = Sequence[tuple[int, int]]
"""The least and the greatest value of each size."""


def solved(dims: Sequence[Dims], shapes: Sequence[Sequence[int]], bounds: Bounds) -> list[int] | None:
    """The sizes within `bounds` for which arrays of `shapes` have the shapes `dims`; None where there are none."""
    if [len(shape) for shape in shapes] != [len(shape) for shape in dims]:
        return None
    pairs = [pair for ours, theirs in zip(dims, shapes, strict=True) for pair in zip(ours, theirs, strict=True)]
    if any(ours != theirs for ours, theirs in pairs if isinstance(ours, int)):
        return None
    values = {form: theirs for form, theirs in pairs if isinstance(form, Form)}
    sizes = [high for _, high in bounds]
    fixed = [i for i, (low, high) in enumerate(bounds) if low == high]
    for form, unknown in order_of_solution(values, fixed, sizes):
        size = solve(form, values[form], unknown, sizes)
        if size is None:
            return None
        sizes[unknown] = size
    inside = all(low <= size <= high for size, (low, high) in zip(sizes, bounds, strict=True))
    told = ((form, theirs) for form, theirs in pairs if isinstance(form, Form))
    return sizes if inside and all(_is(form, sizes, theirs) for form, theirs in told) else None


def _is(form: Form, sizes: Sequence[int], value: int) -> bool:
    try:
        return form.at(sizes) == value
    except ValueError:  # no whole number
        return False
