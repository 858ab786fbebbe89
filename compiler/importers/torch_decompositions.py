"""Which ATen ops of an exported program are spelled out by others before import, and how."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch._decomp import core_aten_decompositions, get_decompositions

from tfmbs.compiler.importers.decompositions import (
    arithmetic,
    attention,
    distances,
    empty,
    gradients,
    integers,
    normalizations,
    places,
    recurrent,
    scalars,
    vectors,
    windows,
)

Table = dict[Any, Callable[..., Any]]

_ATEN = torch.ops.aten

KEPT = (
    "all", "any", "avg_pool1d", "avg_pool2d", "conv1d", "conv2d", "conv3d", "empty_like", "eye",
    "isclose", "isfinite", "layer_norm", "linalg_vector_norm", "linear", "matmul", "max_pool2d", "norm", "one_hot",
    "roll", "transpose", "silu", "gelu", "softmax", "upsample_nearest2d",
)  # fmt: skip
"""Ops that stay whole: `convert-torch-to-tfmbs` or torch-mlir's lowering takes them so, and does better for it."""

_MORE = (
    _ATEN.native_group_norm,
    _ATEN._native_batch_norm_legit_functional,
    _ATEN._native_batch_norm_legit,
    _ATEN._native_batch_norm_legit.no_stats,
    _ATEN._adaptive_avg_pool2d,
    _ATEN._log_softmax,
    _ATEN.logsumexp,
    _ATEN.grid_sampler_2d,
    _ATEN.squeeze.dims,
    _ATEN.upsample_bilinear2d.vec,
)
"""Ops outside of the core set's decompositions that torch-mlir has no lowering of."""

_OWN: Table = {
    _ATEN.scaled_dot_product_attention.default: attention.scaled_dot_product_attention,
    _ATEN.lstm.input: recurrent.lstm,
    _ATEN.amax.default: scalars.same,
    _ATEN.amin.default: scalars.same,
    _ATEN.flip.default: scalars.same,
    _ATEN.cumsum.default: scalars.accumulated,
    _ATEN.cumprod.default: scalars.accumulated,
    _ATEN.sum.dim_IntList: scalars.reduced,
    _ATEN.prod.dim_int: scalars.reduced,
    _ATEN.mean.dim: scalars.averaged,
    _ATEN.any.dim: scalars.truth,
    _ATEN.any.dims: scalars.truth,
    _ATEN.all.dim: scalars.truth,
    _ATEN.all.dims: scalars.truth,
    _ATEN.argmax.default: scalars.first,
    _ATEN.argmin.default: scalars.first,
    _ATEN.max.dim: scalars.with_index,
    _ATEN.min.dim: scalars.with_index,
    _ATEN.sort.default: scalars.with_index,
    _ATEN._softmax.default: scalars.normalized,
    _ATEN.as_strided.default: scalars.strided,
    _ATEN.gather.default: scalars.gathered,
    _ATEN.index_select.default: scalars.selected,
    _ATEN.index.Tensor: places.index,
    _ATEN.index_put.default: places.index_put,
    _ATEN.scatter.src: places.scatter,
    _ATEN.scatter.value: places.scatter_value,
    _ATEN.scatter.reduce: places.scatter_combined,
    _ATEN.scatter.value_reduce: places.scatter_combined,
    _ATEN.scatter_add.default: places.scatter_add,
    _ATEN.scatter_reduce.two: places.scatter_reduce,
    _ATEN.neg.default: integers.neg,
    _ATEN.floor_divide.default: integers.floor_divide,
    _ATEN.floor_divide.Scalar: integers.floor_divide,
    _ATEN.div.Tensor_mode: integers.div_mode,
    _ATEN.div.Scalar_mode: integers.div_mode,
    _ATEN.pow.Tensor_Scalar: integers.pow_scalar,
    _ATEN.pow.Tensor_Tensor: integers.pow_tensor,
    _ATEN.pow.Scalar: integers.scalar_pow,
    _ATEN.fmod.Scalar: arithmetic.fmod_scalar,
    _ATEN.sort.stable: arithmetic.sort_stable,
    _ATEN.var.correction: normalizations.var,
    _ATEN.var_mean.correction: normalizations.var_mean,
    _ATEN.masked_scatter.default: places.masked_scatter,
    _ATEN.constant_pad_nd.default: windows.constant_pad_nd,
    _ATEN.avg_pool2d.default: windows.pool(2, _ATEN.avg_pool2d),
    _ATEN.max_pool2d_with_indices.default: windows.pool(2, _ATEN.max_pool2d_with_indices),
    _ATEN.max_pool3d_with_indices.default: windows.pool(3, _ATEN.max_pool3d_with_indices),
    _ATEN.native_layer_norm.default: normalizations.native_layer_norm,
    _ATEN.avg_pool3d.default: windows.pool(3, _ATEN.avg_pool3d),
    _ATEN.convolution.default: windows.convolution,
    _ATEN.avg_pool2d_backward.default: gradients.avg_pool2d_backward,
    _ATEN._adaptive_avg_pool2d_backward.default: gradients.adaptive_avg_pool2d_backward,
    _ATEN.convolution_backward.default: gradients.convolution_backward,
    _ATEN._cdist_forward.default: distances.cdist_forward,
    _ATEN._pdist_forward.default: distances.pdist_forward,
    _ATEN.matmul.default: vectors.matmul,
    _ATEN.mm.default: empty.product,
    _ATEN.bmm.default: empty.product,
    _ATEN.addmm.default: empty.addmm,
    _ATEN.empty.memory_format: empty.zeros,
    _ATEN.empty_strided.default: empty.zeros_strided,
}
"""Overload → its decomposition; one that gives `NotImplemented` leaves the op as it is."""


@cache
def table() -> Table:
    """Overload → its decomposition, of all that are decomposed."""
    decompositions = {**core_aten_decompositions(), **get_decompositions(_MORE)}
    kept = {getattr(_ATEN, name) for name in KEPT}
    return {op: rule for op, rule in decompositions.items() if op._overloadpacket not in kept} | _OWN
