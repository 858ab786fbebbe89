"""What a graph of PyTorch must keep to before foreign code walks through it: op by op, by the name of its layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from tfmbs.compiler.importers.torch_names import at_end, at_layer, layer_name, op_name, own_name
from tfmbs.runtime.abi.errors import At, Subject, TfmbsError

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


def check_graph(graph: Any, where: str) -> None:
    """Refuses random ops, strides over views, sizes that are not fixed, and elements that are no real numbers.

    Raises:
        TfmbsError: ``torch.unsupported``, naming the layer, or the input or output.
    """
    for refusal in (*refused_ends(graph, where), *refused_nodes(graph, where)):
        raise refusal


def refused_ends(graph: Any, where: str) -> Iterator[TfmbsError]:
    """What `check_graph` refuses of inputs and outputs."""
    for node in graph.nodes:
        if node.op == "placeholder":
            for tensor in _tensors(node):
                yield from _of_end(tensor, at_end("input", node.name, where))
        if node.op == "output":
            for result in node.args[0]:
                if hasattr(result, "meta"):
                    at = At(own_name(result), "output", f"{where}: output of {layer_name(result)}")
                    yield from _unsigned(result.meta["val"], at)


def refused_nodes(graph: Any, where: str) -> Iterator[TfmbsError]:
    """What `check_graph` refuses of nodes."""
    for node in graph.nodes:
        if node.op != "call_function":
            continue
        at = at_layer(node, where)
        if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
            yield _refuse(at, "a random op has no fixed result")
        if op_name(node) in _BAGS and not _sums_whole_bags(node):
            yield _refuse(at, "kind of bag", "a plain sum over offsets of all bags", "another")
        if op_name(node) == "aten.as_strided" and not _is_whole(node):
            yield _refuse(at, "strides over a tensor", "one that is dense, from its first element on", "a view")
        for tensor in _tensors(node):
            yield from _of_tensor(tensor, at)
        yield from _of_signs(node, at)


def _of_signs(node: Any, at: Subject) -> Iterator[TfmbsError]:
    """Refuses work on unsigned numbers other than moves, and making them of floats, which saturates too early."""
    given = [tensor for source in node.all_input_nodes for tensor in _tensors(source)]
    made = list(_tensors(node))
    unsigned = [tensor.dtype for tensor in (*given, *made) if tensor.dtype in _UNSIGNED]
    from_floats = any(tensor.dtype in _UNSIGNED for tensor in made) and any(t.is_floating_point() for t in given)
    if unsigned and (op_name(node) not in _MOVES or from_floats):
        yield _refuse(at, "element type", "a real float, a signed integer or bool", str(unsigned[0]))


def _sums_whole_bags(node: Any) -> bool:
    """Whether an embedding bag has mode 0, no weights of samples, no padding and no last offset."""
    defaults = (False, 0, False, None, False, -1)
    return (*node.args[3:], *defaults[len(node.args) - 3 :])[1:] == defaults[1:] and not node.kwargs


def _is_whole(node: Any) -> bool:
    """Whether what is strided over is memory of its own: of a view, elements beside it could be meant."""
    (base,) = _tensors(node.args[0])
    return base.is_contiguous() and base.storage_offset() == 0


def _tensors(node: Any) -> Iterator[Tensor]:
    value = node.meta.get("val")
    for part in value if isinstance(value, Sequence) else (value,):
        if isinstance(part, Tensor):
            yield part


def _of_tensor(tensor: Tensor, at: Subject) -> Iterator[TfmbsError]:
    if not all(isinstance(size, int) for size in tensor.shape):
        sizes = "×".join(map(str, tensor.shape))
        yield _refuse(at, "shape", "sizes that are fixed by the example inputs", sizes)
    if tensor.dtype not in _REAL:
        yield _refuse(at, "element type", "a real number of at most 64 bits", str(tensor.dtype))


def _of_end(tensor: Tensor, at: Subject) -> Iterator[TfmbsError]:
    yield from _of_tensor(tensor, at)
    yield from _unsigned(tensor, at)


def _unsigned(tensor: object, at: Subject) -> Iterator[TfmbsError]:
    """MLIR's integers are signless: an unsigned input would be taken for a signed one."""
    if isinstance(tensor, Tensor) and tensor.dtype in _UNSIGNED:
        yield _refuse(at, "element type", "a real float, a signed integer or bool", str(tensor.dtype))


def _refuse(at: Subject, what: str, expected: object = None, got: object = None) -> TfmbsError:
    return TfmbsError("torch.unsupported", at, what, expected, got)
