"""The kernels in onnxruntime, on one thread: those that ONNX has an operator for, and GELU in its usual steps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from benchmarks.siw_kernels import EPSILON, Array, Kernel
from benchmarks.siw_moves import TOP

OPSET = 21
Nodes = list[onnx.NodeProto]

_CONSTANTS: dict[str, Array] = {
    "root": np.array(2**-0.5, np.float32),
    "one": np.array(1, np.float32),
    "half": np.array(0.5, np.float32),
    "axis": np.array(0, np.int64),
    "top": np.array([TOP], np.int64),
}


def _one(op: str, inputs: str, **attributes: object) -> Nodes:
    return [helper.make_node(op, inputs.split(), ["y"], **attributes)]


_GELU: Nodes = [
    helper.make_node("Mul", ["x", "root"], ["a"]),
    helper.make_node("Erf", ["a"], ["b"]),
    helper.make_node("Add", ["b", "one"], ["c"]),
    helper.make_node("Mul", ["x", "c"], ["d"]),
    helper.make_node("Mul", ["d", "half"], ["y"]),
]
_NODES: dict[str, Nodes] = {
    "softmax": _one("Softmax", "x", axis=-1),
    "layer norm": _one("LayerNormalization", "x g b", axis=-1, epsilon=EPSILON),
    "GELU": _GELU,
    "batched transpose": _one("Transpose", "x", perm=[0, 2, 1]),
    "top-k": [helper.make_node("TopK", ["x", "top"], ["v", "y"], axis=-1)],
    "cumulative sum": _one("CumSum", "x axis"),
    "gather": _one("Gather", "x i", axis=0),
    "max pool": [
        helper.make_node("Unsqueeze", ["x", "front"], ["a"]),
        helper.make_node("MaxPool", ["a"], ["y"], kernel_shape=[3, 3], strides=[2, 2]),
    ],
    "depthwise 3×3": [
        helper.make_node("Unsqueeze", ["x", "front"], ["a"]),
        helper.make_node("Unsqueeze", ["k", "second"], ["w"]),
        helper.make_node("Conv", ["a", "w"], ["y"], group=64),
    ],
}
_CONSTANTS |= {"front": np.array([0], np.int64), "second": np.array([1], np.int64)}


def onnxruntime_of(kernel: Kernel) -> Callable[[], object] | None:
    """A run of the kernel in onnxruntime; None where ONNX has no operator for it."""
    nodes = _NODES.get(kernel.name)
    if nodes is None:
        return None
    value = helper.make_tensor_value_info
    inputs = [
        value(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape) for name, array in kernel.inputs.items()
    ]
    read = {name for node in nodes for name in node.input}
    constants = [numpy_helper.from_array(array, name) for name, array in _CONSTANTS.items() if name in read]
    kind = TensorProto.INT64 if kernel.name == "top-k" else TensorProto.FLOAT
    graph = helper.make_graph(nodes, "kernel", inputs, [value("y", kind, None)], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    return lambda: session.run(["y"], kernel.inputs)
