"""The core ATen ops, and which OpInfos of torch have samples for each.

An op is tested by the OpInfos of its own name. One that has none is tested by the calls of it that another OpInfo's
samples lead to, forward or backward, through torch's own decompositions to core ATen.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch.testing._internal.common_methods_invocations import op_db

CALLERS = {
    "_adaptive_avg_pool2d": "nn.functional.adaptive_avg_pool2d",
    "_adaptive_avg_pool2d_backward": "nn.functional.adaptive_avg_pool2d",
    "_adaptive_avg_pool3d": "nn.functional.adaptive_avg_pool3d",
    "_cdist_forward": "cdist",
    "_embedding_bag": "nn.functional.embedding_bag",
    "_fft_c2r": "fft.irfft",
    "_fft_r2c": "fft.rfft",
    "_local_scalar_dense": "item",
    "_log_softmax": "log_softmax",
    "_native_batch_norm_legit_no_training": "nn.functional.batch_norm",
    "_pdist_forward": "nn.functional.pdist",
    "_softmax": "softmax",
    "_to_copy": "to",
    "alias": "alias_copy",
    "avg_pool2d_backward": "nn.functional.avg_pool2d",
    "col2im": "nn.functional.unfold",
    "convolution": "nn.functional.conv2d",
    "convolution_backward": "nn.functional.conv2d",
    "copy": "linspace.tensor_overload",
    "elu": "nn.functional.elu",
    "embedding": "nn.functional.embedding",
    "embedding_dense_backward": "nn.functional.embedding",
    "index": "__getitem__",
    "max_pool2d_with_indices": "nn.functional.max_pool2d",
    "max_pool3d_with_indices": "nn.functional.max_pool3d",
    "native_group_norm_backward": "nn.functional.group_norm",
    "native_layer_norm_backward": "nn.functional.layer_norm",
    "rand": "bernoulli",
    "reflection_pad1d": "nn.functional.pad.reflect",
    "reflection_pad2d": "nn.functional.pad.reflect",
    "reflection_pad3d": "nn.functional.pad.reflect",
    "replication_pad2d": "nn.functional.pad.replicate",
    "replication_pad3d": "nn.functional.pad.replicate",
    "upsample_bilinear2d": "nn.functional.interpolate.bilinear",
    "upsample_nearest2d": "nn.functional.interpolate.nearest",
}
"""Core ops without an OpInfo of float32, and the OpInfo whose samples call them."""

_NAMED = {"adaptive_avg_pool1d": "nn.functional.adaptive_avg_pool1d"}
"""Core ops that the OpInfo of another name is of."""


def core_ops() -> list[str]:
    """Names of the ATen ops that torch tags as core."""
    found = set()
    schemas = (schema.name.partition("::") for schema in torch._C._jit_get_all_schemas())
    for name in {name for namespace, _, name in schemas if namespace == "aten"}:
        packet = getattr(torch.ops.aten, name)
        for overload in packet.overloads() if isinstance(packet, torch._ops.OpOverloadPacket) else ():
            if torch.Tag.core in getattr(packet, overload).tags:
                found.add(name)
    return sorted(found)


def infos_of(name: str) -> list[tuple[Any, torch.dtype]]:
    """The OpInfos of a core op itself, and the type of their samples: float32, or int64 of ops on bits."""
    found = [info for info in op_db if info.aten_name == name or info.full_name == _NAMED.get(name)]
    types = (torch.float32, torch.int64)
    return [(info, next(t for t in types if info.supports_dtype(t, "cpu"))) for info in found]


@cache
def info_called(full_name: str) -> Any:
    """The OpInfo of a name with its variant."""
    (found,) = (info for info in op_db if info.full_name == full_name)
    return found
