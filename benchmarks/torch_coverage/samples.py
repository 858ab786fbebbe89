"""Samples of a core op: modules of one call, and the tensors that it is called with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._decomp import core_aten_decompositions
from torch._decomp.decompositions import native_batch_norm_decomposition
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.torch_coverage.core import CALLERS, info_called, infos_of

MOST = 300
"""Samples of an op; of more, as many are taken at even distances."""


class Call(nn.Module):
    """One call of an op, whose tensors are inputs and whose other arguments are fixed.

    Its results are the tensors among the op's results, and what the call writes into its inputs.
    """

    def __init__(self, op: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        super().__init__()
        self.op = op
        leaves, self.spec = pytree.tree_flatten((tuple(args), dict(kwargs)))
        self.fixed = [None if isinstance(leaf, Tensor) else (leaf,) for leaf in leaves]
        self.inputs = [leaf.detach() for leaf in leaves if isinstance(leaf, Tensor)]
        before = [tensor.clone() for tensor in self.inputs]
        with torch.no_grad(), Writes() as writes:
            results = pytree.tree_leaves(self._call(self.inputs))
        self.gives_tensors = any(isinstance(leaf, Tensor) for leaf in results)
        self.written = [any(tensor is written for written in writes.found) for tensor in self.inputs]
        self.inputs = [
            old if written else tensor for tensor, old, written in zip(self.inputs, before, self.written, strict=True)
        ]

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        """Tensors among the op's results; then the inputs that it writes."""
        own = [tensor.clone() if written else tensor for tensor, written in zip(inputs, self.written, strict=True)]
        results = [leaf for leaf in pytree.tree_leaves(self._call(own)) if isinstance(leaf, Tensor)]
        return [*results, *(tensor for tensor, written in zip(own, self.written, strict=True) if written)]

    def _call(self, inputs: Sequence[Tensor]) -> Any:
        given = iter(inputs)
        leaves = [next(given) if leaf is None else leaf[0] for leaf in self.fixed]
        args, kwargs = pytree.tree_unflatten(leaves, self.spec)
        return self.op(*args, **kwargs)


@dataclass(frozen=True)
class Sample:
    """A call, and where it is from: an OpInfo's name and the number of its sample."""

    source: str
    call: Call


def samples_of(name: str) -> list[Sample]:
    """The samples of a core op that give tensors; none where no OpInfo leads to it."""
    torch.manual_seed(0)
    found = [sample for sample in (*_own(name), *_called(name)) if sample.call.gives_tensors]
    step = max(1.0, len(found) / MOST)
    return [found[int(index * step)] for index in range(min(MOST, len(found)))]


def _own(name: str) -> Iterator[Sample]:
    for info, dtype in infos_of(name):
        for number, sample in enumerate(info.sample_inputs("cpu", dtype)):
            yield Sample(f"{info.full_name} {number}", Call(info.op, (sample.input, *sample.args), sample.kwargs))


def _called(name: str) -> Iterator[Sample]:
    if name not in CALLERS:
        return
    info = info_called(CALLERS[name])
    for number, sample in enumerate(info.sample_inputs("cpu", torch.float32, requires_grad=info.supports_autograd)):
        recorder = Recorder(name)
        with recorder:
            results = info.op(sample.input, *sample.args, **sample.kwargs)
            _backward(results, (sample.input, sample.args, sample.kwargs))
        for op, args, kwargs in recorder.calls:
            yield Sample(f"{info.full_name} {number}", Call(op, args, kwargs))


def _backward(results: Any, arguments: Any) -> None:
    """Gradients of the results by the arguments, for random gradients of the results."""
    outputs, inputs = (
        [leaf for leaf in pytree.tree_leaves(tree) if isinstance(leaf, Tensor) and leaf.requires_grad]
        for tree in (results, arguments)
    )
    if outputs and inputs:
        torch.autograd.grad(outputs, inputs, [torch.randn_like(output) for output in outputs], allow_unused=True)


class Writes(TorchDispatchMode):
    """Finds the tensors that ops say they write, whether or not they do so this time."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Tensor] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for argument, value in zip(func._schema.arguments, args, strict=False):
            if argument.alias_info is not None and argument.alias_info.is_write and isinstance(value, Tensor):
                self.found.append(value)
        return func(*args, **(kwargs or {}))


class Recorder(TorchDispatchMode):
    """Keeps the calls of one op, with copies of their tensors; what torch decomposes to core ATen is decomposed."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.calls: list[tuple[Any, Any, Any]] = []
        self.table = core_aten_decompositions()
        self.table[torch.ops.aten.native_batch_norm.default] = native_batch_norm_decomposition

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.namespace == "aten" and func._overloadpacket.__name__ == self.name:
            self.calls.append((func, *pytree.tree_map_only(Tensor, lambda t: t.detach().clone(), (args, kwargs))))
        elif func in self.table:
            with self:
                result = self.table[func](*args, **kwargs)
            if result is not NotImplemented:
                return result
        return func(*args, **kwargs)
