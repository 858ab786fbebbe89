"""Arrays of numpy on the memory of what callers give: arrays of their own, tensors of other libraries, lists."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tfmbs.runtime import _native
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.devices.base import Array

_CPU = 1  # a device type of DLPack
_REFUSALS = (ValueError, TypeError, RuntimeError, BufferError)  # what libraries refuse a conversion with


def as_array(name: str, value: npt.ArrayLike) -> tuple[Array, bool]:
    """The array, on the memory of `value` where that is an array or tensor, and whether it holds the bits of bf16.

    Taken are what numpy takes (`__array_interface__`, `__array__`, the buffer protocol) and, where it does not, tensors
    in the memory of this machine that offer `__dlpack__`. Raises TfmbsError `input.dtype`.
    """
    if isinstance(value, np.ndarray):
        return np.asarray(value), False
    try:
        array: Array = np.asarray(value)
        if array.dtype != np.object_ or not hasattr(value, "__dlpack__"):
            return array, False
    except _REFUSALS as error:
        if not (isinstance(error, TypeError) and hasattr(value, "__dlpack__")):
            raise TfmbsError("input.dtype", name, f"it cannot be made an array: {error}") from error
    return _tensor(name, value)


def _tensor(name: str, value: Any) -> tuple[Array, bool]:
    try:
        if (device := value.__dlpack_device__()[0]) != _CPU:
            raise TfmbsError("input.dtype", name, "device type (DLPack)", f"{_CPU} (CPU)", int(device))
        return _native.array_of(value)
    except _REFUSALS as error:
        raise TfmbsError("input.dtype", name, f"it cannot be made an array: {error}") from error


def writable(name: str, value: object) -> tuple[Array, bool]:
    """As `as_array`, for an output: an array, or a tensor that lends its memory. Raises TfmbsError `output`."""
    try:
        array, is_bf16 = as_array(name, value)  # type: ignore[arg-type]  # it is asked, whatever it is
    except TfmbsError as error:
        raise TfmbsError("output", name, error.what, error.expected, error.got) from error
    if array is not value and array.flags.owndata:
        raise TfmbsError("output", name, "what is written into", "an array or tensor", type(value).__name__)
    if not array.flags.writeable:
        raise TfmbsError("output", name, "what is written into", "a writable array", "one that is read only")
    return array, is_bf16
