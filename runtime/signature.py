"""Names, shapes and dtypes of the entry points of an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tfmbs.runtime.abi.forms import Form
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.sized_shapes import Dims, SizedShapes, solved
from tfmbs.runtime.abi.types import BF16_EXTENSION, DTYPES, MEANINGS, DType, Meaning

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Argument:
    """An input or output: what arrays must look like, or will.

    Where numpy lacks the element type, arrays hold bits or narrow integers (`runtime.extensions`): `extension` is then
    the type's name in `ml_dtypes`, inputs of which are taken as well, and `bounds` what an element may be. With
    run-time sizes, `shape` is the largest shape and `least` the smallest.
    """

    name: str
    shape: Shape
    dtype: np.dtype[Any]
    extension: str | None = None
    bounds: tuple[int, int] | None = None
    least: Shape | None = None


@dataclass(frozen=True)
class Size:
    """A run-time size of an entry point, and the values that it may have."""

    name: str
    low: int
    high: int


@dataclass(frozen=True)
class Piece:
    """An entry record: a range of sizes for which there is code of one form, and shapes that depend on them."""

    index: int
    sizes: tuple[Size, ...]
    inputs: tuple[Dims, ...]
    outputs: tuple[Dims, ...]

    def solved(self, shapes: Sequence[Shape]) -> tuple[int, ...] | None:
        """The sizes for which inputs have these shapes; None where there are none."""
        found = solved(self.inputs, shapes, [(size.low, size.high) for size in self.sizes])
        return None if found is None else tuple(found)


@dataclass(frozen=True)
class Entry:
    """An entry point and its arguments in order; `sizes` over all `pieces`."""

    name: str
    inputs: tuple[Argument, ...]
    outputs: tuple[Argument, ...]
    sizes: tuple[Size, ...] = ()
    pieces: tuple[Piece, ...] = ()

    def located(self, shapes: Sequence[Shape]) -> tuple[Piece, tuple[int, ...]] | None:
        """The piece for inputs of these shapes, and their sizes; None where the entry point does not take them."""
        for piece in self.pieces:
            if (sizes := piece.solved(shapes)) is not None:
                return piece, sizes
        return None


def _argument(image: Image, index: int) -> Argument:
    record = image.io[index]
    name = image.strings[record["name"]]
    tensor = image.tensors[record["tensor"]]
    dtype, meaning = DType(tensor["dtype"]), Meaning(record["meaning"])
    shape, array = tuple(tensor["dims"][: tensor["rank"]]), np.dtype(DTYPES[dtype].array)
    if meaning is not Meaning.PLAIN:
        return Argument(name, shape, array, MEANINGS[meaning].extension, MEANINGS[meaning].bounds)
    return Argument(name, shape, array, BF16_EXTENSION if dtype is DType.BF16 else None)


def _arguments(image: Image, first: int, count: int) -> tuple[Argument, ...]:
    return tuple(_argument(image, index) for index in range(first, first + count))


def piece_entry(image: Image, index: int) -> Entry:
    """Entry record number `index` alone, with the shapes that the image has: the largest of its piece."""
    record = image.entries[index]
    return Entry(
        image.strings[record["name"]],
        _arguments(image, record["inputs_first"], record["inputs_count"]),
        _arguments(image, record["outputs_first"], record["outputs_count"]),
    )


def entries_of(image: Image) -> tuple[Entry, ...]:
    """The entry points in the order of the image; pieces of one name are one."""
    shapes = SizedShapes(image)
    entries: dict[str, Entry] = {}
    for index in range(len(image.entries)):
        alone = piece_entry(image, index)
        mine = replace(_with_least(alone, piece := _piece(image, shapes, index)), pieces=(piece,), sizes=piece.sizes)
        known = entries.get(mine.name)
        entries[mine.name] = mine if known is None else _joined(known, mine)
    return tuple(entries.values())


def _piece(image: Image, shapes: SizedShapes, index: int) -> Piece:
    rows = shapes.sizes(index)
    sizes = tuple(Size(image.strings[row["name"]], row["low"], row["high"]) for row in rows)
    return Piece(index, sizes, tuple(shapes.inputs(index)), tuple(shapes.outputs(index)))


def _with_least(entry: Entry, piece: Piece) -> Entry:
    """The entry with the smallest shapes of its arguments, where they vary."""
    lows = [size.low for size in piece.sizes]

    def least(argument: Argument, dims: Dims) -> Argument:
        if all(isinstance(dim, int) for dim in dims):
            return argument
        return replace(argument, least=tuple(dim.at(lows) if isinstance(dim, Form) else dim for dim in dims))

    return replace(
        entry,
        inputs=tuple(map(least, entry.inputs, piece.inputs)),
        outputs=tuple(map(least, entry.outputs, piece.outputs)),
    )


def _joined(first: Entry, second: Entry) -> Entry:
    """Two pieces, or groups of them, as one entry point."""
    ranges = zip(first.sizes, second.sizes, strict=True)
    return Entry(
        first.name,
        tuple(map(_joined_argument, first.inputs, second.inputs)),
        tuple(map(_joined_argument, first.outputs, second.outputs)),
        tuple(Size(a.name, min(a.low, b.low), max(a.high, b.high)) for a, b in ranges),
        (*first.pieces, *second.pieces),
    )


def _joined_argument(first: Argument, second: Argument) -> Argument:
    shapes = [shape for a in (first, second) for shape in (a.shape, a.least or a.shape)]
    largest, least = (tuple(map(choose, *shapes)) for choose in (max, min))
    return replace(first, shape=largest, least=None if least == largest else least)
