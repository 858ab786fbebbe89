"""Names, shapes and dtypes of the entry points of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.types import BF16_EXTENSION, DTYPES, MEANINGS, DType, Meaning


@dataclass(frozen=True)
class Argument:
    """An input or output: what arrays must look like, or will.

    Where numpy lacks the element type, arrays hold bits or narrow integers (`runtime.extensions`): `extension` is then
    the type's name in `ml_dtypes`, inputs of which are taken as well, and `bounds` what an element may be.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    extension: str | None = None
    bounds: tuple[int, int] | None = None


@dataclass(frozen=True)
class Entry:
    """An entry point and its arguments in order."""

    name: str
    inputs: tuple[Argument, ...]
    outputs: tuple[Argument, ...]


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


def entries_of(image: Image) -> tuple[Entry, ...]:
    """The entry points in the order of the image."""
    return tuple(
        Entry(
            image.strings[entry["name"]],
            _arguments(image, entry["inputs_first"], entry["inputs_count"]),
            _arguments(image, entry["outputs_first"], entry["outputs_count"]),
        )
        for entry in image.entries
    )
