"""The kernels of the SIW benchmark: each a graph-level program, its inputs, and the same in torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

Array = np.ndarray[Any, np.dtype[Any]]
Inputs = dict[str, Array]
Torch = Callable[[Mapping[str, torch.Tensor]], torch.Tensor]

EPSILON = 1e-5
EPSILON_TEXT = "0.00001"
PARALLEL, REDUCTION = "parallel", "reduction"


@dataclass(frozen=True)
class Kernel:
    """`mlir` and `inputs` of one size; `torch` computes the same, which must agree to `tolerance` of its largest."""

    name: str
    mlir: str
    inputs: Inputs
    torch: Torch
    tolerance: float = 1e-5


def module_of(arguments: Mapping[str, str], result: str, body: str) -> str:
    """A function `main` with these arguments (types by name) and one result, y."""
    given = ", ".join(f'%{name}: {type_} {{tfmbs.name = "{name}"}}' for name, type_ in arguments.items())
    return f'func.func @main({given}) -> ({result} {{tfmbs.name = "y"}}) {{\n{body}}}\n'


def generic(maps: str, kinds: str, operands: str, arguments: str, body: str, result: str) -> str:
    """A linalg.generic: `maps` are results of affine maps by `|`, `kinds` a letter per loop, `body` its lines."""
    loops = ", ".join(f"d{i}" for i in range(len(kinds)))
    affine = ", ".join(f"affine_map<({loops}) -> ({results.strip()})>" for results in maps.split("|"))
    iterators = ", ".join(f'"{PARALLEL if kind == "p" else REDUCTION}"' for kind in kinds)
    return (
        f"linalg.generic {{indexing_maps = [{affine}], iterator_types = [{iterators}]}} {operands} {{\n"
        f"^bb0({arguments}):\n{body}}} -> {result}\n"
    )


def normal(*shape: int, seed: int = 0) -> Array:
    """Standard normal f32 values, the same every time."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def softmax(rows: int, columns: int) -> Kernel:
    """Along the last axis."""
    type_ = f"tensor<{rows}x{columns}xf32>"
    body = f'%y = "tfmbs.softmax"(%x) {{axis = 1 : i64}} : ({type_}) -> {type_}\nreturn %y : {type_}\n'
    mlir = module_of({"x": type_}, type_, body)
    return Kernel("softmax", mlir, {"x": normal(rows, columns)}, lambda t: functional.softmax(t["x"], -1))


def layer_norm(rows: int, columns: int) -> Kernel:
    """Along the last axis, with gain and bias."""
    type_, row = f"tensor<{rows}x{columns}xf32>", f"tensor<{columns}xf32>"
    body = (
        f'%y = "tfmbs.layer_norm"(%x, %g, %b) {{axis = 1 : i64, epsilon = {EPSILON_TEXT} : f32}} '
        f": ({type_}, {row}, {row}) -> {type_}\nreturn %y : {type_}\n"
    )
    inputs = {"x": normal(rows, columns), "g": normal(columns, seed=1), "b": normal(columns, seed=2)}
    mlir = module_of({"x": type_, "g": row, "b": row}, type_, body)
    return Kernel(
        "layer norm", mlir, inputs, lambda t: functional.layer_norm(t["x"], (columns,), t["g"], t["b"], EPSILON)
    )


def rms_norm(rows: int, columns: int) -> Kernel:
    """Along the last axis, with a gain."""
    type_, row, column = f"tensor<{rows}x{columns}xf32>", f"tensor<{columns}xf32>", f"tensor<{rows}xf32>"
    square = "%q = arith.mulf %e, %e : f32\n%t = arith.addf %s, %q : f32\nlinalg.yield %t : f32\n"
    scale = (
        f"%n = arith.constant {1 / columns:.12f} : f32\n%eps = arith.constant {EPSILON_TEXT} : f32\n"
        "%m = arith.mulf %s0, %n : f32\n%v = arith.addf %m, %eps : f32\n%r = math.rsqrt %v : f32\n"
        "%p = arith.mulf %e, %r : f32\n%o = arith.mulf %p, %w : f32\nlinalg.yield %o : f32\n"
    )
    body = (
        f"%z = arith.constant 0.0 : f32\n%e0 = tensor.empty() : {column}\n"
        f"%f = linalg.fill ins(%z : f32) outs(%e0 : {column}) -> {column}\n%sum = "
        + generic("d0, d1 | d0", "pr", f"ins(%x : {type_}) outs(%f : {column})", "%e: f32, %s: f32", square, column)
        + f"%e1 = tensor.empty() : {type_}\n%y = "
        + generic(
            "d0, d1 | d0 | d1 | d0, d1",
            "pp",
            f"ins(%x, %sum, %g : {type_}, {column}, {row}) outs(%e1 : {type_})",
            "%e: f32, %s0: f32, %w: f32, %u: f32",
            scale,
            type_,
        )
        + f"return %y : {type_}\n"
    )
    inputs = {"x": normal(rows, columns), "g": normal(columns, seed=1)}
    mlir = module_of({"x": type_, "g": row}, type_, body)
    return Kernel("RMS norm", mlir, inputs, lambda t: functional.rms_norm(t["x"], (columns,), t["g"], EPSILON))


def gelu(rows: int, columns: int) -> Kernel:
    """The exact one, by erf."""
    type_ = f"tensor<{rows}x{columns}xf32>"
    code = (
        "%c = arith.constant 0.70710678118654752 : f32\n%one = arith.constant 1.0 : f32\n"
        "%half = arith.constant 0.5 : f32\n%a = arith.mulf %e, %c : f32\n%b = math.erf %a : f32\n"
        "%d = arith.addf %b, %one : f32\n%f = arith.mulf %e, %half : f32\n%g = arith.mulf %f, %d : f32\n"
        "linalg.yield %g : f32\n"
    )
    body = f"%e0 = tensor.empty() : {type_}\n%y = " + generic(
        "d0, d1 | d0, d1", "pp", f"ins(%x : {type_}) outs(%e0 : {type_})", "%e: f32, %u: f32", code, type_
    )
    mlir = module_of({"x": type_}, type_, body + f"return %y : {type_}\n")
    return Kernel("GELU", mlir, {"x": normal(rows, columns)}, lambda t: functional.gelu(t["x"]))


def rotary(heads: int, sequence: int, depth: int) -> Kernel:
    """Rotary embedding: the halves of each head are turned by angles that depend on the position."""
    half = depth // 2
    whole, part = f"tensor<{heads}x{sequence}x{depth}xf32>", f"tensor<{heads}x{sequence}x{half}xf32>"
    angles = f"tensor<{sequence}x{half}xf32>"

    def turn(first: str, second: str, op: str) -> str:
        code = (
            f"%p = arith.mulf %a, %c0 : f32\n%q = arith.mulf %b, %s0 : f32\n%r = arith.{op} %p, %q : f32\n"
            "linalg.yield %r : f32\n"
        )
        return generic(
            "d0, d1, d2 | d0, d1, d2 | d1, d2 | d1, d2 | d0, d1, d2",
            "ppp",
            f"ins({first}, {second}, %c, %s : {part}, {part}, {angles}, {angles}) outs(%e0 : {part})",
            "%a: f32, %b: f32, %c0: f32, %s0: f32, %u: f32",
            code,
            part,
        )

    size = f"[{heads}, {sequence}, {half}] [1, 1, 1]"
    body = (
        f"%lo = tensor.extract_slice %x[0, 0, 0] {size} : {whole} to {part}\n"
        f"%hi = tensor.extract_slice %x[0, 0, {half}] {size} : {whole} to {part}\n"
        f"%e0 = tensor.empty() : {part}\n%first = {turn('%lo', '%hi', 'subf')}%second = {turn('%hi', '%lo', 'addf')}"
        f"%y = tensor.concat dim(2) %first, %second : ({part}, {part}) -> {whole}\nreturn %y : {whole}\n"
    )
    place = np.arange(sequence)[:, None] / 10000 ** (np.arange(half) / half)
    inputs = {"x": normal(heads, sequence, depth), "c": np.cos(place).astype(np.float32)}
    inputs["s"] = np.sin(place).astype(np.float32)

    def by_torch(t: Mapping[str, torch.Tensor]) -> torch.Tensor:
        a, b = t["x"][..., :half], t["x"][..., half:]
        return torch.cat((a * t["c"] - b * t["s"], b * t["c"] + a * t["s"]), -1)

    return Kernel("rotary embedding", module_of({"x": whole, "c": angles, "s": angles}, whole, body), inputs, by_torch)


def requantize(rows: int, columns: int) -> Kernel:
    """i32 accumulators to i8, with a scale per channel."""
    source, target, row = f"tensor<{rows}x{columns}xi32>", f"tensor<{rows}x{columns}xi8>", f"tensor<{columns}xf32>"
    code = (
        "%zp = arith.constant 3.0 : f32\n%lo = arith.constant -128.0 : f32\n%hi = arith.constant 127.0 : f32\n"
        "%f = arith.sitofp %a : i32 to f32\n%p = arith.mulf %f, %w : f32\n%r = math.roundeven %p : f32\n"
        "%z = arith.addf %r, %zp : f32\n%m = arith.maximumf %z, %lo : f32\n%n = arith.minimumf %m, %hi : f32\n"
        "%i = arith.fptosi %n : f32 to i8\nlinalg.yield %i : i8\n"
    )
    body = f"%e0 = tensor.empty() : {target}\n%y = " + generic(
        "d0, d1 | d1 | d0, d1",
        "pp",
        f"ins(%x, %g : {source}, {row}) outs(%e0 : {target})",
        "%a: i32, %w: f32, %u: i8",
        code,
        target,
    )
    rng = np.random.default_rng(3)
    inputs = {"x": rng.integers(-50000, 50000, (rows, columns), dtype=np.int32)}
    inputs["g"] = (rng.uniform(0.5, 2, columns) / 400).astype(np.float32)
    mlir = module_of({"x": source, "g": row}, target, body + f"return %y : {target}\n")

    def by_torch(t: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return ((t["x"] * t["g"]).round() + 3).clamp(-128, 127).to(torch.int8)

    return Kernel("requantize", mlir, inputs, by_torch, tolerance=0)
