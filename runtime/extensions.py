"""Element types that numpy lacks and the package `ml_dtypes` adds: to and from the arrays that a program takes.

These hold the bits of such floats as unsigned integers, and the values of narrow integers as int8 or uint8. Nothing here
imports `ml_dtypes`: an array of one of its types knows its name and how to convert itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tfmbs.runtime.abi.types import DTYPES
from tfmbs.runtime.devices.base import Array

_EXTENSIONS = {info.extension: info for info in DTYPES.values() if info.extension is not None}


def plain(array: Array) -> Array:
    """An array of an `ml_dtypes` type as a program takes it; any other as it is."""
    info = _EXTENSIONS.get(array.dtype.name)
    if info is None:
        return array
    result: Array = array.view(info.array) if info.is_float else array.astype(info.array)
    return result


def extended(array: Array, dtype: np.dtype[Any]) -> Array:
    """What a program gives for an output of the `ml_dtypes` type `dtype`, as an array of it; any other as it is."""
    info = _EXTENSIONS.get(dtype.name)
    if info is None or array.dtype.name != info.array:
        return array
    return array.view(dtype) if info.is_float else array.astype(dtype)
