"""Scalar code applied to arrays by the byte reference, and the values that are hard about each element type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from tfmbs.compiler.jit import Reference
from tfmbs.dialect.mlir import context, ir

Array = NDArray[Any]

NUMPY: dict[str, np.dtype[Any]] = {
    "i1": np.dtype(np.bool_),
    **{f"i{bits}": np.dtype(f"int{bits}") for bits in (8, 16, 32, 64)},
    "index": np.dtype(np.int64),
    "f16": np.dtype(np.float16),
    "bf16": np.dtype(ml_dtypes.bfloat16),
    "f32": np.dtype(np.float32),
    "f64": np.dtype(np.float64),
}
FLOATS = ("f16", "bf16", "f32", "f64")
SMALL = ("f16", "bf16")
INTEGERS = ("i1", "i8", "i16", "i32", "i64")
CANONICAL = {"f16": 0x7E00, "bf16": 0x7FC0, "f32": 0x7FC00000, "f64": 0x7FF8000000000000}


def bits(x: Array) -> Array:
    """The bit patterns of an array."""
    return np.ascontiguousarray(x).view(f"u{x.dtype.itemsize}")


def canonical(x: Array, element: str) -> Array:
    """An array of floats, every NaN the canonical one."""
    x = np.asarray(x, NUMPY[element]).copy()
    bits(x)[np.isnan(x)] = CANONICAL[element]
    return x


def apply(lines: str, sources: Sequence[str], targets: Sequence[str], *arrays: Array) -> list[Array]:
    """Results %r0, %r1, … of the element types `targets` of scalar code on %a0, %a1, … of the types `sources`."""
    shape, results = f"{arrays[0].size}", [f"%r{i}" for i in range(len(targets))]
    ins = [f"tensor<{shape}x{element}>" for element in sources]
    outs = [f"tensor<{shape}x{element}>" for element in targets]
    maps = ", ".join(["affine_map<(d0) -> (d0)>"] * (len(ins) + len(outs)))
    arguments = [*(f"%a{i}: {e}" for i, e in enumerate(sources)), *(f"%o{i}: {e}" for i, e in enumerate(targets))]
    text = f"""func.func @f({", ".join(f"%x{i}: {type_}" for i, type_ in enumerate(ins))}) -> ({", ".join(outs)}) {{
      {" ".join(f"%e{i} = tensor.empty() : {type_}" for i, type_ in enumerate(outs))}
      %0:{len(outs)} = linalg.generic {{indexing_maps = [{maps}], iterator_types = ["parallel"]}}
          ins({", ".join(f"%x{i}" for i in range(len(ins)))} : {", ".join(ins)})
          outs({", ".join(f"%e{i}" for i in range(len(outs)))} : {", ".join(outs)}) {{
      ^bb0({", ".join(arguments)}):
        {lines}
        linalg.yield {", ".join(results)} : {", ".join(targets)}
      }} -> ({", ".join(outs)})
      return {", ".join(f"%0#{i}" for i in range(len(outs)))} : {", ".join(outs)}
    }}"""
    with context(), ir.Location.unknown():
        reference = Reference(ir.Module.parse(text), optimization=0)
    given = {slot.name: array.view(slot.dtype) for slot, array in zip(reference.inputs, arrays, strict=True)}
    outputs = reference.run(given)
    return [outputs[slot.name].view(NUMPY[e]) for slot, e in zip(reference.outputs, targets, strict=True)]


def same_bits(got: Array, expected: Array) -> None:
    """Asserts that two arrays are alike to the bit."""
    assert got.dtype == expected.dtype
    wrong = np.flatnonzero(bits(got) != bits(expected))
    assert not wrong.size, f"{wrong.size}, first [{wrong[0]}]: {got[wrong[0]]!r}, expected {expected[wrong[0]]!r}"


def floats(element: str, seed: int = 0) -> Array:
    """All patterns of a small type; of the others hard values, random numbers and random patterns."""
    if element in SMALL:
        return np.arange(1 << 16, dtype=np.uint16).view(NUMPY[element])
    rng, dtype = np.random.default_rng(seed), NUMPY[element]
    info = np.finfo(dtype)
    edges = [0.0, 0.5, 1.0, 1.5, 2.5, 3.0, 1e-3, 7e4, info.max, info.tiny, info.smallest_subnormal, np.inf, np.nan]
    edges += [2.0**n for n in (-24, -14, -133, 15, 16, 31, 32, 63, 64)]
    edges += [2.0**n - 0.5 for n in (7, 8, 15, 16, 23)]
    whole = np.array(edges, dtype)
    random = (rng.standard_normal(400) * np.exp2(rng.integers(-30, 40, 400))).astype(dtype)
    patterns = rng.integers(0, 1 << 8 * dtype.itemsize, 400, np.uint64).astype(f"u{dtype.itemsize}").view(dtype)
    return np.concatenate([whole, -whole, random, patterns])


def float_pairs(element: str) -> tuple[Array, Array]:
    """Two arrays in which hard values meet each other, and random ones."""
    rng = np.random.default_rng(1)
    if element in SMALL:
        count = 30_000
        a, b = (rng.integers(0, 1 << 16, count).astype(np.uint16).view(NUMPY[element]) for _ in range(2))
        near = rng.standard_normal((2, count)).astype(NUMPY[element])
        return np.concatenate([a, near[0]]), np.concatenate([b, near[1]])
    values = floats(element)
    hard, rest = values[:62], values[62:]
    a, b = (grid.ravel() for grid in np.meshgrid(hard, hard))
    return np.concatenate([a, rest]), np.concatenate([b, rng.permutation(rest)])


def integers(element: str) -> Array:
    """Edges of an integer type and a few values between."""
    if element == "i1":
        return np.array([False, True])
    width = 64 if element == "index" else int(element[1:])
    top = 1 << width - 1
    values = {0, 1, 2, 3, 7, width - 1, width, width + 1, top - 1, top - 2, top // 3}
    return np.array([v for x in values for v in (x, -x)] + [-top], NUMPY[element])


def integer_pairs(element: str) -> tuple[Array, Array]:
    """Every pair of `integers`."""
    a, b = (grid.ravel() for grid in np.meshgrid(integers(element), integers(element)))
    return a, b
