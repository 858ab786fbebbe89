"""Writing at indices and through masks, where torch-mlir takes no tensors without axes and no masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

_ATEN = torch.ops.aten


def index(x: Tensor, indices: Sequence[Tensor | None]) -> Any:
    """Indices of 32 bits are made such of 64, which torch-mlir's lowering takes."""
    if not any(index is not None and index.dtype is torch.int32 for index in indices):
        return NotImplemented
    return _ATEN.index.Tensor(x, [_wide(index) for index in indices])


def _wide(index: Tensor | None) -> Tensor | None:
    return index.long() if index is not None and index.dtype is torch.int32 else index


def index_put(x: Tensor, indices: Sequence[Tensor | None], values: Tensor, accumulate: bool = False) -> Any:
    """`x` with values at indices without axes, or at the set elements of one mask."""
    given = [index for index in indices if index is not None]
    if any(index.dtype is torch.int32 for index in given):
        return _ATEN.index_put(x, [_wide(index) for index in indices], values, accumulate)
    if len(given) == 1 and given[0].dtype is torch.bool and indices[0] is given[0]:
        return _put_through(x, given[0], values, accumulate)
    if any(index.dim() or index.dtype is torch.bool for index in given):
        return NotImplemented
    # A new axis of one element, where torch puts the axes of indices: at the first, if they stand side by side.
    axes = [axis for axis, index in enumerate(indices) if index is not None]
    side_by_side = axes[-1] - axes[0] + 1 == len(axes)
    rest = [size for axis, size in enumerate(x.shape) if axis not in axes]
    new = values.expand(rest).unsqueeze(axes[0] if side_by_side else 0)
    lists = [index if index is None else index.reshape(1) for index in indices]
    result: Tensor = _ATEN.index_put(x, lists, new, accumulate)
    return result


def _put_through(x: Tensor, mask: Tensor, values: Tensor, accumulate: bool) -> Any:
    """The mask's axes are the first ones of `x`; values (n or 1, …) are of its n set elements, in row-major order."""
    rest = x.shape[mask.dim() :]
    if mask.dim() == 0 or mask.numel() == 0:
        return NotImplemented
    if values.dim() > len(rest) and values.shape[0] != 1:
        rows = values.expand(values.shape[0], *rest)
        new = rows.index_select(0, _ranks(mask, rows.shape[0])).reshape(x.shape)
    else:
        new = values.reshape(values.shape[values.dim() - min(values.dim(), len(rest)) :]).expand(x.shape)
    chosen = mask.reshape(*mask.shape, *(1 for _ in rest))
    return torch.where(chosen, x + new if accumulate else new, x)


def masked_scatter(x: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """`x` with the elements of `source`, one after the other, where the mask, broadcast to `x`, is set."""
    x, mask = torch.broadcast_tensors(x, mask)  # type: ignore[no-untyped-call]  # torch has no types for it
    if not x.numel() or not source.numel():
        return x.clone()
    new = source.reshape(-1).index_select(0, _ranks(mask, source.numel())).reshape(x.shape)
    return torch.where(mask, new, x)


def scatter(x: Tensor, dim: int, index: Tensor, source: Tensor) -> Any:
    """Elements of the source to places along an axis; what has no axes gets one."""
    return _with_axes(_ATEN.scatter, x, dim, index, source)


def scatter_value(x: Tensor, dim: int, index: Tensor, value: float) -> Any:
    """As `scatter`, of one number."""
    return _with_axes(_ATEN.scatter, x, dim, index, value)


def scatter_add(x: Tensor, dim: int, index: Tensor, source: Tensor) -> Any:
    """As `scatter`, added up."""
    return _with_axes(_ATEN.scatter_add, x, dim, index, source)


def scatter_reduce(
    x: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
) -> Any:
    """As `scatter`, combined with each other."""
    return _with_axes(partial(_ATEN.scatter_reduce, reduce=reduce, include_self=include_self), x, dim, index, source)


def scatter_combined(x: Tensor, dim: int, index: Tensor, source: Tensor | float, *, reduce: str) -> Tensor:
    """The older forms of `scatter_reduce`, which combine with what is there by ``add`` or ``multiply``."""
    new = source if isinstance(source, Tensor) else torch.full(index.shape, source, dtype=x.dtype)
    result: Tensor = _ATEN.scatter_reduce(x, dim, index, new, {"add": "sum", "multiply": "prod"}[reduce])
    return result


def _with_axes(op: Callable[..., Tensor], x: Tensor, dim: int, index: Tensor, source: Tensor | float) -> Any:
    if not index.numel():
        return x.clone()
    if dim < 0 and x.dim():  # which torch-mlir crashes on
        return op(x, dim + x.dim(), index, source)
    if x.dim() and index.dim():
        return NotImplemented
    new = source.reshape(-1)[:1] if isinstance(source, Tensor) else source
    return op(x.reshape(-1), dim, index.reshape(-1), new).reshape(x.shape)


def _ranks(mask: Tensor, count: int) -> Tensor:
    """For each element of the mask, in row-major order, how many before it are set; at most `count` - 1."""
    return (mask.reshape(-1).to(torch.int64).cumsum(0) - 1).clamp(0, count - 1)
