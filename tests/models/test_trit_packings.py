"""Trits in rows of more than numbers, from the graph to the binary: all levels compute the same, damage is refused."""

from __future__ import annotations

import numpy as np
import pytest

from tfmbs.compiler.compilation import Compilation, Options
from tfmbs.compiler.jit import Reference
from tfmbs.dialect import graph
from tfmbs.dialect.attributes import NAME
from tfmbs.dialect.mlir import arith, context, func, ir
from tfmbs.dialect.resources import resource_attr
from tfmbs.dialect.shapes import tensor_type
from tfmbs.dialect.types import packed_shape, ternary
from tfmbs.runtime.abi.errors import TfmbsError
from tfmbs.runtime.abi.image import Image
from tfmbs.runtime.abi.packing import pack_rows
from tfmbs.runtime.abi.records import Kind
from tfmbs.runtime.abi.types import SPARSE, Packing, most_nonzeros
from tfmbs.runtime.program import Program

RANDOM = np.random.default_rng(5)


def trits(packing, shape):
    """Any trits, or rows as full as the packing holds, and emptier ones."""
    row = int(np.prod(shape[1:]))
    if packing not in SPARSE:
        return RANDOM.integers(-1, 2, shape).astype(np.int8)
    values = np.zeros((shape[0], row), np.int8)
    for number, line in enumerate(values):
        places = RANDOM.permutation(row)[: max(0, most_nonzeros(packing, row) - number)]
        line[places] = RANDOM.choice([-1, 1], places.size)
    return values.reshape(shape)


def matmul(x, weights):
    return graph.matmul(x, weights).result


def conv(x, weights):
    return graph.conv2d(x, weights, pads=(1, 1, 1, 1)).result


def groups(x, weights):
    scales = np.linspace(0.1, 0.9, 8, dtype=np.float32).reshape(4, 2)
    attribute = resource_attr(scales, "scales")
    return graph.group_matmul(x, weights, arith.ConstantOp(attribute.type, attribute).result, "absmax").result


CASES = {
    "matmul": (matmul, (3, 330), (70, 330)),
    "conv": (conv, (1, 3, 5, 6), (4, 3, 3, 3)),
    "groups": (groups, (3, 42), (8, 21)),
}


def module(build, x_shape, values, packing, x_type="f32"):
    """A function of one launch with packed weights, of which there may be a list."""
    arrays = values if isinstance(values, list) else [values]
    with context(), ir.Location.unknown():
        result = ir.Module.create()
        with ir.InsertionPoint(result.body):
            x = tensor_type(x_shape, ir.Type.parse(x_type))
            function = func.FuncOp("main", ([x], []))
            function.arg_attrs = [ir.DictAttr.get({NAME: ir.StringAttr.get("x")})]
            with ir.InsertionPoint(function.add_entry_block()) as point:
                weights = []
                for index, array in enumerate(arrays):
                    stored = pack_rows(array.reshape(len(array), -1), packing).view(np.int8)
                    attribute = resource_attr(stored.reshape(packed_shape(array.shape, packing)), f"w{index}")
                    weights.append(graph.constant(attribute, array.shape, ternary(packing)).result)
                built = build(point.block.arguments[0], *weights)
                results = built if isinstance(built, list) else [built]
                func.ReturnOp(results)
            signature = ir.FunctionType.get([x], [y.type for y in results])
            function.attributes["function_type"] = ir.TypeAttr.get(signature)
            names = ["y", *(f"y{index}" for index in range(1, len(results)))]
            named = [ir.DictAttr.get({NAME: ir.StringAttr.get(name)}) for name in names]
            function.attributes["res_attrs"] = ir.ArrayAttr.get(named)
    return result


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("packing", [Packing.S2, Packing.S4, Packing.R5, Packing.A5], ids=lambda packing: packing.name)
def test_every_level_gives_the_same_bytes(tmp_path, packing, case):
    build, x_shape, shape = CASES[case]
    values = trits(packing, shape)
    inputs = {"x": RANDOM.standard_normal(x_shape).astype(np.float32)}
    outputs = {}
    for level in ("tfmbs", "kernel", "fabric"):
        made = Compilation(module(build, x_shape, values, packing), "tfmbs", Options(start="tfmbs"))
        outputs[level] = Reference(made.lower(level)).run(inputs)["y"]
    program = Program(Compilation(module(build, x_shape, values, packing), "tfmbs", Options(start="tfmbs")).image())
    assert packing in [row["packing"] for row in program.image.tensors]
    ours = program.run(inputs)["y"]
    assert np.abs(ours).max() > 0
    for output in outputs.values():
        assert output.tobytes() == ours.tobytes()
    if case == "matmul":
        np.testing.assert_allclose(ours, inputs["x"] @ values.T.astype(np.float32), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rows", [(5, 66, 1), (64, 128)], ids=str)
@pytest.mark.parametrize("packing", [Packing.S2, Packing.R5, Packing.A5], ids=lambda packing: packing.name)
def test_rows_of_a_fused_launch_are_stacked(packing, rows):
    """In the order of the launch, whatever filled the rows of each up."""
    parts = [trits(packing, (count, 330)) for count in rows]
    order = [*range(1, len(parts)), 0]

    def fused(x, *weights):
        return list(graph.fused_gemv(x, list(weights), order).operation.results)

    x = RANDOM.integers(-9, 9, (1, 330)).astype(np.float32)
    program = Program(Compilation(module(fused, (1, 330), parts, packing), "tfmbs", Options(start="tfmbs")).image())
    (launch,) = [row for row in program.image.descriptors if row["kind"] == Kind.GEMV]
    tensor = program.image.tensors[launch["rhs"]]
    assert (tensor["packing"], tensor["dims"][:2]) == (packing, (sum(rows), 330))
    results = program.run({"x": x}).values()
    for result, part in zip(results, parts, strict=True):
        assert result.tobytes() == (x @ part.astype(np.float32).T).tobytes()


def test_wrong_rows_are_refused_at_load():
    values = trits(Packing.S4, (5, 70))
    image = Compilation(module(matmul, (3, 70), values, Packing.S4), "tfmbs", Options(start="tfmbs")).image()
    (row,) = [row for row in image.tensors if row["packing"] == Packing.S4]
    for byte, what in ((0, "has more than 18 trits"), (8, "flags more trits"), (11, "has signs of no trit")):
        weights = bytearray(image.weights)
        first = row["offset"] + (12 * 2 if byte == 11 else 0)  # the third row has two signs fewer than it could
        weights[first + byte] = 255
        with pytest.raises(TfmbsError, match=what):
            Image.from_buffer(with_weights(image, weights))


def test_wrong_residues_are_refused_at_load():
    values = trits(Packing.R5, (5, 70))
    image = Compilation(module(matmul, (3, 70), values, Packing.R5), "tfmbs", Options(start="tfmbs")).image()
    (row,) = [row for row in image.tensors if row["packing"] == Packing.R5]
    # 20 is no residue; 0 are trits of -1 where the row has none: from its second digit on, from byte 6.
    for byte, value, what in ((3 * 64 + 2, 20, "byte 194 of packed trits"), (2 * 64 + 6, 0, "padding of row 2")):
        weights = bytearray(image.weights)
        weights[row["offset"] + byte] = value
        with pytest.raises(TfmbsError, match=what):
            Image.from_buffer(with_weights(image, weights))


def test_wrong_rows_side_by_side_are_refused_at_load():
    values = trits(Packing.A5, (5, 70))
    image = Compilation(module(matmul, (3, 70), values, Packing.A5), "tfmbs", Options(start="tfmbs")).image()
    (row,) = [row for row in image.tensors if row["packing"] == Packing.A5]
    # 0 is no code; 1 are trits of -1 where the row has none: from its second digit on, from byte 6.
    # 213 are a trit of 1, where rows of 70 have one, and zeros.
    for line, place, value, what in (
        (3, 2, 0, "byte 194 of packed trits"),
        (6, 2, 1, "padding of row 2"),
        (1, 17, 213, "row 5, which is padding"),
    ):
        weights = bytearray(image.weights)
        weights[row["offset"] + 64 * line + place] = value
        with pytest.raises(TfmbsError, match=what):
            Image.from_buffer(with_weights(image, weights))


def with_weights(image, weights):
    """The bytes of an image with other weights."""
    original, image.weights = image.weights, bytes(weights)
    try:
        return image.to_bytes()
    finally:
        image.weights = original
