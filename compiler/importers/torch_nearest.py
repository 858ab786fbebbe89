"""Upsampling to nearest elements: torch-mlir's lowering repeats each equally often, which is right for multiples."""

from __future__ import annotations

from typing import Any

import torch

_ATEN = torch.ops.aten


def choose_nearest(graph: Any, names: dict[int, str]) -> None:
    """Makes two selections by constant indices of each other `upsample_nearest2d`; `names` gets those of the indices.

    The indices are what torch's own kernel picks, so that they are rounded as there.
    """
    for node in list(graph.nodes):
        if node.target is not _ATEN.upsample_nearest2d.default:
            continue
        source, sizes, *scales = node.args
        given = zip(source.meta["val"].shape[2:], sizes, (*scales, None, None)[:2], strict=True)
        axes = [(size, out, scale) for size, out, scale in given]
        if all(not out % size and scale in (None, out / size) for size, out, scale in axes):
            continue
        result = source
        for axis, (size, out, scale) in enumerate(axes, 2):
            numbers = torch.arange(size, dtype=torch.float64)[None, None]
            places = _ATEN.upsample_nearest1d(numbers, [out], scale)[0, 0].long()
            names[id(places)] = "nearest"
            with graph.inserting_before(node):
                value = result.meta["val"]
                result = graph.call_function(_ATEN.index_select.default, (result, axis, places))
            shape = (*value.shape[:axis], out, *value.shape[axis + 1 :])
            result.meta = {key: kept for key, kept in node.meta.items() if key != "tensor_meta"}
            result.meta["val"] = value.new_empty(shape)
        node.replace_all_uses_with(result)
        graph.erase_node(node)
