"""`torch.compile(module, backend="tfmbs")`: each graph that dynamo captures becomes a program of its own.

What surrounds a graph stays torch's work: graph breaks, guards and recompilation (dynamo), mutated inputs, views and
gradients (AOT autograd, whose functional graphs are compiled here, forward and backward alike).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch._dynamo.backends.common import aot_autograd
from torch._guards import TracingContext

import tfmbs
from tfmbs.runtime.program import Program

__all__ = ["backend"]


class _Boxed:
    """A graph with the calling convention of AOT autograd that it calls boxed: one list, which is emptied."""

    def __init__(self, graph: CompiledGraph) -> None:
        self._boxed_call = True  # of the object itself: wrappers copy its own attributes
        self._graph = graph

    def __call__(self, arguments: list[Any]) -> list[Any]:
        given = list(arguments)
        arguments.clear()
        return self._graph(given)


def _compile_graph(module: torch.fx.GraphModule, example_inputs: Sequence[Any]) -> Callable[..., Any]:
    """What AOT autograd calls with a functional graph of ATen ops: a boxed function that runs it."""
    del example_inputs  # stand-ins without elements: programs are made for the first real ones
    return _Boxed(CompiledGraph(module, _fixed_inputs()))


backend = aot_autograd(fw_compiler=_compile_graph)
"""The backend: a function of a graph module and its example inputs, for the entry point `torch_dynamo_backends`."""


def _fixed_inputs() -> frozenset[int]:
    """Inputs of the graph in the making that are parameters and buffers which it does not write."""
    context = TracingContext.try_get()
    metadata = None if context is None else context.fw_metadata
    if metadata is None:
        return frozenset()
    return frozenset(metadata.static_input_indices) - frozenset(metadata.mutated_inp_runtime_indices)


def _same_bits(one: Tensor, two: Tensor) -> bool:
    """Whether tensors of one shape and element type are equal bit by bit, zeros' signs and NaN included."""
    return torch.equal(_bits(one), _bits(two))


def _bits(tensor: Tensor) -> Tensor:
    flat = tensor.detach().to("cpu").resolve_conj().resolve_neg().contiguous().reshape(-1)
    return flat.view(_WORDS.get(flat.itemsize, torch.uint8))


_WORDS = {2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Integers by their bytes, to compare by."""


@dataclass
class _Compiled:
    """A program, with copies of the constants in it, by input, and the results that are no tensors, by place."""

    program: Program
    constants: dict[int, Tensor]
    others: dict[int, Any]

    def changed(self, arguments: Sequence[Any]) -> frozenset[int]:
        """Constants that are not what they were. Torch's counter of versions misses writes through ``.data``."""
        return frozenset(i for i, value in self.constants.items() if not _same_bits(arguments[i], value))


@dataclass
class CompiledGraph:
    """A graph with its programs: one for each set of shapes, element types and numbers among its inputs.

    Parameters are constants of a program, compared with a copy at each call. One that has changed since becomes an
    ordinary input.
    """

    module: torch.fx.GraphModule
    fixed: frozenset[int]
    programs: dict[tuple[Any, ...], _Compiled] = field(default_factory=dict)

    def __call__(self, arguments: Sequence[Any]) -> list[Any]:
        """Runs the graph on real arguments. Raises TfmbsError for what is refused."""
        key = tuple(_kind(argument) for argument in arguments)
        compiled = self.programs.get(key)
        changed = frozenset() if compiled is None else compiled.changed(arguments)
        if compiled is None or changed:
            self.fixed -= changed
            compiled = self.programs[key] = self._compile(arguments)
        inputs = [a for i, a in enumerate(arguments) if isinstance(a, Tensor) and i not in compiled.constants]
        results = compiled.program(*map(_to_array, inputs)).values()
        device = next((tensor.device for tensor in inputs), torch.device("cpu"))
        return self._results(iter(results), compiled.others, device)

    def _compile(self, arguments: Sequence[Any]) -> _Compiled:
        fixed = {
            i: a.detach().to("cpu", copy=True)
            for i, a in enumerate(arguments)
            if i in self.fixed and isinstance(a, Tensor)
        }
        bound = _Bound(self.module, {**fixed, **{i: a for i, a in enumerate(arguments) if not isinstance(a, Tensor)}})
        inputs = tuple(
            a.detach().to("cpu") for i, a in enumerate(arguments) if isinstance(a, Tensor) and i not in fixed
        )
        # Where AOT autograd runs a graph, dispatch keys are excluded that export needs; a thread has its own.
        with ThreadPoolExecutor(1) as thread:
            program = thread.submit(tfmbs.compile, bound, example_inputs=inputs).result()
        return _Compiled(program, fixed, bound.others.values)

    def _results(self, arrays: Iterator[Any], others: dict[int, Any], device: torch.device) -> list[Any]:
        """The graph's outputs: tensors of the element type that it says, beside what is no tensor."""
        (output,) = (node for node in self.module.graph.nodes if node.op == "output")
        return [
            others[i] if i in others else _to_tensor(next(arrays), value.meta["val"].dtype, device)
            for i, value in enumerate(output.args[0])
        ]


@dataclass
class _Others:
    """Results that are no tensors, by place. Export puts plain attributes of a module back, so they are kept here."""

    values: dict[int, Any] = field(default_factory=dict)


class _Bound(nn.Module):
    """A graph with some of its inputs fixed, by place; it takes the others in order."""

    def __init__(self, graph: torch.fx.GraphModule, fixed: dict[int, Any]) -> None:
        super().__init__()
        self.graph = graph
        self.others = _Others()
        self.numbers = {index: value for index, value in fixed.items() if not isinstance(value, Tensor)}
        self.tensors = {index: f"input{index}" for index, value in fixed.items() if isinstance(value, Tensor)}
        for index, name in self.tensors.items():
            self.register_buffer(name, fixed[index], persistent=False)

    def forward(self, *inputs: Tensor) -> Any:
        """The graph's outputs."""
        left = iter(inputs)
        count = len(inputs) + len(self.numbers) + len(self.tensors)
        arguments = [
            self.numbers[i]
            if i in self.numbers
            else self.get_buffer(self.tensors[i])
            if i in self.tensors
            else next(left)
            for i in range(count)
        ]
        results = self.graph(*arguments)
        self.others.values.update((i, value) for i, value in enumerate(results) if not isinstance(value, Tensor))
        return tuple(value for value in results if isinstance(value, Tensor))


def _kind(argument: Any) -> Any:
    return (argument.dtype, tuple(argument.shape), argument.device) if isinstance(argument, Tensor) else argument


def _to_array(tensor: Tensor) -> Any:
    dense = tensor.detach().to("cpu").resolve_conj().resolve_neg().contiguous()
    return (dense.view(torch.uint16) if dense.dtype is torch.bfloat16 else dense).numpy()


def _to_tensor(array: Any, dtype: torch.dtype, device: torch.device) -> Tensor:
    tensor = torch.from_numpy(array)
    return (tensor.view(dtype) if dtype is torch.bfloat16 else tensor).to(device)
