"""Ops along an axis, called on tensors without axes, where the only axis is 0 or -1 and has one element.

Each function is for any tensor: `NotImplemented` leaves all others to the op itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

_ATEN = torch.ops.aten


def same(x: Tensor, *arguments: Any, **options: Any) -> Any:
    """The element itself: maxima, and moves along the axis."""
    del arguments, options
    return x.clone() if x.dim() == 0 else NotImplemented


def accumulated(x: Tensor, dim: int, *, dtype: torch.dtype | None = None) -> Any:
    """Sums and products along the axis, of the result's type: integers are i64 where no type is asked for."""
    del dim
    if x.dim():
        return NotImplemented
    whole = not x.is_floating_point()
    return x.clone().to(dtype or (torch.int64 if whole else x.dtype))


def reduced(
    x: Tensor, dim: int | Sequence[int] | None, keepdim: bool = False, *, dtype: torch.dtype | None = None
) -> Any:
    """As `accumulated`, with other arguments."""
    del keepdim
    return NotImplemented if x.dim() else accumulated(x, 0, dtype=dtype)


def averaged(
    x: Tensor, dim: int | Sequence[int] | None, keepdim: bool = False, *, dtype: torch.dtype | None = None
) -> Any:
    """The element, in the type that is asked for."""
    del dim, keepdim
    return NotImplemented if x.dim() else x.clone().to(dtype or x.dtype)


def truth(x: Tensor, *arguments: Any, **options: Any) -> Any:
    """Whether the element is not zero."""
    del arguments, options
    return NotImplemented if x.dim() else x.ne(0)


def first(x: Tensor, *arguments: Any, **options: Any) -> Any:
    """The index of the element."""
    del arguments, options
    return NotImplemented if x.dim() else torch.zeros((), dtype=torch.int64)


def with_index(x: Tensor, *arguments: Any, **options: Any) -> Any:
    """The element and its index."""
    del arguments, options
    return NotImplemented if x.dim() else (x.clone(), torch.zeros((), dtype=torch.int64))


def normalized(x: Tensor, dim: int, half_to_float: bool = False) -> Any:
    """Softmax, by way of a tensor with an axis: 1, or NaN of what is not finite."""
    del dim
    if x.dim():
        return NotImplemented
    result: Tensor = _ATEN._softmax(x.reshape(1), 0, half_to_float).reshape(())
    return result


def gathered(x: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Any:
    """Elements by indices, either of which may have no axes."""
    if x.dim() and index.dim():
        return NotImplemented
    del sparse_grad
    rows, places = (tensor if tensor.dim() else tensor.reshape(1) for tensor in (x, index))
    result: Tensor = _ATEN.gather(rows, dim, places)
    return result.reshape(index.shape)


def selected(x: Tensor, dim: int, index: Tensor) -> Any:
    """Slices by indices, either of which may have no axes."""
    if x.dim() and index.dim():
        return NotImplemented
    rows, places = (tensor if tensor.dim() else tensor.reshape(1) for tensor in (x, index))
    result: Tensor = _ATEN.index_select(rows, dim, places)
    return result if x.dim() else result.reshape(())


def strided(x: Tensor, sizes: Sequence[int], strides: Sequence[int], offset: int | None = None) -> Any:
    """The element, any number of times; of views `check_graph` looks at the strides."""
    if x.dim() or x.storage_offset():
        return NotImplemented
    del strides, offset
    return x.expand(sizes).clone()
