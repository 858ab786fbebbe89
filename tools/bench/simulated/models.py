"""The ONNX models of the simulator's suites, with their inputs: small, seeded, written by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tfmbs.tools.bench.onnx_products import IR_VERSION, MICROSOFT, OPSET, products, tokens
from tfmbs.tools.bench.problem import SEED, TYPES, Array, Shape, drawn

ELEMENT = {
    np.dtype(np.float32): TensorProto.FLOAT,
    np.dtype(np.int8): TensorProto.INT8,
    np.dtype(np.uint8): TensorProto.UINT8,
    np.dtype(np.int32): TensorProto.INT32,
}


DYNAMIC = {"precision": "int8", "quantization": {"activations": "dynamic"}}
"""Options of `tfmbs.compile` by which products of f32 have int8 weights, and rows that become int8 on the way."""


@dataclass(frozen=True)
class Model:
    """An ONNX model and an input for each of its inputs."""

    onnx: onnx.ModelProto
    inputs: Mapping[str, Array]


@dataclass
class Graph:
    """A model in the making: values are names; constants are drawn from one seeded sequence."""

    inputs: dict[str, Array] = field(default_factory=dict)
    _nodes: list[onnx.NodeProto] = field(default_factory=list)
    _constants: list[onnx.TensorProto] = field(default_factory=list)
    _rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(SEED))

    def input(self, name: str, array: Array) -> str:
        """An input, and what it is run on."""
        self.inputs[name] = array
        return name

    def floats(self, *shape: int, scale: float = 1.0) -> Array:
        """Normally distributed f32."""
        drawn: Array = self._rng.standard_normal(shape, np.float32) * np.float32(scale)
        return drawn

    def integers(self, *shape: int, low: int = -127, high: int = 127) -> Array:
        """i8 between two ends, both included."""
        drawn: Array = self._rng.integers(low, high + 1, shape, np.int8)
        return drawn

    def constant(self, array: Any) -> str:
        """A constant."""
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def add(self, op: str, *inputs: str, count: int = 1, domain: str = "", **attributes: Any) -> Any:
        """The outputs of a node: a name, or a list of `count`."""
        names = [f"v{len(self._nodes)}_{index}" for index in range(count)]
        self._nodes.append(helper.make_node(op, list(inputs), names, name=names[0], domain=domain, **attributes))
        return names[0] if count == 1 else names

    def model(self, *outputs: str) -> Model:
        """The whole; shapes and types of outputs are found by ONNX's own inference."""
        given = [helper.make_tensor_value_info(k, ELEMENT[a.dtype], a.shape) for k, a in self.inputs.items()]
        results = [onnx.ValueInfoProto(name=name) for name in outputs]
        graph = helper.make_graph(self._nodes, "workload", given, results, self._constants)
        domains = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        made = helper.make_model(graph, opset_imports=domains, ir_version=IR_VERSION)
        inferred = onnx.shape_inference.infer_shapes(made, strict_mode=True)
        return Model(inferred, self.inputs)


# --- products ---------------------------------------------------------------------------------------------------------


def product(kind: str, m: int, n: int, k: int, after: Sequence[str] = ()) -> Model:
    """x (m×k) · w (k×n), of ``int8``, ``ternary`` (trits and i8; both give i32) or ``f32``.

    `after` are operations on each result: ``bias``, ``residual``, ``requantize`` (to i8, of integers), or an ONNX op of
    one input.
    """
    g = Graph()
    if kind == "f32":
        x = g.input("x", g.floats(m, k))
        y = g.add("MatMul", x, g.constant(g.floats(k, n, scale=k**-0.5)))
    else:
        limit = 1 if kind == "ternary" else 127
        x = g.input("x", g.integers(m, k, low=-128))
        y = g.add("MatMulInteger", x, g.constant(g.integers(k, n, low=-limit, high=limit)))
    for number, op in enumerate(after):
        y = _after(g, y, op, (m, n), f"r{number}")
    return g.model(y)


def _after(g: Graph, y: str, op: str, shape: tuple[int, int], name: str) -> str:
    if op == "bias":
        return str(g.add("Add", y, g.constant(g.floats(shape[1]))))
    if op == "residual":
        return str(g.add("Add", y, g.input(name, g.floats(*shape))))
    if op == "requantize":
        scaled = g.add("Mul", g.add("Cast", y, to=TensorProto.FLOAT), g.constant(np.float32(1e-3)))
        zero = g.constant(np.int8(0))
        return str(g.add("QuantizeLinear", scaled, g.constant(np.float32(1.0)), zero))
    return str(g.add(op, y))


def grouped(m: int, n: int, k: int) -> Model:
    """x (m×k) of f32 times int4 weights, of which every 32 of a row share a scale."""
    problem = drawn(TYPES["int4"], Shape(n, k), m)
    return Model(products(problem, 1), tokens(problem))


def chain(launches: int, size: int) -> Model:
    """As many products of f32 as `launches`, size×size, each of the results of the one before."""
    g = Graph()
    y = g.input("x", g.floats(size, size))
    for _ in range(launches):
        y = g.add("MatMul", y, g.constant(g.floats(size, size, scale=size**-0.5)))
    return g.model(y)


# --- convolutions -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Window:
    """A convolution of a square image: channels in and out, its side, and the kernel's, stride, groups."""

    channels: int
    filters: int
    side: int
    kernel: int
    stride: int = 1
    groups: int = 1

    def __str__(self) -> str:
        what = "depthwise " if self.groups == self.channels > 1 else ""
        stride = f", stride {self.stride}" if self.stride > 1 else ""
        return f"{what}{self.kernel}×{self.kernel} {self.channels}→{self.filters}, {self.side}²{stride}"


def convolution(kind: str, window: Window, after: Sequence[str] = ()) -> Model:
    """A convolution of ``int8`` (i8 to i32) or ``f32`` with "same" padding."""
    g, w = Graph(), window
    shape = (w.filters, w.channels // w.groups, w.kernel, w.kernel)
    pad = w.kernel // 2
    how: dict[str, Any] = {
        "kernel_shape": [w.kernel] * 2,
        "strides": [w.stride] * 2,
        "pads": [pad] * 4,
        "group": w.groups,
    }
    if kind == "f32":
        x = g.input("x", g.floats(1, w.channels, w.side, w.side))
        weights = g.constant(g.floats(*shape, scale=float(np.prod(shape[1:])) ** -0.5))
        y = g.add("Conv", x, weights, *([g.constant(g.floats(w.filters))] if "bias" in after else []), **how)
    else:
        x = g.input("x", g.integers(1, w.channels, w.side, w.side, low=-128))
        y = g.add("ConvInteger", x, g.constant(g.integers(*shape)), **how)
    for op in after:
        if op != "bias":
            y = _after(g, y, op, (0, 0), "r")
    return g.model(y)


# --- transformers -----------------------------------------------------------------------------------------------------


def feed_forward(rows: int, width: int, hidden: int) -> Model:
    """f32: two products with biases, GELU between them."""
    g = Graph()
    x = g.input("x", g.floats(rows, width))
    h = _linear(g, x, width, hidden)
    return g.model(_linear(g, g.add("Gelu", h), hidden, width))


def feed_forward_int8(rows: int, width: int, hidden: int) -> Model:
    """i8 to i8, as ONNX Runtime quantizes to operators: QLinearMatMul to i8, then bias and GELU in f32."""
    g = Graph()
    grid = g.constant(np.float32(1 / 16)), g.constant(np.int8(0))
    h = _linear_int8(g, g.input("x", g.integers(rows, width)), grid, width, hidden)
    h = g.add("QuantizeLinear", g.add("Gelu", h), *grid)
    return g.model(g.add("QuantizeLinear", _linear_int8(g, h, grid, hidden, width), *grid))


def _linear_int8(g: Graph, x: str, grid: tuple[str, str], inputs: int, outputs: int) -> str:
    """x of i8 to f32; `grid` are scale and zero point of x and of the product."""
    weights = g.constant(g.integers(inputs, outputs)), g.constant(np.float32(inputs**-0.5 / 64)), grid[1]
    product = g.add("DequantizeLinear", g.add("QLinearMatMul", x, *grid, *weights, *grid), *grid)
    return str(g.add("Add", product, g.constant(g.floats(outputs))))


def attention_block(rows: int, width: int, heads: int) -> Model:
    """f32: projections to queries, keys and values, attention of `heads`, and the projection of its result."""
    g = Graph()
    x = g.input("x", g.floats(1, rows, width))
    each = width // heads
    shape = g.constant(np.array([1, rows, heads, each], np.int64))
    q, k, v = (g.add("Reshape", _linear(g, x, width, width), shape) for _ in range(3))
    q, v = (g.add("Transpose", one, perm=[0, 2, 1, 3]) for one in (q, v))
    scores = g.add("MatMul", q, g.add("Transpose", k, perm=[0, 2, 3, 1]))
    scores = g.add("Mul", scores, g.constant(np.float32(each**-0.5)))
    y = g.add("MatMul", g.add("Softmax", scores, axis=-1), v)
    y = g.add("Reshape", g.add("Transpose", y, perm=[0, 2, 1, 3]), g.constant(np.array([1, rows, width], np.int64)))
    return g.model(_linear(g, y, width, width))


def _linear(g: Graph, x: str, inputs: int, outputs: int) -> str:
    y = g.add("MatMul", x, g.constant(g.floats(inputs, outputs, scale=inputs**-0.5)))
    return str(g.add("Add", y, g.constant(g.floats(outputs))))


# --- vector code, recurrent layers ------------------------------------------------------------------------------------


def network(name: str, size: str) -> Model:
    """A reference network of a checkout, ``FULL`` or ``SMALL``, as torch.onnx.export writes it.

    Raises TfmbsError `install` where there is no checkout.
    """
    from tfmbs.tools.bench.networks import reference

    subject = reference(name, size)
    return Model(subject.model, subject.inputs)


def vector(op: str, rows: int, columns: int) -> Model:
    """Vector code on rows of f32: ``Softmax``, ``LayerNormalization``, ``Add`` (of two arrays), or an op of one."""
    g = Graph()
    x = g.input("x", g.floats(rows, columns))
    if op == "Softmax":
        return g.model(g.add(op, x, axis=-1))
    if op == "LayerNormalization":
        return g.model(g.add(op, x, g.constant(g.floats(columns)), g.constant(g.floats(columns)), axis=-1))
    if op == "Add":
        return g.model(g.add(op, x, g.input("z", g.floats(rows, columns))))
    return g.model(g.add(op, x))


def lstm(steps: int, batch: int, width: int, hidden: int) -> Model:
    """An LSTM layer of f32, one way."""
    g = Graph()
    x = g.input("x", g.floats(steps, batch, width))
    weights = [g.constant(g.floats(1, 4 * hidden, size, scale=size**-0.5)) for size in (width, hidden)]
    outputs = g.add("LSTM", x, *weights, g.constant(g.floats(1, 8 * hidden)), count=3, hidden_size=hidden)
    return g.model(outputs[0])
