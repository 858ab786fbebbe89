"""Mutants of small ONNX models: of their bytes, and of the messages in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from random import Random
from typing import Any

import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper

from tests.models.zoo import NETWORKS, OPERATORS, build, node

EXTREMES = (0, 1, -1, 2, 3, 7, -2, 64, 1 << 16, 1 << 31, (1 << 31) - 1, -(1 << 31), 1 << 40, (1 << 63) - 1, -(1 << 63))
NUMBERS = (0.0, -0.0, 1.0, -1.0, 1e-45, 1e38, float("inf"), float("-inf"), float("nan"))
OPS = (
    "Add Cast Concat Conv ConvTranspose Div Einsum Expand Flatten Gather Gemm Identity If LSTM Loop MatMul MaxPool Mod "
    "NonZero OneHot Pad Pow QuantizeLinear Range ReduceSum Relu Reshape Resize ScatterND Shape Slice Softmax Split "
    "Squeeze Tile TopK Transpose Unique Unsqueeze Where Nonsense"
)


@cache
def sources() -> list[bytes]:
    """The models that mutants are made from, in a fixed order."""
    models = [make() for _, make in sorted({**OPERATORS, **NETWORKS}.items())] + [branch()]
    return [bytes(model.SerializeToString()) for model in models]


def branch() -> ModelProto:
    """An If with two branches that read a value from around them."""
    graphs = [
        helper.make_graph(
            [node(op, "x", f"{op.lower()}_out")],
            op,
            [],
            [helper.make_tensor_value_info(f"{op.lower()}_out", TensorProto.FLOAT, (2, 3))],
        )
        for op in ("Relu", "Neg")
    ]
    nodes = [
        node("ReduceSum", "x", "s", keepdims=0),
        node("Greater", "s s", "c"),
        node("If", "c", "y", then_branch=graphs[0], else_branch=graphs[1]),
    ]
    return build(nodes, (2, 3))


def mutant(seed: int) -> bytes:
    """Mutant number `seed`."""
    random = Random(seed)
    source = random.choice(sources())
    if random.random() < 0.4:
        return _bytes(bytearray(source), random)
    model = onnx.load_model_from_string(source)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        if model.graph.node and model.graph.output:
            random.choice(CHANGES)(model, random)
    return bytes(model.SerializeToString())


def _bytes(data: bytearray, random: Random) -> bytes:
    for _ in range(random.choice((1, 1, 2, 4))):
        place, length = random.randrange(len(data)), random.choice((1, 2, 5, 20))
        kind = random.randrange(5)
        if kind == 0:
            data[place] = random.randrange(256)
        elif kind == 1:
            data[place] ^= 1 << random.randrange(8)
        elif kind == 2:
            del data[place : place + length]
        elif kind == 3:
            data[place:place] = data[place : place + length]
        else:
            start = random.randrange(len(data))
            data[place : place + length] = data[start : start + length]
        if not data:
            break
    return bytes(data)


def _attribute(model: ModelProto, random: Random) -> None:
    attributes = [a for n in model.graph.node for a in n.attribute]
    if not attributes:
        return _add_attribute(model, random)
    chosen = random.choice(attributes)
    if chosen.type == onnx.AttributeProto.INTS and random.random() < 0.3:
        values = list(chosen.ints)
        chosen.ints[:] = values[:-1] if random.random() < 0.5 else [*values, random.choice(EXTREMES)]
    elif chosen.type == onnx.AttributeProto.INTS and chosen.ints:
        chosen.ints[random.randrange(len(chosen.ints))] = random.choice(EXTREMES)
    elif chosen.type == onnx.AttributeProto.INT:
        chosen.i = random.choice(EXTREMES)
    elif chosen.type == onnx.AttributeProto.FLOAT:
        chosen.f = random.choice(NUMBERS)
    elif chosen.type == onnx.AttributeProto.STRING:
        chosen.s = random.choice((b"", b"SAME_LOWER", b"VALID", b"\xff", b"tanh"))
    else:
        chosen.type = random.randrange(15)
    return None


def _add_attribute(model: ModelProto, random: Random) -> None:
    name = random.choice(("axis", "group", "strides", "pads", "kernel_shape", "to", "keepdims", "perm", "alpha"))
    value: Any = random.choice((random.choice(EXTREMES), [random.choice(EXTREMES), 1], 0.5))
    random.choice(model.graph.node).attribute.append(helper.make_attribute(name, value))


def _op(model: ModelProto, random: Random) -> None:
    random.choice(model.graph.node).op_type = random.choice(OPS.split())


def _operand(model: ModelProto, random: Random) -> None:
    chosen = random.choice(model.graph.node)
    names = [*_values(model), "", "nothing"]
    if chosen.input and random.random() < 0.7:
        chosen.input[random.randrange(len(chosen.input))] = random.choice(names)
    elif random.random() < 0.5:
        chosen.input.append(random.choice(names))
    elif chosen.input:
        chosen.input.pop()


def _result(model: ModelProto, random: Random) -> None:
    chosen = random.choice(model.graph.node)
    if chosen.output and random.random() < 0.7:
        chosen.output[random.randrange(len(chosen.output))] = random.choice([*_values(model), "", "other"])
    else:
        chosen.output.append("more")


def _values(model: ModelProto) -> Iterator[str]:
    yield from (value.name for value in model.graph.input)
    yield from (tensor.name for tensor in model.graph.initializer)
    yield from (name for each in model.graph.node for name in each.output)


def _order(model: ModelProto, random: Random) -> None:
    nodes = [NodeProto.FromString(each.SerializeToString()) for each in model.graph.node]
    kind = random.randrange(3)
    if kind == 0:
        random.shuffle(nodes)
    elif kind == 1:
        nodes.append(random.choice(nodes))
    else:
        nodes.pop(random.randrange(len(nodes)))
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _shape(model: ModelProto, random: Random) -> None:
    value = random.choice([*model.graph.input, *model.graph.output])
    dims = value.type.tensor_type.shape.dim
    kind = random.randrange(4)
    if kind == 0:
        dims.add(dim_value=random.choice(EXTREMES))
    elif kind == 1 and dims:
        dims.pop()
    elif kind == 2 and dims:
        random.choice(dims).dim_param = random.choice(("n", "", "é"))
    elif dims:
        random.choice(dims).dim_value = random.choice(EXTREMES)


def _element_type(model: ModelProto, random: Random) -> None:
    value = random.choice([*model.graph.input, *model.graph.output])
    value.type.tensor_type.elem_type = random.randrange(30)


def _tensor(model: ModelProto, random: Random) -> None:
    if not model.graph.initializer:
        return
    tensor = random.choice(model.graph.initializer)
    kind = random.randrange(6)
    if kind == 0:
        tensor.data_type = random.randrange(30)
    elif kind == 1 and tensor.dims:
        tensor.dims[random.randrange(len(tensor.dims))] = random.choice(EXTREMES)
    elif kind == 2:
        tensor.raw_data = tensor.raw_data[: random.randrange(len(tensor.raw_data) + 1)]
    elif kind == 3:
        tensor.float_data.extend([1.0] * random.randrange(4))
    elif kind == 4 and tensor.raw_data:
        tensor.raw_data = random.randbytes(len(tensor.raw_data))
    else:
        tensor.name = random.choice([*_values(model)])


def _version(model: ModelProto, random: Random) -> None:
    kind = random.randrange(3)
    if kind == 0:
        model.opset_import[0].version = random.choice((*range(1, 30), -1, 1 << 62))
    elif kind == 1:
        model.ir_version = random.choice((0, 1, 3, 4, 99, -1))
    else:
        model.opset_import.add(domain=random.choice(("", "ai.onnx.ml", "com.microsoft")), version=random.choice((1, 2)))


def _integer_operand(model: ModelProto, random: Random) -> None:
    """An element of a constant that is an axis, an index or a size."""
    integers = [t for t in model.graph.initializer if t.data_type == TensorProto.INT64 and t.raw_data]
    if integers:
        tensor = random.choice(integers)
        place = 8 * random.randrange(len(tensor.raw_data) // 8)
        value = random.choice(EXTREMES).to_bytes(8, "little", signed=True) if random.random() < 0.8 else b"\x80" * 8
        tensor.raw_data = tensor.raw_data[:place] + value + tensor.raw_data[place + 8 :]


CHANGES: tuple[Callable[[ModelProto, Random], None], ...] = (
    _attribute, _attribute, _add_attribute, _op, _operand, _result, _order, _shape, _element_type, _tensor, _version,
    _integer_operand,
)  # fmt: skip
