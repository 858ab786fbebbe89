"""Small graph-level modules for tests: built by a function on values, and compared with linalg by bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from tfmbs.compiler.compilation import Compilation, Options
from tfmbs.compiler.driver import Driver
from tfmbs.compiler.jit import Reference
from tfmbs.compiler.numeric_check import random_inputs
from tfmbs.compiler.pipelines import sequence_text
from tfmbs.dialect import mlir
from tfmbs.dialect.mlir import arith, func, ir
from tfmbs.dialect.resources import resource_attr
from tfmbs.passes.linalg import structured
from tfmbs.runtime.program import Program

Build = Callable[..., Any]
Inputs = dict[str, tuple[tuple[int, ...], str]]
DECOMPOSE = "builtin.module(tfmbs-decompose,func.func(linalg-generalize-named-ops))"
Array = np.ndarray[Any, np.dtype[Any]]


def graph(inputs: Inputs, build: Build) -> Any:
    """A module with the function `main`: `inputs` give shape and element type by name.

    `build` makes one result from the arguments, a list, or a dictionary by output name.
    """
    context = mlir.context()
    with context, ir.Location.name("test"):
        types = [ir.RankedTensorType.get(list(shape), ir.Type.parse(element)) for shape, element in inputs.values()]
        module = ir.Module.create()
        with ir.InsertionPoint(module.body):
            function = func.FuncOp("main", (types, []))
        with ir.InsertionPoint(function.add_entry_block()):
            results = build(*function.arguments)
            named = results if isinstance(results, dict) else dict(_numbered(results))
            results = list(named.values())
            func.ReturnOp(results)
        function.attributes["function_type"] = ir.TypeAttr.get(
            ir.FunctionType.get(types, [result.type for result in results])
        )
        function.attributes["arg_attrs"] = _names(inputs)
        function.attributes["res_attrs"] = _names(named)
        assert module.operation.verify()
    return module


def _numbered(results: Any) -> Iterator[tuple[str, Any]]:
    yield from ((f"y{i}", result) for i, result in enumerate(results if isinstance(results, list) else [results]))


def weights(array: Array) -> Any:
    """A constant tensor."""
    attribute = resource_attr(array, "w")
    return arith.ConstantOp(attribute.type, attribute).result


def normal(*shape: int, seed: int = 0) -> Array:
    """Standard normal f32 values, the same every time."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def add(a: Any, b: Any) -> Any:
    return arith.AddFOp(a, b).result


def mul(a: Any, b: Any) -> Any:
    return arith.MulFOp(a, b).result


def elementwise(body: Build, shape: tuple[int, ...], *maps: tuple[int, ...], element: str = "f32") -> Build:
    """Builds `result[i] = body(inputs…)`, each input indexed by the result's dimensions `maps`."""

    def build(*inputs: Any) -> Any:
        mapped = [(value, structured.mapping(len(shape), m)) for value, m in zip(inputs, maps, strict=True)]
        return structured.elementwise(mapped, shape, ir.Type.parse(element), body)

    return build


def program(module: Any, **options: Any) -> Program:
    """The program of an optimised graph-level module."""
    return Program(Compilation(module, "tfmbs", Options(**options)).image())


def reference(module: Any) -> Reference:
    """The exact meaning of a graph-level module, which is changed."""
    Driver().run_text(module, sequence_text("linalg", {"numerics": "exact"}))
    return Reference(module)


def assert_same_bytes(
    module: Any, inputs: Mapping[str, Array] | None = None, *, optimise: bool = True
) -> dict[str, Array]:
    """Runs the module compiled on the emulator, and as it is through linalg; returns the outputs, which are equal.

    Without `optimise` only what has no kernel-level form is decomposed before.
    """
    meaning = reference(clone(module))
    values = random_inputs(meaning.inputs, 20) if inputs is None else inputs
    before = sequence_text("optimise", {"target": "kpu-16x16"}) if optimise else DECOMPOSE
    Driver().run_text(module, before)
    expected, got = meaning.run(values), program(module).run(values)
    assert list(got) == list(expected)
    for name in expected:
        assert got[name].dtype == expected[name].dtype
        np.testing.assert_array_equal(_bits(got[name]), _bits(expected[name]), err_msg=name)
    return got


def _bits(array: Array) -> Array:
    return np.atleast_1d(array).view(np.dtype(f"u{array.dtype.itemsize}"))


def clone(module: Any) -> Any:
    """A copy of a module."""
    with module.context, ir.Location.unknown():
        copy = ir.Module.create()
        for op in module.body.operations:
            copy.body.append(op.operation.clone())
    return copy


def _names(names: Any) -> Any:
    return ir.ArrayAttr.get([ir.DictAttr.get({"tfmbs.name": ir.StringAttr.get(name)}) for name in names])
