"""The special functions as MLIR, compiled by LLVM: the bits of the model, in every float type."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.special_accuracy import DTYPES, samples
from tfmbs.compiler.jit import Reference
from tfmbs.dialect import load
from tfmbs.dialect.mlir import context, ir
from tfmbs.passes.tfmbs_expand_special import FUNCTIONS
from tfmbs.runtime.abi.special import FUNCTIONS as MEANINGS
from tfmbs.runtime.abi.special import SPECIALS
from tfmbs.runtime.abi.special_model import evaluate

Array = NDArray[Any]
OPS = {name: op for op, name in FUNCTIONS.items()}
SMALL: dict[str, np.dtype[Any]] = {"f16": np.dtype(np.float16), "bf16": np.dtype(ml_dtypes.bfloat16)}
CANONICAL = {"f16": 0x7E00, "bf16": 0x7FC0}


def compiled(element: str, names: list[str], size: int) -> Reference:
    """A function of two tensors x and y that gives each function of their elements."""
    tensor, identity = f"tensor<{size}x{element}>", "affine_map<(d0) -> (d0)>"
    body = [f"  %e = tensor.empty() : {tensor}"]
    for name in names:
        arguments = ["%a", "%b"][: MEANINGS[name].arguments]
        types = ", ".join([element] * len(arguments))
        call = f'"{OPS[name]}"({", ".join(arguments)}) : ({types}) -> {element}'
        body.append(
            f"""  %{name} = linalg.generic {{indexing_maps = [{identity}, {identity}, {identity}],
              iterator_types = ["parallel"]}} ins(%x, %y : {tensor}, {tensor}) outs(%e : {tensor}) {{
          ^bb0(%a: {element}, %b: {element}, %o: {element}):
            %r = {call}
            linalg.yield %r : {element}
          }} -> {tensor}"""
        )
    results = ", ".join([tensor] * len(names))
    body.append(f"  return {', '.join(f'%{name}' for name in names)} : {results}")
    head = f"func.func @f(%x: {tensor}, %y: {tensor}) -> ({results}) {{"
    with context() as ctx, ir.Location.unknown():
        load.load(ctx)
        return Reference(ir.Module.parse("\n".join([head, *body, "}"])))


def results(reference: Reference, x: Array, y: Array) -> list[Array]:
    slots = reference.inputs
    given = {slot.name: value.view(slot.dtype) for slot, value in zip(slots, (x, y), strict=True)}
    outputs = reference.run(given)
    return [outputs[slot.name].view(x.dtype) for slot in reference.outputs]


@pytest.mark.parametrize("element", DTYPES)
def test_mlir_has_the_bits_of_the_model(element: str) -> None:
    dtype = DTYPES[element]
    names = [name for name, of in SPECIALS if of == element]
    rng = np.random.default_rng(11)
    sets = [arguments for name in names for arguments in samples(SPECIALS[name, element], 60, rng)]
    x = np.concatenate([arguments[0] for arguments in sets] + [np.array([0, -0.0, np.inf, -np.inf, np.nan], dtype)])
    y = np.concatenate([arguments[-1] for arguments in sets] + [np.array([np.nan, -2, 0, 3, 0], dtype)])
    unsigned = f"u{dtype.itemsize}"
    for name, got in zip(names, results(compiled(element, names, x.size), x, y), strict=True):
        expected = evaluate(name, *(x, y)[: MEANINGS[name].arguments])
        np.testing.assert_array_equal(got.view(unsigned), expected.view(unsigned), name)


@pytest.mark.parametrize("element", SMALL)
def test_all_arguments_of_the_small_types(element: str) -> None:
    """By bytes the f32 function, rounded once more; by value at most a little above half a unit in the last place."""
    dtype = SMALL[element]
    x = np.arange(1 << 16, dtype=np.uint16).view(dtype)
    y = np.random.default_rng(2).permutation(x)
    names = list(MEANINGS)
    for name, got in zip(names, results(compiled(element, names, x.size), x, y), strict=True):
        arguments = (x, y)[: MEANINGS[name].arguments]
        with np.errstate(all="ignore"):
            expected = evaluate(name, *(argument.astype(np.float32) for argument in arguments)).astype(dtype)
            exact = evaluate(name, *(argument.astype(np.float64) for argument in arguments))
        is_nan = np.isnan(expected.astype(np.float32))
        bits = np.where(is_nan, np.uint16(CANONICAL[element]), expected.view(np.uint16))
        np.testing.assert_array_equal(got.view(np.uint16), bits, name)
        assert float(np.max(_errors(got[~is_nan], exact[~is_nan]))) <= 0.501, name


def _errors(got: Array, exact: NDArray[np.float64]) -> NDArray[np.float64]:
    """In units of the last place of the exact values; infinity counts as the power of two behind the largest number."""
    limits = ml_dtypes.finfo(got.dtype)
    over = 2.0 ** int(limits.maxexp)
    least = int(limits.minexp) - int(limits.nmant)
    exponents = np.maximum(np.frexp(exact)[1] - 1 - int(limits.nmant), least)
    exponents = np.where(np.abs(exact) < over, exponents, int(limits.maxexp) - 1 - int(limits.nmant))
    distance = np.clip(got.astype(np.float64), -over, over) - np.clip(exact, -over, over)
    return np.abs(np.ldexp(distance, -exponents))
