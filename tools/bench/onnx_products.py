"""ONNX models of products with constant weights, for our compiler and for onnxruntime."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tfmbs.tools.bench.problem import GROUP, Array, Problem

OPSET, IR_VERSION = 21, 10
MICROSOFT = "com.microsoft"
UNSIGNED = 128
"""What is added to i8 where bytes have no sign; the zero point then."""

INPUT = "x"


def products(problem: Problem, copies: int, *, unsigned: bool = False) -> onnx.ModelProto:
    """A node for each copy of the weights, whose outputs are y0, y1, …; integer tokens are u8 where `unsigned`."""
    nodes, constants = [], []
    if unsigned:
        constants.append(numpy_helper.from_array(np.asarray(UNSIGNED, np.uint8), "zero"))
    for number in range(copies):
        output = f"y{number}"
        values = list(_constants(problem, number))
        names = [f"w{number}_{index}" for index in range(len(values))]
        constants += [numpy_helper.from_array(value, name) for name, value in zip(names, values, strict=True)]
        nodes.append(_node(problem, [INPUT, *names], output, unsigned))
    kind = TensorProto.FLOAT if not problem.kind.exact else TensorProto.UINT8 if unsigned else TensorProto.INT8
    result = TensorProto.INT32 if problem.kind.exact else TensorProto.FLOAT
    size = (len(problem.tokens), problem.shape.rows)
    graph = helper.make_graph(
        nodes,
        "products",
        [helper.make_tensor_value_info(INPUT, kind, problem.tokens.shape)],
        [helper.make_tensor_value_info(f"y{number}", result, size) for number in range(copies)],
        constants,
    )
    domains = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(graph, opset_imports=domains, ir_version=IR_VERSION)


def tokens(problem: Problem, *, unsigned: bool = False) -> dict[str, Array]:
    """The input of `products`."""
    x = problem.tokens
    return {INPUT: (x.astype(np.int16) + UNSIGNED).astype(np.uint8) if unsigned else x}


def _node(problem: Problem, inputs: list[str], output: str, unsigned: bool) -> onnx.NodeProto:
    if problem.kind.exact:
        return helper.make_node("MatMulInteger", [*inputs, "zero"] if unsigned else inputs, [output], name=output)
    if problem.scales is not None:
        sizes = {"K": problem.shape.columns, "N": problem.shape.rows, "bits": 4, "block_size": GROUP}
        return helper.make_node("MatMulNBits", inputs, [output], name=output, domain=MICROSOFT, **sizes)
    return helper.make_node("MatMul", inputs, [output], name=output)


def _constants(problem: Problem, number: int) -> Iterator[Array]:
    stored, scales = problem.copy(number)
    if scales is None:
        yield np.ascontiguousarray(stored.T)
        return
    codes = (stored + 8).astype(np.uint8)
    yield (codes[:, 0::2] | codes[:, 1::2] << 4).reshape(problem.shape.rows, -1, GROUP // 2)
    yield scales.reshape(-1)
