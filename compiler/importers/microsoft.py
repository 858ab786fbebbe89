"""Operators of com.microsoft that onnxruntime's quantizer writes, in terms of ONNX's own.

Each is what its description says: operands dequantized, the operator on floats, the result quantized. Products among
them become integer kernels like any other dequantized ones. Runs before shapes are known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper

DOMAIN = "com.microsoft"


class Expansion:
    """The nodes that stand for one."""

    def __init__(self, node: NodeProto, number: int) -> None:
        self.node = node
        self.name = node.name or f"{node.op_type}_{number}"
        self.prefix = f"{self.name}.{number}"
        self.nodes: list[NodeProto] = []

    def input(self, index: int) -> str:
        """The name of an operand, empty where it is left out."""
        return str(self.node.input[index]) if index < len(self.node.input) else ""

    def attributes(self, *without: str) -> dict[str, Any]:
        """The node's attributes but for these."""
        return {a.name: helper.get_attribute_value(a) for a in self.node.attribute if a.name not in without}

    def __call__(self, op: str, *inputs: str, result: str = "", **attributes: Any) -> str:
        """The result of an ONNX operator, whose last node is called like the one that it stands for."""
        name = result or f"{self.prefix}.{op}_{len(self.nodes)}"
        label = self.name if result else f"{self.name}.{op}_{len(self.nodes)}"
        given = list(inputs)
        while given and not given[-1]:
            given.pop()
        self.nodes.append(helper.make_node(op, given, [name], name=label, **attributes))
        return name

    def real(self, value: int, scale: int, zero_point: int, **attributes: Any) -> str:
        """Operand `value`, dequantized by the operands `scale` and `zero_point`."""
        return self("DequantizeLinear", self.input(value), self.input(scale), self.input(zero_point), **attributes)

    def give(self, value: str, scale: int, zero_point: int) -> None:
        """Makes `value`, quantized by two operands, the node's result."""
        scales = self.input(scale), self.input(zero_point)
        self("QuantizeLinear", value, *scales, result=self.node.output[0])


def _quantize(e: Expansion) -> None:
    e("QuantizeLinear", *e.node.input, result=e.node.output[0], **e.attributes())


def _dequantize(e: Expansion) -> None:
    e("DequantizeLinear", *e.node.input, result=e.node.output[0], **e.attributes())


def _binary(op: str) -> Callable[[Expansion], None]:
    def expand(e: Expansion) -> None:
        e.give(e(op, e.real(0, 1, 2), e.real(3, 4, 5)), 6, 7)

    return expand


def _unary(op: str, *without: str) -> Callable[[Expansion], None]:
    def expand(e: Expansion) -> None:
        e.give(e(op, e.real(0, 1, 2), **e.attributes("channels_last", *without)), 3, 4)

    return expand


def _where(e: Expansion) -> None:
    e.give(e("Where", e.input(0), e.real(1, 2, 3), e.real(4, 5, 6)), 7, 8)


def _concat(e: Expansion) -> None:
    parts = [e.real(first, first + 1, first + 2) for first in range(2, len(e.node.input), 3)]
    e.give(e("Concat", *parts, **e.attributes()), 0, 1)


def _gemm(e: Expansion) -> None:
    """QGemm: its bias is of i32, in units of the product of the scales."""
    attributes = e.attributes()
    weights = e.real(3, 4, 5, axis=0 if attributes.get("transB") else 1)
    operands = [e.real(0, 1, 2), weights]
    if e.input(6):
        operands.append(e("DequantizeLinear", e.input(6), e("Mul", e.input(1), e.input(4)), axis=-1))
    if e.input(7):
        e.give(e("Gemm", *operands, **attributes), 7, 8)
    else:
        e("Gemm", *operands, result=e.node.output[0], **attributes)


def _scaled(e: Expansion, a: str, zero_point: str, scale: str, weights: tuple[int, int, int], bias: str) -> None:
    """A product of integers times the scales of both, plus a bias of floats."""
    b, b_scale, b_zero = (e.input(index) for index in weights)
    sums = e("Cast", e("MatMulInteger", a, b, zero_point, b_zero), to=TensorProto.FLOAT)
    factor = e("Mul", scale, b_scale)
    result = e.node.output[0]
    if bias:
        e("Add", e("Mul", sums, factor), bias, result=result)
    else:
        e("Mul", sums, factor, result=result)


def _integer_to_float(e: Expansion) -> None:
    """MatMulIntegerToFloat: A, B, their scales, their zero points, a bias."""
    _scaled(e, e.input(0), e.input(4), e.input(2), (1, 3, 5), e.input(6))


def _dynamic_matmul(e: Expansion) -> None:
    """DynamicQuantizeMatMul: A, which is quantized first, B with its scale and zero point, a bias."""
    names = [f"{e.prefix}.{what}" for what in ("a", "scale", "zero_point")]
    e.nodes.append(helper.make_node("DynamicQuantizeLinear", [e.input(0)], names, name=f"{e.name}.quantize"))
    _scaled(e, names[0], names[2], names[1], (1, 2, 3), e.input(4))


_EXPANSIONS: dict[str, Callable[[Expansion], None]] = {
    "DequantizeLinear": _dequantize,
    "DynamicQuantizeMatMul": _dynamic_matmul,
    "MatMulIntegerToFloat": _integer_to_float,
    "QGemm": _gemm,
    "QLinearAdd": _binary("Add"),
    "QLinearAveragePool": _unary("AveragePool"),
    "QLinearConcat": _concat,
    "QLinearGlobalAveragePool": _unary("GlobalAveragePool"),
    "QLinearLeakyRelu": _unary("LeakyRelu"),
    "QLinearMul": _binary("Mul"),
    "QLinearSigmoid": _unary("Sigmoid"),
    "QLinearSoftmax": _unary("Softmax", "opset"),
    "QLinearWhere": _where,
    "QuantizeLinear": _quantize,
}

OPERATORS = frozenset(_EXPANSIONS)
"""The operators that are known here."""


def expand_microsoft(model: ModelProto) -> None:
    """Replaces what `OPERATORS` has, in place; other operators of the domain stay, to be refused."""
    own = {(function.domain, function.name) for function in model.functions}
    numbers = iter(range(1 << 62))
    for nodes in _all_nodes(model):
        expanded: list[NodeProto] = []
        for node in nodes:
            expanded += _expanded(node, next(numbers)) if (node.domain, node.op_type) not in own else [node]
        del nodes[:]
        nodes.extend(expanded)


def _expanded(node: NodeProto, number: int) -> Sequence[NodeProto]:
    if node.domain != DOMAIN or node.op_type not in _EXPANSIONS or not _is_plain(node):
        return [node]
    expansion = Expansion(node, number)
    _EXPANSIONS[node.op_type](expansion)
    return expansion.nodes


def _is_plain(node: NodeProto) -> bool:
    """Whether it has the layout that ONNX's operators have, as many operands as it must and one result."""
    channels_last = any(a.name == "channels_last" and a.i for a in node.attribute)
    enough = {"QGemm": 6, "QLinearAdd": 7, "QLinearMul": 7, "QLinearWhere": 8, "MatMulIntegerToFloat": 4}
    least = enough.get(node.op_type, 3 if node.op_type.startswith("Dynamic") else 2)
    return not channels_last and len(node.output) == 1 and len(node.input) >= least


def _all_nodes(model: ModelProto) -> Iterable[Any]:
    """The lists of nodes of a model: of its graph, its functions, and the graphs in attributes of nodes."""
    pending: list[Any] = [model.graph, *model.functions]
    for holder in pending:
        yield holder.node
        for node in holder.node:
            pending += [graph for attribute in node.attribute for graph in _graphs(attribute)]


def _graphs(attribute: AttributeProto) -> list[GraphProto]:
    return [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]
