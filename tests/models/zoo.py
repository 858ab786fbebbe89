"""Small ONNX models from seeded random weights: one per operator that the front end promises, and a few networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 21
Node = onnx.NodeProto


def node(op: str, inputs: str, outputs: str, **attributes: Any) -> Node:
    """A node named after its first output; inputs and outputs are blank-separated names ('-' leaves one out)."""
    names = [name if name != "-" else "" for name in inputs.split()]
    results = outputs.split()
    return helper.make_node(op, names, results, name=f"{op.lower()}_{results[0]}", **attributes)


def weights(seed: int, *shape: int) -> np.ndarray:
    """Normal f32 weights of the scale that keeps activations near 1."""
    fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 4
    return (np.random.default_rng(seed).standard_normal(shape) / np.sqrt(fan_in)).astype(np.float32)


def build(nodes: list[Node], shape: tuple[int | str, ...], **arrays: Any) -> onnx.ModelProto:
    """A model from input x (f32) to output y."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    onnx.checker.check_model(onnx.shape_inference.infer_shapes(model))
    return model


def _conv(channels: int, filters: int, kernel: int, **attributes: Any) -> Callable[[], onnx.ModelProto]:
    def make() -> onnx.ModelProto:
        per_group = channels // attributes.get("group", 1)
        w = weights(1, filters, per_group, kernel, kernel)
        return build([node("Conv", "x w b", "y", **attributes)], (1, channels, 11, 9), w=w, b=weights(2, filters))

    return make


def _unary(op: str, **attributes: Any) -> Callable[[], onnx.ModelProto]:
    return lambda: build([node(op, "x", "y", **attributes)], (3, 37))


def _binary(op: str, shape: tuple[int, ...]) -> Callable[[], onnx.ModelProto]:
    return lambda: build([node(op, "x b", "y")], (2, 3, 5), b=weights(3, *shape) + np.float32(2))


def _i64(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def mlp() -> onnx.ModelProto:
    """Three linear layers with ReLU and a residual connection, batch 4."""
    nodes = [
        node("Gemm", "x w1 b1", "h1", transB=1),
        node("Relu", "h1", "a1"),
        node("Gemm", "a1 w2 b2", "h2", transB=1),
        node("Add", "h2 a1", "r2"),
        node("Relu", "r2", "a2"),
        node("MatMul", "a2 w3", "h3"),
        node("Add", "h3 b3", "l3"),
        node("Softmax", "l3", "y", axis=-1),
    ]
    shapes = {"w1": (32, 20), "w2": (32, 32), "w3": (32, 7), "b1": (32,), "b2": (32,), "b3": (7,)}
    return build(nodes, (4, 20), **{name: weights(i, *shape) for i, (name, shape) in enumerate(shapes.items())})


def cnn() -> onnx.ModelProto:
    """Strided, depthwise and pointwise convolutions with batch norm, a residual, pooling and a classifier."""
    statistics = {f"{n}{i}": weights(10 * i + k, 12) for i in (1, 2) for k, n in enumerate(("s", "o", "m"))}
    variances = {f"v{i}": np.abs(weights(40 + i, 12)) + np.float32(0.5) for i in (1, 2)}
    nodes = [
        node("Conv", "x w1", "c1", pads=[1, 1, 1, 1], strides=[2, 2]),
        node("BatchNormalization", "c1 s1 o1 m1 v1", "n1"),
        node("Relu", "n1", "a1"),
        node("Conv", "a1 w2", "c2", pads=[1, 1, 1, 1], group=12),
        node("BatchNormalization", "c2 s2 o2 m2 v2", "n2"),
        node("Clip", "n2 zero six", "a2"),
        node("Conv", "a2 w3 b3", "c3"),
        node("Add", "c3 a1", "r3"),
        node("MaxPool", "r3", "p3", kernel_shape=[2, 2], strides=[2, 2]),
        node("GlobalAveragePool", "p3", "g"),
        node("Flatten", "g", "f"),
        node("Gemm", "f w4 b4", "y", transB=1),
    ]
    arrays = {
        "w1": weights(1, 12, 3, 3, 3), "w2": weights(2, 12, 1, 3, 3), "w3": weights(3, 12, 12, 1, 1),
        "b3": weights(4, 12), "w4": weights(5, 5, 12), "b4": weights(6, 5), "zero": np.float32(0), "six": np.float32(6),
    }  # fmt: skip
    return build(nodes, (1, 3, 16, 16), **arrays, **statistics, **variances)


def transformer_block(tokens: int = 8, width: int = 32, heads: int = 4) -> onnx.ModelProto:
    """A pre-norm encoder block: multi-head self-attention and a GELU feed-forward layer, each with its residual."""
    per_head = width // heads
    nodes = [node("LayerNormalization", "x g1 o1", "n1", axis=-1)]
    for name in "qkv":
        nodes += [
            node("MatMul", f"n1 w{name}", f"{name}0"),
            node("Add", f"{name}0 b{name}", f"{name}1"),
            node("Reshape", f"{name}1 split", f"{name}2"),
            node("Transpose", f"{name}2", f"{name}3", perm=[0, 2, 3, 1] if name == "k" else [0, 2, 1, 3]),
        ]
    nodes += [
        node("MatMul", "q3 k3", "s0"),
        node("Div", "s0 root", "s1"),
        node("Softmax", "s1", "p", axis=-1),
        node("MatMul", "p v3", "c0"),
        node("Transpose", "c0", "c1", perm=[0, 2, 1, 3]),
        node("Reshape", "c1 join", "c2"),
        node("MatMul", "c2 wo", "o0"),
        node("Add", "o0 bo", "o2"),
        node("Add", "o2 x", "r1"),
        node("LayerNormalization", "r1 g2 o3", "n2", axis=-1),
        node("MatMul", "n2 wu", "u0"),
        node("Add", "u0 bu", "u1"),
        node("Gelu", "u1", "u2"),
        node("MatMul", "u2 wd", "d0"),
        node("Add", "d0 bd", "d1"),
        node("Add", "d1 r1", "y"),
    ]
    shapes = {f"w{n}": (width, width) for n in "qkvo"} | {"wu": (width, 4 * width), "wd": (4 * width, width)}
    shapes |= {f"b{n}": (width,) for n in "qkvod"} | {"bu": (4 * width,), "g1": (width,), "o1": (width,)}
    shapes |= {"g2": (width,), "o3": (width,)}
    arrays = {name: weights(i, *shape) for i, (name, shape) in enumerate(shapes.items())}
    arrays |= {"root": np.float32(np.sqrt(per_head))}
    constants = {"split": _i64(1, tokens, heads, per_head), "join": _i64(1, tokens, width)}
    return build(nodes, (1, tokens, width), **arrays, **constants)


def _case(shape: tuple[int, ...], *nodes: Node, **arrays: Any) -> Callable[[], onnx.ModelProto]:
    return lambda: build(list(nodes), shape, **arrays)


def _pool(op: str, height: int, width: int, **attributes: Any) -> Callable[[], onnx.ModelProto]:
    return _case((1, 3, height, width), node(op, "x", "y", **attributes))


ONE = np.float32(1)
OPERATORS: dict[str, Callable[[], onnx.ModelProto]] = {
    "matmul": _case((5, 24), node("MatMul", "x w", "y"), w=weights(1, 24, 17)),
    "matmul_rank3": _case((2, 5, 24), node("MatMul", "x w", "y"), w=weights(1, 24, 17)),
    "matmul_wide": _case((1, 24), node("MatMul", "x w", "y"), w=weights(1, 24, 1100)),
    "matmul_self": _case((3, 4, 6), node("Transpose", "x", "t", perm=[0, 2, 1]), node("MatMul", "x t", "y")),
    "gemm": _case((5, 24), node("Gemm", "x w b", "y", transB=1), w=weights(1, 17, 24), b=weights(2, 17)),
    "gemm_scaled": _case(
        (24, 5), node("Gemm", "x w b", "y", alpha=0.5, beta=2.0, transA=1), w=weights(1, 24, 17), b=weights(2, 5, 17)
    ),
    "conv": _conv(3, 8, 3),
    "conv_padded": _conv(3, 8, 3, pads=[2, 1, 0, 1]),
    "conv_strided": _conv(4, 6, 3, strides=[2, 3], pads=[1, 1, 1, 1]),
    "conv_dilated": _conv(4, 6, 3, dilations=[2, 3], pads=[2, 3, 2, 3]),
    "conv_grouped": _conv(4, 6, 3, group=2),
    "conv_depthwise": _conv(6, 6, 3, group=6, pads=[1, 1, 1, 1]),
    "conv_pointwise": _conv(6, 10, 1),
    "conv_same": _conv(3, 5, 4, auto_pad="SAME_UPPER", strides=[2, 2]),
    "max_pool": _pool("MaxPool", 9, 8, kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1]),
    "max_pool_ceil": _pool("MaxPool", 8, 8, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    "avg_pool": _pool("AveragePool", 9, 9, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    "avg_pool_padded": _pool("AveragePool", 9, 9, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
    "avg_pool_ceil": _pool("AveragePool", 8, 8, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    "global_average_pool": _pool("GlobalAveragePool", 7, 6),
    "global_max_pool": _pool("GlobalMaxPool", 7, 6),
    "relu": _unary("Relu"),
    "leaky_relu": _unary("LeakyRelu", alpha=0.1),
    "sigmoid": _unary("Sigmoid"),
    "tanh": _unary("Tanh"),
    "exp": _unary("Exp"),
    "erf": _unary("Erf"),
    "gelu": _unary("Gelu"),
    "gelu_tanh": _unary("Gelu", approximate="tanh"),
    "hard_swish": _unary("HardSwish"),
    "sin": _unary("Sin"),
    "cos": _unary("Cos"),
    "tan": _unary("Tan"),
    "atan": _unary("Atan"),
    "sinh": _unary("Sinh"),
    "asinh": _unary("Asinh"),
    "softplus": _unary("Softplus"),
    "mish": _unary("Mish"),
    "pow": _case((3, 37), node("Abs", "x", "a"), node("Pow", "a p", "y"), p=np.float32(1.7)),
    "abs": _unary("Abs"),
    "neg": _unary("Neg"),
    "floor": _unary("Floor"),
    "round": _unary("Round"),
    "sqrt": _case((3, 37), node("Abs", "x", "a"), node("Sqrt", "a", "y")),
    "log": _case((3, 37), node("Abs", "x", "a"), node("Add", "a one", "b"), node("Log", "b", "y"), one=ONE),
    "reciprocal": _case((3, 37), node("Exp", "x", "a"), node("Reciprocal", "a", "y")),
    "add": _binary("Add", (2, 3, 5)),
    "add_row": _binary("Add", (5,)),
    "sub_column": _binary("Sub", (3, 1)),
    "mul_scalar": _binary("Mul", ()),
    "div": _binary("Div", (2, 3, 5)),
    "max": _binary("Max", (5,)),
    "min": _binary("Min", (2, 1, 1)),
    "clip": _case((3, 37), node("Clip", "x lo hi", "y"), lo=np.float32(-0.5), hi=np.float32(0.75)),
    "where": _case((3, 37), node("Greater", "x z", "c"), node("Where", "c x z", "y"), z=np.float32(0.25)),
    "softmax": _case((2, 3, 37), node("Softmax", "x", "y", axis=-1)),
    "softmax_long": _case((2, 1300), node("Softmax", "x", "y", axis=1)),
    "softmax_inner": _case((2, 7, 5), node("Softmax", "x", "y", axis=1)),
    "layer_norm": _case(
        (2, 3, 40), node("LayerNormalization", "x g b", "y", axis=-1), g=weights(1, 40), b=weights(2, 40)
    ),
    "layer_norm_two_axes": _case(
        (2, 3, 40), node("LayerNormalization", "x g b", "y", axis=1), g=weights(1, 3, 40), b=weights(2, 3, 40)
    ),
    "batch_norm": _case(
        (2, 6, 5, 4),
        node("BatchNormalization", "x s b m v", "y"),
        **dict(zip("sbm", weights(1, 3, 6), strict=True)),
        v=np.abs(weights(4, 6)) + ONE,
    ),
    "reduce_mean": _case((2, 3, 37), node("ReduceMean", "x a", "y", keepdims=1), a=_i64(-1)),
    "reduce_sum": _case((2, 3, 37), node("ReduceSum", "x a", "y", keepdims=0), a=_i64(2)),
    "reshape": _case((2, 3, 4), node("Reshape", "x s", "t"), node("Relu", "t", "y"), s=_i64(6, -1)),
    "reshape_only": _case((2, 3, 4), node("Reshape", "x s", "y"), s=_i64(4, 6)),
    "transpose": _case((2, 3, 4), node("Transpose", "x", "y", perm=[2, 0, 1])),
    "flatten": _case((2, 3, 4, 5), node("Flatten", "x", "y", axis=2)),
    "squeeze": _case(
        (2, 3), node("Unsqueeze", "x a", "u"), node("Relu", "u", "r"), node("Squeeze", "r a", "y"), a=_i64(1)
    ),
    "concat": _case((2, 3, 4), node("Relu", "x", "r"), node("Concat", "x r x", "y", axis=1)),
    "slice": _case((4, 6), node("Slice", "x s e", "y"), s=_i64(1, 2), e=_i64(3, 5)),
    "split": _case((3, 8), node("Split", "x", "a b", axis=1, num_outputs=2), node("Sub", "a b", "y")),
    "pad": _case((4, 6), node("Pad", "x p", "y"), p=_i64(1, 0, 2, 3)),
    "expand": _case((3, 1), node("Expand", "x s", "y"), s=_i64(2, 3, 4)),
    "cumulative_sum": _case((3, 700), node("CumSum", "x a", "y"), a=np.int64(1)),
    "cumulative_sum_reversed": _case((700, 3), node("CumSum", "x a", "y", reverse=1, exclusive=1), a=np.int64(0)),
    "top_k": _case((3, 40), node("TopK", "x k", "y i", axis=1), k=_i64(5)),
    "top_k_indices": _case(
        (3, 40), node("TopK", "x k", "v i", axis=1, largest=0), node("Cast", "i", "y", to=1), k=_i64(7)
    ),
    "gather": _case((6, 5), node("Gather", "x i", "y", axis=0), i=_i64(4, 0, -1, 4)),
    "gather_elements": _case(
        (3, 5), node("GatherElements", "x i", "y", axis=1), i=_i64(0, 4, -1, 2, 2, 1).reshape(3, 2)
    ),
    "gather_nd": _case((4, 5, 3), node("GatherND", "x i", "y"), i=_i64(3, 1, 0, 4).reshape(2, 2)),
    "scatter_elements": _case(
        (3, 5),
        node("ScatterElements", "x i u", "y", axis=1),
        i=_i64(0, 4, 3, 2, 2, 1).reshape(3, 2),
        u=weights(3, 3, 2),
    ),
    "scatter_nd": _case((4, 5), node("ScatterND", "x i u", "y"), i=_i64(3, 1).reshape(2, 1), u=weights(3, 2, 5)),
    "arg_max": _case((3, 40), node("ArgMax", "x", "i", axis=1), node("Cast", "i", "y", to=1)),
    "trilu": _case((5, 7), node("Trilu", "x", "y", upper=0)),
    "identity": _case((3, 5), node("Identity", "x", "y")),
}

NETWORKS: dict[str, Callable[[], onnx.ModelProto]] = {"mlp": mlp, "cnn": cnn, "transformer_block": transformer_block}
