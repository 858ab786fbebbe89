"""Element types that numpy lacks and the package `ml_dtypes` adds: to and from the arrays that a program takes.

These hold the bits of such floats as unsigned integers, and the values of narrow integers as int8 or uint8. Nothing
here imports `ml_dtypes`: an array of one of its types knows its name and how to convert itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tfmbs.runtime.abi.types import BF16_EXTENSION, DTYPES, MEANINGS, DType
from tfmbs.runtime.devices.base import Array

_INTEGERS = {info.extension: DTYPES[info.dtype].array for info in MEANINGS.values() if not info.is_float}
_FLOATS = {info.extension: DTYPES[info.dtype].array for info in MEANINGS.values() if info.is_float}
_FLOATS[BF16_EXTENSION] = DTYPES[DType.BF16].array


def plain(array: Array) -> Array:
    """An array of an `ml_dtypes` type as a program takes it; any other as it is."""
    name = array.dtype.name
    if name in _FLOATS:
        return array.view(_FLOATS[name])
    return array.astype(_INTEGERS[name]) if name in _INTEGERS else array


def extended(array: Array, dtype: np.dtype[Any]) -> Array:
    """What a program gives for an output of the `ml_dtypes` type `dtype`, as an array of it; any other as it is."""
    if _FLOATS.get(dtype.name) == array.dtype.name:
        return array.view(dtype)
    return array.astype(dtype) if _INTEGERS.get(dtype.name) == array.dtype.name else array
