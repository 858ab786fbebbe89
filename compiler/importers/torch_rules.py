"""What a graph of PyTorch must keep to before foreign code walks through it: op by op, by the name of its layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from tfmbs.runtime.abi.errors import TfmbsError

_UNSIGNED = frozenset({torch.uint8, torch.uint16, torch.uint32, torch.uint64})
_MOVES = frozenset(
    {
        "aten.alias", "aten.cat", "aten.clone", "aten.expand", "aten.permute", "aten.reshape", "aten.select",
        "aten.slice", "aten.squeeze", "aten.transpose", "aten.unsqueeze", "aten.view", "aten._to_copy",
    }
)  # fmt: skip
"""Ops that mean the same of unsigned numbers; in all others torch-mlir computes with signed ones."""
_BAGS = frozenset({"aten._embedding_bag", "aten._embedding_bag_forward_only", "aten.embedding_bag"})
"""Ops that torch-mlir lowers as sums, whatever they are asked for."""
_REAL = frozenset(
    {
        torch.bool, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8,
        torch.bfloat16, torch.float16, torch.float32, torch.float64,
    }
)  # fmt: skip


def layer_name(node: Any) -> str:
    """What a node is called: the path of its module, with its own name behind where the module is the user's."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    path, kind = stack[-1] if stack else ("", "")
    is_layer = bool(path) and str(kind).startswith("torch.nn.")
    return path if is_layer else f"{path}.{node.name}" if path else str(node.name)


def check_graph(graph: Any, where: str) -> None:
    """Refuses random ops, strides over views, sizes that are not fixed, and elements that are no real numbers.

    Raises:
        TfmbsError: ``torch.unsupported``, naming the layer, or the input or output.
    """
    for node in graph.nodes:
        place = f"input '{node.name}'" if node.op == "placeholder" else f"{layer_name(node)} ({_op_name(node)})"
        at = f"{where}: {place}"
        if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
            raise _refuse(at, "a random op has no fixed result")
        if node.op == "call_function" and _op_name(node) in _BAGS and not _sums_whole_bags(node):
            raise _refuse(at, "kind of bag", "a plain sum over offsets of all bags", "another")
        if node.op == "call_function" and _op_name(node) == "aten.as_strided" and not _is_whole(node):
            raise _refuse(at, "strides over a tensor", "one that is dense, from its first element on", "a view")
        for tensor in _tensors(node):
            _check_tensor(tensor, at)
        if node.op == "call_function":
            _check_signs(node, at)
        if node.op == "placeholder":
            _check_end(node.meta["val"], at)
        if node.op == "output":
            for result in node.args[0]:
                if hasattr(result, "meta"):
                    _check_end(result.meta["val"], f"{where}: output of {layer_name(result)}")


def _check_signs(node: Any, at: str) -> None:
    """Refuses work on unsigned numbers other than moves, and making them of floats, which saturates too early."""
    given = [tensor for source in node.all_input_nodes for tensor in _tensors(source)]
    made = list(_tensors(node))
    unsigned = [tensor.dtype for tensor in (*given, *made) if tensor.dtype in _UNSIGNED]
    from_floats = any(tensor.dtype in _UNSIGNED for tensor in made) and any(t.is_floating_point() for t in given)
    if unsigned and (_op_name(node) not in _MOVES or from_floats):
        raise _refuse(at, "element type", "a real float, a signed integer or bool", str(unsigned[0]))


def _sums_whole_bags(node: Any) -> bool:
    """Whether an embedding bag has mode 0, no weights of samples, no padding and no last offset."""
    defaults = (False, 0, False, None, False, -1)
    return (*node.args[3:], *defaults[len(node.args) - 3 :])[1:] == defaults[1:] and not node.kwargs


def _is_whole(node: Any) -> bool:
    """Whether what is strided over is memory of its own: of a view, elements beside it could be meant."""
    (base,) = _tensors(node.args[0])
    return base.is_contiguous() and base.storage_offset() == 0


def _op_name(node: Any) -> str:
    return str(getattr(node.target, "_overloadpacket", node.target))


def _tensors(node: Any) -> Iterator[Tensor]:
    value = node.meta.get("val")
    for part in value if isinstance(value, Sequence) else (value,):
        if isinstance(part, Tensor):
            yield part


def _check_tensor(tensor: Tensor, at: str) -> None:
    if not all(isinstance(size, int) for size in tensor.shape):
        sizes = "×".join(map(str, tensor.shape))
        raise _refuse(at, "shape", "sizes that are fixed by the example inputs", sizes)
    if tensor.dtype not in _REAL:
        raise _refuse(at, "element type", "a real number of at most 64 bits", str(tensor.dtype))


def _check_end(tensor: object, at: str) -> None:
    """MLIR's integers are signless: an unsigned input would be taken for a signed one."""
    if isinstance(tensor, Tensor) and tensor.dtype in _UNSIGNED:
        raise _refuse(at, "element type", "a real float, a signed integer or bool", str(tensor.dtype))


def _refuse(where: str, what: str, expected: object = None, got: object = None) -> TfmbsError:
    return TfmbsError("torch.unsupported", where, what, expected, got)
