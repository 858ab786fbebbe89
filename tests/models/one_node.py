"""Models of one ONNX node, compiled and run on the emulator beside the ONNX reference evaluator or onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import tfmbs

OPSET = 21
"""The opset of the models, or that of the operator where it is newer."""

Arrays = Sequence[np.ndarray | None]


def one_node(
    op: str, inputs: Arrays, outputs: Sequence[np.ndarray], constants: Sequence[int] = (), **attributes: Any
) -> onnx.ModelProto:
    """A model of one node with inputs x0, x1, … (absent where None) and outputs y0, …, typed as the arrays are.

    Inputs of the positions `constants` are initializers.
    """
    names = ["" if array is None else f"x{i}" for i, array in enumerate(inputs)]
    node = helper.make_node(op, names, [f"y{i}" for i in range(len(outputs))], **attributes)
    given = [(name, array) for name, array in zip(names, inputs, strict=True) if array is not None]
    graph = helper.make_graph(
        [node],
        op,
        [_value(name, array) for name, array in given if int(name[1:]) not in constants],
        [_value(f"y{i}", array) for i, array in enumerate(outputs)],
        [numpy_helper.from_array(array, name) for name, array in given if int(name[1:]) in constants],
    )
    version = OPSET if onnx.defs.has(op, OPSET) else onnx.defs.get_schema(op).since_version
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=10)


def _value(name: str, array: np.ndarray) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


def by_reference(op: str, inputs: Arrays, count: int = 1, **attributes: Any) -> list[np.ndarray]:
    """Outputs of the node by ONNX's reference evaluator, run as a node without a graph around it."""
    names = ["" if array is None else f"x{i}" for i, array in enumerate(inputs)]
    node = helper.make_node(op, names, [f"y{i}" for i in range(count)], **attributes)
    feeds = {name: array for name, array in zip(names, inputs, strict=True) if array is not None}
    return [np.asarray(array) for array in ReferenceEvaluator(node).run(None, feeds)]


def by_onnxruntime(op: str, inputs: Arrays, count: int = 1, **attributes: Any) -> list[np.ndarray]:
    """Outputs of the node by onnxruntime."""
    names = ["" if array is None else f"x{i}" for i, array in enumerate(inputs)]
    node = helper.make_node(op, names, [f"y{i}" for i in range(count)], **attributes)
    given = {name: array for name, array in zip(names, inputs, strict=True) if array is not None}
    values = [onnx.ValueInfoProto(name=f"y{i}") for i in range(count)]
    graph = helper.make_graph([node], op, [_value(name, array) for name, array in given.items()], values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, given))


def check(
    op: str,
    inputs: Arrays,
    expected: Sequence[np.ndarray],
    *,
    constants: Sequence[int] = (),
    tolerance: float = 1e-5,
    **attributes: Any,
) -> None:
    """Compiles the node, runs it, and compares: integers and bool exactly, floats within `tolerance` of the largest.

    f16 outputs have 2⁻¹⁰ as their tolerance.
    """
    model = one_node(op, inputs, expected, constants, **attributes)
    feeds = {f"x{i}": array for i, array in enumerate(inputs) if array is not None and i not in constants}
    outputs = tfmbs.compile(model).run(feeds)
    for number, wanted in enumerate(expected):
        got = outputs[f"y{number}"]
        assert got.shape == wanted.shape
        assert got.dtype == wanted.dtype
        if wanted.dtype.kind != "f":
            np.testing.assert_array_equal(got, wanted)
            continue
        finite = wanted[np.isfinite(wanted)]
        scale = float(np.abs(finite).max()) if finite.size else 0.0
        relative = 2.0**-10 if wanted.dtype == np.float16 else tolerance
        np.testing.assert_allclose(got, wanted, rtol=0, atol=relative * scale)
