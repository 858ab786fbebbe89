"""com.microsoft's MatMulNBits in terms of ONNX: its packed weights, unpacked here, and a DequantizeLinear by blocks.

Weights N×G×(bytes of a block), the first in the low bits; scales N×G of f32; zero points packed alike row by row, or
2^(bits − 1). `bits` are 2, 4 or 8, and blocks divide K. Other forms stay, to be refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto, helper, numpy_helper

from tfmbs.compiler.importers.microsoft import DOMAIN, Expansion
from tfmbs.compiler.importers.weights import Parts
from tfmbs.dialect.resources import Array

_A, _WEIGHTS, _SCALES, _ZERO_POINTS, _ORDER, _BIAS = range(6)
"""Operands."""

_WIDTHS = (2, 4, 8)


def expand_nbits(parts: Parts) -> Parts:
    """The parts with each MatMulNBits of constants replaced. `parts.model` is changed in place."""
    graph = parts.model.graph
    arrays, types = dict(parts.arrays), dict(parts.types)
    known = {tensor.name: tensor for tensor in graph.initializer}
    nodes: list[NodeProto] = []
    for number, node in enumerate(graph.node):
        constants = _constants(node, arrays, known)
        if constants is None:
            nodes.append(node)
            continue
        expansion = Expansion(node, number)
        names = [f"{node.input[_WEIGHTS]}.{what}" for what in ("integers", "scales", "zero_points")]
        for name, array in zip(names, constants, strict=True):
            if name not in arrays:
                arrays[name], types[name] = array, helper.np_dtype_to_tensor_dtype(array.dtype)
                graph.input.append(helper.make_tensor_value_info(name, types[name], array.shape))
        _expand(expansion, names)
        nodes += expansion.nodes
    if len(nodes) == len(graph.node):
        return parts
    del graph.node[:]
    graph.node.extend(nodes)
    return replace(parts, arrays=arrays, types=types)


def _expand(e: Expansion, names: list[str]) -> None:
    block = int(e.attributes()["block_size"])
    weights = e("DequantizeLinear", *names, axis=0, block_size=block)
    if e.input(_BIAS):
        e("Add", e("MatMul", e.input(_A), weights), e.input(_BIAS), result=e.node.output[0])
    else:
        e("MatMul", e.input(_A), weights, result=e.node.output[0])


def _constants(
    node: NodeProto, arrays: Mapping[str, Array], known: Mapping[str, TensorProto]
) -> tuple[Array, Array, Array] | None:
    """Integers K×N, scales and zero points G×N; None for another node, or one that cannot be said so."""
    if node.domain != DOMAIN or node.op_type != "MatMulNBits":
        return None
    e = Expansion(node, 0)
    attributes = {"bits": 4, **e.attributes()}
    bits, block = attributes["bits"], attributes.get("block_size", 0)
    k, n = attributes.get("K", 0), attributes.get("N", 0)
    weights, scales, points = (_array(e.input(i), arrays, known) for i in (_WEIGHTS, _SCALES, _ZERO_POINTS))
    plain = bits in _WIDTHS and block > 0 and k > 0 and n > 0 and k % block == 0 and not e.input(_ORDER)
    if not plain or weights is None or scales is None or (e.input(_ZERO_POINTS) and points is None):
        return None
    groups = k // block
    row = -(-groups * bits // 8)
    if weights.dtype != np.uint8 or weights.size * 8 != n * k * bits:
        return None
    if scales.dtype != np.float32 or scales.size != n * groups:
        return None
    if points is None:
        zeros = np.full((n, groups), 1 << (bits - 1), np.uint8)
    elif points.dtype == np.uint8 and points.size == n * row:
        zeros = _unpacked(points.reshape(n, row), bits)[:, :groups]
    else:
        return None
    integers = _unpacked(weights.reshape(n, -1), bits)
    return integers.T.copy(), scales.reshape(n, groups).T.copy(), zeros.T.copy()


def _unpacked(rows: Array, bits: int) -> npt.NDArray[np.uint8]:
    """Integers of `bits` each, which lie in bytes from the low bits on."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    parts: npt.NDArray[np.uint8] = (rows[:, :, None] >> shifts) & np.uint8((1 << bits) - 1)
    return parts.reshape(len(rows), -1)


def _array(name: str, arrays: Mapping[str, Array], known: Mapping[str, TensorProto]) -> Array | None:
    if name in arrays:
        return arrays[name]
    return numpy_helper.to_array(known[name]) if name in known else None
