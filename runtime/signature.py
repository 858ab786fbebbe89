"""Names, shapes and dtypes of the entry points of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.types import DTYPES, DType


@dataclass(frozen=True)
class Argument:
    """An input or output: what arrays must look like, or will. Of BF16 they hold the bits, as uint16.

    `extension` is the name of the element type in `ml_dtypes`, where numpy has none: inputs of it are taken as well.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    extension: str | None = None


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
    info = DTYPES[DType(tensor["dtype"])]
    return Argument(name, tuple(tensor["dims"][: tensor["rank"]]), np.dtype(info.array), info.extension)


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
