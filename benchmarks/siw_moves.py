"""More kernels of the SIW benchmark: windows, data movement, order, scans, lookups."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch.nn import functional

from benchmarks.siw_kernels import Kernel, generic, module_of, normal

TOP = 4
GROUP = 32


def depthwise(channels: int, size: int) -> Kernel:
    """Depthwise 3×3 convolution of one image, without padding, as fused products over a window."""
    out = size - 2
    source, weight, target = f"tensor<{channels}x{size}x{size}xf32>", f"tensor<{channels}x3x3xf32>", ""
    target = f"tensor<{channels}x{out}x{out}xf32>"
    code = "%t = math.fma %a, %w, %s : f32\nlinalg.yield %t : f32\n"
    body = (
        f"%z = arith.constant 0.0 : f32\n%e0 = tensor.empty() : {target}\n"
        f"%f = linalg.fill ins(%z : f32) outs(%e0 : {target}) -> {target}\n%y = "
        + generic(
            "d0, d1 + d3, d2 + d4 | d0, d3, d4 | d0, d1, d2",
            "ppprr",
            f"ins(%x, %k : {source}, {weight}) outs(%f : {target})",
            "%a: f32, %w: f32, %s: f32",
            code,
            target,
        )
        + f"return %y : {target}\n"
    )
    inputs = {"x": normal(channels, size, size), "k": normal(channels, 3, 3, seed=1)}

    def by_torch(t: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return functional.conv2d(t["x"][None], t["k"][:, None], groups=channels)[0]

    return Kernel("depthwise 3×3", module_of({"x": source, "k": weight}, target, body), inputs, by_torch)


def max_pool(channels: int, size: int) -> Kernel:
    """3×3 windows, two apart."""
    out = (size - 3) // 2 + 1
    source, target = f"tensor<{channels}x{size}x{size}xf32>", f"tensor<{channels}x{out}x{out}xf32>"
    code = "%t = arith.maximumf %s, %a : f32\nlinalg.yield %t : f32\n"
    body = (
        f"%z = arith.constant 0xFF800000 : f32\n%e0 = tensor.empty() : {target}\n"
        "%w = tensor.empty() : tensor<3x3xf32>\n"
        f"%f = linalg.fill ins(%z : f32) outs(%e0 : {target}) -> {target}\n%y = "
        + generic(
            "d0, d1 * 2 + d3, d2 * 2 + d4 | d3, d4 | d0, d1, d2",
            "ppprr",
            f"ins(%x, %w : {source}, tensor<3x3xf32>) outs(%f : {target})",
            "%a: f32, %v: f32, %s: f32",
            code,
            target,
        )
        + f"return %y : {target}\n"
    )
    inputs = {"x": normal(channels, size, size)}
    mlir = module_of({"x": source}, target, body)
    return Kernel("max pool", mlir, inputs, lambda t: functional.max_pool2d(t["x"], 3, 2), tolerance=0)


def transpose(batch: int, rows: int, columns: int) -> Kernel:
    """The last two axes of a batch of matrices."""
    source, target = f"tensor<{batch}x{rows}x{columns}xf32>", f"tensor<{batch}x{columns}x{rows}xf32>"
    body = (
        f"%e0 = tensor.empty() : {target}\n%y = linalg.transpose ins(%x : {source}) outs(%e0 : {target}) "
        f"permutation = [0, 2, 1]\nreturn %y : {target}\n"
    )
    mlir, inputs = module_of({"x": source}, target, body), {"x": normal(batch, rows, columns)}
    return Kernel("batched transpose", mlir, inputs, lambda t: t["x"].transpose(1, 2).contiguous(), tolerance=0)


def top_k(rows: int, columns: int) -> Kernel:
    """The indices of the `TOP` largest elements of each row: a reduction that keeps them sorted."""
    source, value, index = f"tensor<{rows}x{columns}xf32>", f"tensor<{rows}xf32>", f"tensor<{rows}xi32>"
    lines = ["%n = linalg.index 1 : index\n%i = arith.index_cast %n : index to i32\n"]
    lines += [f"%c{k} = arith.cmpf ogt, %x0, %v{k} : f32\n" for k in range(TOP)]
    for k in range(TOP):
        for name, new, type_ in (("v", "%x0", "f32"), ("i", "%i", "i32")):
            lines.append(f"%{name}a{k} = arith.select %c{k}, {new}, %{name}{k} : {type_}\n")
            if k:
                lines.append(f"%{name}b{k} = arith.select %c{k - 1}, %{name}{k - 1}, %{name}a{k} : {type_}\n")
    kept = [f"%v{'b' if k else 'a'}{k}" for k in range(TOP)] + [f"%i{'b' if k else 'a'}{k}" for k in range(TOP)]
    elements = ["f32"] * TOP + ["i32"] * TOP
    lines.append(f"linalg.yield {', '.join(kept)} : {', '.join(elements)}\n")
    types = [value] * TOP + [index] * TOP
    states = ", ".join(f"%v{k}: f32" for k in range(TOP)) + ", " + ", ".join(f"%i{k}: i32" for k in range(TOP))
    outs = f"outs({', '.join(['%fv'] * TOP + ['%fi'] * TOP)} : {', '.join(types)})"
    maps = " | ".join(["d0, d1"] + ["d0"] * (2 * TOP))
    reduced = generic(
        maps, "pr", f"ins(%x : {source}) {outs}", f"%x0: f32, {states}", "".join(lines), f"({', '.join(types)})"
    )
    result, column = f"tensor<{rows}x{TOP}xi32>", f"tensor<{rows}x1xi32>"
    body = (
        f"%z = arith.constant 0xFF800000 : f32\n%o = arith.constant 0 : i32\n%ev = tensor.empty() : {value}\n"
        f"%ei = tensor.empty() : {index}\n%fv = linalg.fill ins(%z : f32) outs(%ev : {value}) -> {value}\n"
        f"%fi = linalg.fill ins(%o : i32) outs(%ei : {index}) -> {index}\n%r:{2 * TOP} = {reduced}"
    )
    for k in range(TOP):
        body += f"%s{k} = tensor.expand_shape %r#{TOP + k} [[0, 1]] output_shape [{rows}, 1] : {index} into {column}\n"
    columns_ = ", ".join(f"%s{k}" for k in range(TOP))
    body += f"%y = tensor.concat dim(1) {columns_} : ({', '.join([column] * TOP)}) -> {result}\nreturn %y : {result}\n"
    inputs = {"x": normal(rows, columns)}
    mlir = module_of({"x": source}, result, body)
    return Kernel("top-k", mlir, inputs, lambda t: t["x"].topk(TOP, -1).indices.to(torch.int32), tolerance=0)


def cumulative_sum(rows: int, columns: int) -> Kernel:
    """Down the rows: each is the one before plus the input's."""
    type_, row = f"tensor<{rows}x{columns}xf32>", f"tensor<1x{columns}xf32>"
    code = "%t = arith.addf %s, %a : f32\nlinalg.yield %t : f32\n"
    size = f"[1, {columns}] [1, 1]"
    added = generic("d0, d1 | d0, d1", "pp", f"ins(%part : {row}) outs(%carry : {row})", "%a: f32, %s: f32", code, row)
    body = (
        f"%z = arith.constant 0.0 : f32\n%c0 = arith.constant 0 : index\n%c1 = arith.constant 1 : index\n"
        f"%n = arith.constant {rows} : index\n%e0 = tensor.empty() : {row}\n%e1 = tensor.empty() : {type_}\n"
        f"%f = linalg.fill ins(%z : f32) outs(%e0 : {row}) -> {row}\n"
        f"%y:2 = scf.for %i = %c0 to %n step %c1 iter_args(%out = %e1, %carry = %f) -> ({type_}, {row}) {{\n"
        f"%part = tensor.extract_slice %x[%i, 0] {size} : {type_} to {row}\n%next = {added}"
        f"%written = tensor.insert_slice %next into %out[%i, 0] {size} : {row} into {type_}\n"
        f"scf.yield %written, %next : {type_}, {row}\n}}\nreturn %y#0 : {type_}\n"
    )
    mlir, inputs = module_of({"x": type_}, type_, body), {"x": normal(rows, columns)}
    return Kernel("cumulative sum", mlir, inputs, lambda t: t["x"].cumsum(0))


def gather(rows: int, columns: int) -> Kernel:
    """Rows of a table by number, as an embedding does."""
    table, numbers = f"tensor<{rows}x{columns}xf32>", f"tensor<{rows}xi32>"
    code = (
        "%j = linalg.index 1 : index\n%n = arith.index_cast %a : i32 to index\n"
        f"%v = tensor.extract %x[%n, %j] : {table}\nlinalg.yield %v : f32\n"
    )
    body = f"%e0 = tensor.empty() : {table}\n%y = " + generic(
        "d0 | d0, d1", "pp", f"ins(%i : {numbers}) outs(%e0 : {table})", "%a: i32, %u: f32", code, table
    )
    places = np.random.default_rng(4).integers(0, rows, rows, dtype=np.int32)
    inputs = {"x": normal(rows, columns), "i": places}
    mlir = module_of({"x": table, "i": numbers}, table, body + f"return %y : {table}\n")
    return Kernel("gather", mlir, inputs, lambda t: t["x"][t["i"]], tolerance=0)


def int4_dequantize(groups: int, columns: int) -> Kernel:
    """Groups of 32 rows with a scale per column; a byte holds row j of a group below and row j + 16 above."""
    half = GROUP // 2
    packed, scales = f"tensor<{groups}x{half}x{columns}xi8>", f"tensor<{groups}x{columns}xf32>"
    target = f"tensor<{groups}x2x{half}x{columns}xf32>"
    code = (
        "%four = arith.constant 4 : i32\n%mask = arith.constant 15 : i32\n%mid = arith.constant 8 : i32\n"
        "%h = linalg.index 1 : index\n%h0 = arith.index_cast %h : index to i32\n%n = arith.muli %h0, %four : i32\n"
        "%w = arith.extui %a : i8 to i32\n%r = arith.shrui %w, %n : i32\n%q = arith.andi %r, %mask : i32\n"
        "%z = arith.subi %q, %mid : i32\n%f = arith.sitofp %z : i32 to f32\n%o = arith.mulf %f, %s : f32\n"
        "linalg.yield %o : f32\n"
    )
    body = f"%e0 = tensor.empty() : {target}\n%y = " + generic(
        "d0, d2, d3 | d0, d3 | d0, d1, d2, d3",
        "pppp",
        f"ins(%x, %g : {packed}, {scales}) outs(%e0 : {target})",
        "%a: i8, %s: f32, %u: f32",
        code,
        target,
    )
    rng = np.random.default_rng(5)
    inputs = {
        "x": rng.integers(-128, 128, (groups, half, columns), dtype=np.int8),
        "g": normal(groups, columns, seed=6),
    }

    def by_torch(t: Mapping[str, torch.Tensor]) -> torch.Tensor:
        unsigned = t["x"].view(torch.uint8)
        parts = torch.stack((unsigned & 15, unsigned >> 4), 1)
        return (parts.to(torch.float32) - 8) * t["g"][:, None, None]

    return Kernel(
        "int4 dequantize",
        module_of({"x": packed, "g": scales}, target, body + f"return %y : {target}\n"),
        inputs,
        by_torch,
    )
