"""Types of the values of a random program, and input arrays with edge values.

An array of element type bf16 is of ml_dtypes' type here; `stored` gives the form in which programs take and return it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

DTYPE_OF: dict[str, np.dtype[Any]] = {
    "i1": np.dtype(np.bool_),
    "i8": np.dtype(np.int8),
    "i16": np.dtype(np.int16),
    "i32": np.dtype(np.int32),
    "i64": np.dtype(np.int64),
    "f16": np.dtype(np.float16),
    "bf16": np.dtype(ml_dtypes.bfloat16),
    "f32": np.dtype(np.float32),
    "f64": np.dtype(np.float64),
}
"""numpy type by MLIR element type."""

FLOATS = ("f16", "bf16", "f32", "f64")
INTEGERS = ("i8", "i16", "i32", "i64")
ELEMENTS = tuple(DTYPE_OF)


def bits_of(element: str) -> int:
    """Width of an element type."""
    return int(element.lstrip("bfi"))


@dataclass(frozen=True)
class Type:
    """A ranked tensor of static shape, or a scalar, whose shape is None; the element of a scalar may be `index`."""

    shape: tuple[int, ...] | None
    element: str

    def __str__(self) -> str:
        if self.shape is None:
            return self.element
        return f"tensor<{''.join(f'{size}x' for size in self.shape)}{self.element}>"

    @property
    def is_scalar(self) -> bool:
        """Whether it is no tensor."""
        return self.shape is None

    @property
    def sizes(self) -> tuple[int, ...]:
        """The shape of a tensor."""
        if self.shape is None:
            raise ValueError(f"{self.element} has no shape")
        return self.shape


def scalar(element: str) -> Type:
    """The type of a scalar."""
    return Type(None, element)


_FLOAT_EDGES = (0.0, -0.0, 0.5, 1.0, -1.0, 1.5, 2.5, -2.5, np.inf, -np.inf, np.nan, 127.5, -128.5, 1e5, 1e-3)
_TINY_AND_HUGE = {
    "f16": (6e-8, -6e-5, 65504.0, -65504.0),
    "bf16": (9.2e-41, -1.2e-38, 3.38e38, -3.38e38),
    "f32": (1e-45, -1e-40, 3.4e38, -3.4e38, 2.0**31, -(2.0**63)),
    "f64": (5e-324, -1e-310, 1.7e308, -1.7e308, 2.0**63, -(2.0**31), 1e39),
}
_NANS = {"f16": (0x7D01, 0xFE03), "bf16": (0x7F81, 0xFFC3), "f32": (0x7F800001, 0xFFC12345)}
_NANS |= {"f64": (0x7FF0000000000001, 0xFFF8123456789ABC)}


def edges(element: str) -> Array:
    """Values at which an operation on elements of this type may go wrong; several NaNs are among them."""
    dtype = DTYPE_OF[element]
    if element == "i1":
        return np.array([False, True])
    if element in INTEGERS:
        bits = bits_of(element)
        limit = 1 << (bits - 1)
        return np.array([0, 1, -1, 2, 7, bits - 1, bits, bits + 1, 100, -100, limit - 1, -limit, 1 - limit]).astype(
            dtype
        )
    with np.errstate(over="ignore", invalid="ignore"):
        numbers = np.array([*_FLOAT_EDGES, *_TINY_AND_HUGE[element]]).astype(dtype)
    nans = np.array(_NANS[element], np.dtype(f"u{dtype.itemsize}")).view(dtype)
    return np.concatenate([numbers, nans])


def random_array(type_: Type, rng: np.random.Generator) -> Array:
    """Mostly moderate numbers of a few magnitudes, some edge values."""
    dtype, shape = DTYPE_OF[type_.element], type_.sizes
    if type_.element == "i1":
        return rng.integers(0, 2, shape).astype(dtype)
    if type_.element in INTEGERS:
        limit = 1 << (bits_of(type_.element) - 1)
        span = int(rng.choice([8, 100, limit]))
        array = rng.integers(-span, span, shape, dtype=np.int64).astype(dtype)
    else:
        array = (rng.standard_normal(shape) * 2.0 ** rng.integers(-3, 4, shape)).astype(dtype)
    share = float(rng.choice([0.0, 0.02, 0.2]))
    chosen = rng.random(shape) < share
    return np.where(chosen, rng.choice(edges(type_.element), shape), array).astype(dtype).reshape(shape)


def stored(array: Array) -> Array:
    """The form in which a program takes and returns an array: bf16 as its bits."""
    return array.view(np.uint16) if array.dtype == DTYPE_OF["bf16"] else array


def bit_pattern(array: Array) -> Array:
    """The bits of each element, as unsigned integers."""
    return np.ascontiguousarray(array).view(np.dtype(f"u{array.dtype.itemsize}")).reshape(array.shape)
