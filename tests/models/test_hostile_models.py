"""ONNX models that are broken, or that no compiler wants to see: refused by name, or computed as onnxruntime does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import tfmbs
from tests.models.zoo import build, node
from tfmbs.compiler.importers.onnx import import_onnx
from tfmbs.compiler.importers.onnx_file import load_onnx
from tfmbs.dialect.mlir import context
from tfmbs.runtime.abi.errors import TfmbsError

F32, I64 = TensorProto.FLOAT, TensorProto.INT64
Model = onnx.ModelProto
Shape = Sequence[int | str]


def of(nodes: list[Any], *inputs: tuple[str, int, Shape], outputs: str = "y", opset: int = 21, **arrays: Any) -> Model:
    """A model with typed `inputs` (one f32 input x of 2×3 if none is given) and untyped `outputs`."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(*value) for value in inputs or [("x", F32, (2, 3))]],
        [onnx.ValueInfoProto(name=name) for name in outputs.split()],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def typed(model: Model, element: int = F32, shape: Shape | None = None) -> Model:
    """The model, whose outputs have this type."""
    for value in model.graph.output:
        value.CopyFrom(helper.make_tensor_value_info(value.name, element, shape))
    return model


def conv(shape: Shape = (1, 2, 8, 8), **attributes: Any) -> Model:
    return typed(of([node("Conv", "x w", "y", **attributes)], ("x", F32, shape), w=np.ones((3, 2, 2, 2), np.float32)))


def changed(change: Callable[[TensorProto], object]) -> Model:
    """x + c, where the tensor c of [3] was tampered with."""
    model = typed(of([node("Add", "x c", "y")], c=np.ones(3, np.float32)))
    change(model.graph.initializer[0])
    return model


def unpacked(tensor: TensorProto, *values: float, dims: Sequence[int] = (3,)) -> None:
    tensor.ClearField("raw_data")
    tensor.float_data.extend(values)
    tensor.dims[:] = dims


def reused(model: Model) -> Model:
    model.graph.output.append(model.graph.output[0])
    return model


def imported_again(model: Model) -> Model:
    model.opset_import.add(domain="", version=1)
    return model


def nested(depth: int) -> Model:
    """An If in an If in …"""
    model = typed(of([], ("x", F32, (2, 3)), ("c", TensorProto.BOOL, ())))
    graph = model.graph
    for level in range(depth):
        branch = graph.node.add(op_type="If", name=f"if_{level}", input=["c"], output=["y"])
        attribute = branch.attribute.add(name="then_branch", type=onnx.AttributeProto.GRAPH)
        graph = attribute.g
    return model


def typed_sum(element: int) -> Model:
    return typed(of([node("Add", "x x", "y")], ("x", element, (2, 3))), element)


def complex_constant() -> Model:
    value = numpy_helper.from_array(np.array([1 + 2j, 3], np.complex64))
    return typed(of([node("Constant", "", "c", value=value), node("ReduceL2", "c", "y")]))


def sequence_output() -> Model:
    model = of([node("SequenceConstruct", "x x", "y")])
    model.graph.output[0].CopyFrom(helper.make_tensor_sequence_value_info("y", F32, (2, 3)))
    return model


def build_without_inputs() -> Model:
    model = typed(of([node("Constant", "", "y", value=numpy_helper.from_array(np.ones(2, np.float32)))]))
    del model.graph.input[:]
    return model


RELU = [node("Relu", "x", "y")]
HUGE = np.array([1 << 36], np.int64)
REFUSED: dict[str, tuple[Callable[[], Model], str, str]] = {
    "cycle": (lambda: typed(of([node("Add", "x b", "a"), node("Relu", "a", "b"), node("Relu", "b", "y")])),
              "onnx.invalid", "node 'add_a' (Add): input 'b', expected a value that is computed before"),
    "used before": (lambda: typed(of([node("Relu", "b", "y"), node("Relu", "x", "b")])),
                    "onnx.invalid", "node 'relu_y' (Relu): input 'b'"),
    "value defined twice": (lambda: typed(of([*RELU, node("Neg", "x", "y")])), "onnx.invalid", "'y' has been used"),
    "input twice": (lambda: typed(of(RELU, ("x", F32, (2, 3)), ("x", F32, (2, 3)))), "onnx.invalid", "'x'"),
    "output twice": (lambda: reused(typed(of(RELU))), "onnx.unsupported", "output 'y': a value that is an out"),
    "output of nothing": (lambda: typed(of(RELU, outputs="z")), "onnx.invalid", "output 'z': origin"),
    "no outputs": (lambda: of(RELU, outputs=""), "onnx.invalid", "number of outputs, expected at least 1, got 0"),
    "empty": (Model, "onnx.invalid", "number of outputs"),
    "no node outputs": (lambda: typed(of([helper.make_node("Frob", [], [])])), "onnx.unsupported", "(Frob): unknown"),
    "negative size": (lambda: typed(of(RELU, ("x", F32, (-2, 3)))), "onnx.dim", "size of axis 0, expected no negative"),
    "size overflow": (lambda: typed(of(RELU, ("x", F32, (1 << 62, 3)))), "resource-limit", "shape of 'x'"),
    "huge constant": (
        lambda: typed(of([node("ConstantOfShape", "s", "z"), node("Add", "z x", "y")], ("x", F32, (1,)), s=HUGE)),
        "resource-limit", "node 'constantofshape_z' (ConstantOfShape): shape of 'z'"),
    "huge scratch": (
        lambda: typed(of([node("Expand", "x s", "z"), node("ReduceSum", "z", "y")], ("x", F32, (1,)), s=HUGE)),
        "resource-limit", "node 'expand_z' (Expand): shape of 'z'"),
    "zero stride": (lambda: conv(strides=[0, 0]), "onnx.invalid", "strides must only contain positive"),
    "zero group": (lambda: conv(group=0), "ir.verify", "conv_y: 'tfmbs.conv2d' op groups: expected at least 1, got 0"),
    "negative group": (lambda: conv(group=-1), "ir.verify", "conv_y: 'tfmbs.conv2d' op groups"),
    "odd group": (lambda: conv(group=3), "ir.verify", "conv_y: 'tfmbs.conv2d' op input channels: expected 6"),
    "negative pads": (lambda: conv(pads=[-1] * 4), "onnx.invalid", "pads must not contain negative values"),
    "huge pads": (lambda: conv(pads=[1 << 40] * 4), "resource-limit", "node 'conv_y' (Conv): shape of 'y'"),
    "window over the edge": (lambda: conv((1, 2, 1, 1)), "ir.verify", "conv_y: 'tfmbs.conv2d' op window height"),
    "short data": (lambda: changed(lambda t: setattr(t, "raw_data", t.raw_data[:8])), "onnx.invalid",
                   "tensor 'c': data, expected 12 bytes, got 8"),
    "few values": (lambda: changed(lambda t: unpacked(t, 1, 2)), "onnx.invalid", "expected 3 values, got 2"),
    "many values": (lambda: changed(lambda t: unpacked(t, 1, 2, 3, 4)), "onnx.invalid", "expected 3 values, got 4"),
    "raw and typed": (lambda: changed(lambda t: t.float_data.extend([1, 2, 3])), "onnx.invalid", "tensor name: c"),
    "a gigabyte of nothing": (lambda: changed(lambda t: unpacked(t, dims=(1 << 28,))), "onnx.invalid",
                              "tensor 'c': data, expected 268435456 values, got 0"),
    "negative tensor": (lambda: changed(lambda t: unpacked(t, dims=(-3,))), "onnx.invalid", "tensor 'c': dimension -3"),
    "unknown elements": (lambda: changed(lambda t: setattr(t, "data_type", 99)), "onnx.invalid", "element type 99"),
    "data elsewhere": (lambda: changed(lambda t: setattr(t, "data_location", TensorProto.EXTERNAL)),
                       "onnx.external-data", "tensor 'c': external data was not loaded"),
    "nested": (lambda: nested(2000), "onnx.parse", "depth of nesting, expected at most 100 messages"),
    "newer opset": (lambda: typed(of(RELU, opset=99)), "onnx.unsupported", "opset, expected at most"),
    "two opsets": (lambda: imported_again(typed(of(RELU))), "onnx.invalid", "opset imports, expected one for each"),
    "no opset": (lambda: typed(of(RELU, opset=0)), "onnx.unsupported", "node 'relu_y' (Relu): unknown op Relu"),
    "opset without inference": (lambda: typed(of(RELU, opset=1)), "onnx.unsupported", "output 'y': shape"),
    "unknown attribute": (lambda: typed(of([node("Relu", "x", "y", q=1)])), "onnx.invalid", "attribute: q"),
    "wrong attribute": (lambda: typed(of([node("Softmax", "x", "y", axis="a")])), "onnx.invalid", "softmax_y : axis"),
    "axis": (lambda: typed(of([node("Softmax", "x", "y", axis=7)])), "onnx.invalid", "softmax_y"),
    "attribute that is no text": (
        lambda: typed(of([node("Gelu", "x", "y", approximate=b"\xff")])),
        "onnx.parse", "text of field 's', expected UTF-8"),
    "outputs that are not there": (
        lambda: typed(of([node("Split", "x", "y z", axis=1, num_outputs=1 << 31)])),
        "onnx.invalid", "node 'split_y' (Split): num_outputs, expected 2, as there are, got 2147483648"),
    "fill of several elements": (
        lambda: typed(of([node("Pad", "x p x", "y")], p=np.array([1, 0, 2, 3]))),
        "onnx.unsupported", "pad_y: Pad: shape of the constant value, expected one element"),
    "random": (lambda: typed(of([node("RandomNormalLike", "x", "y")])), "onnx.unsupported", "randomnormallike_y"),
    "values as shape": (lambda: typed(of([node("NonZero", "x", "y")]), I64), "onnx.unsupported", "node 'nonzero_y'"),
    "sequence": (sequence_output, "onnx.unsupported", "output 'y': type, expected a tensor, got sequence"),
    "strings": (lambda: typed(of([node("Identity", "x", "y")], ("x", TensorProto.STRING, (2,))), TensorProto.STRING),
                "onnx.unsupported", "input 'x': element type, expected a real number or bool, got string"),
    "complex": (lambda: typed_sum(TensorProto.COMPLEX64), "onnx.unsupported", "input 'x': element type"),
    "complex constant": (complex_constant, "", "reducel2_y"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(name: str) -> None:
    make, code, message = REFUSED[name]
    with pytest.raises(TfmbsError) as caught:
        tfmbs.compile(make())
    text = str(caught.value)
    assert message in text
    assert "\n" not in text
    assert len(text) < 700
    assert caught.value.code.startswith(code)


def inputs_of(program: tfmbs.Program) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(3)
    return {
        value.name: np.asarray(generator.standard_normal(value.shape) * 2).astype(value.dtype)
        for value in program.inputs
    }


def assert_as_onnxruntime(model: Model) -> None:
    program = tfmbs.compile(model)
    given = inputs_of(program)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = dict(zip([value.name for value in session.get_outputs()], session.run(None, given), strict=True))
    got = program.run(given)
    assert list(got) == list(expected)
    for name, array in expected.items():
        assert (got[name].dtype, got[name].shape) == (array.dtype, array.shape)
        np.testing.assert_allclose(got[name], array, rtol=1e-4, atol=1e-5)


ONES = np.ones(3, np.float32)
INT32, BOOL = TensorProto.INT32, TensorProto.BOOL
ODD: dict[str, Callable[[], Model]] = {
    "an input is the output": lambda: typed(of([], outputs="x"), shape=(2, 3)),
    "a constant is the output": lambda: typed(of([], y=np.ones(2, np.float32)), shape=(2,)),
    "no inputs": build_without_inputs,
    "two outputs of one value": lambda: typed(of([*RELU, node("Identity", "y", "z")], outputs="y z")),
    "unused input": lambda: typed(of(RELU, ("x", F32, (2, 3)), ("q", F32, (4,)))),
    "input with a default": lambda: typed(of([node("Add", "x d", "y")], ("x", F32, (2, 3)), ("d", F32, (3,)), d=ONES)),
    "unused complex tensor": lambda: typed(of(RELU, c=np.ones(2, np.complex64))),
    "empty concatenation": lambda: typed(of([node("Concat", "x e", "y", axis=0)], e=np.zeros((0, 3), np.float32))),
    "names": lambda: typed(
        of([helper.make_node("Relu", ['a\n"%\\'], ["ü\0"])], ('a\n"%\\', F32, (2, 3)), outputs="ü\0")
    ),
    "i32": lambda: typed(of([node("Mul", "x c", "y")], ("x", INT32, (2, 3)), c=np.array([1, -2, 3], np.int32)), INT32),
    "bool": lambda: typed(of([node("And", "x z", "y")], ("x", BOOL, (2, 3)), ("z", BOOL, (3,))), BOOL),
    "select": lambda: typed(
        of([node("Where", "c x z", "y")], ("c", BOOL, (3,)), ("x", F32, (2, 3)), ("z", F32, (2, 1)))
    ),
    "opset 7": lambda: typed(
        of([node("BatchNormalization", "x s s s s", "y")], ("x", F32, (1, 2, 4, 4)), opset=7, s=ONES[:2])
    ),
    "f16": lambda: typed_sum(TensorProto.FLOAT16),
    "f64": lambda: typed_sum(TensorProto.DOUBLE),
    "i64": lambda: typed_sum(I64),
    "u8": lambda: typed(
        of([node("Max", "x c", "y")], ("x", TensorProto.UINT8, (2, 3)), c=np.array([0, 100, 200], np.uint8)),
        TensorProto.UINT8,
    ),
    "sums on the way": lambda: typed(of([node("CumSum", "x a", "y")], a=np.int64(0))),
    "the largest": lambda: typed(of([node("TopK", "x k", "y i")], k=np.array([1]))),
    "places": lambda: typed(of([node("Gather", "x i", "y")], i=np.array([1, 0]))),
    "weights given at run time": lambda: typed(
        of([node("Conv", "x w", "y")], ("x", F32, (1, 2, 4, 4)), ("w", F32, (3, 2, 2, 2)))
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_odd_models_compute_what_onnxruntime_computes(name: str) -> None:
    assert_as_onnxruntime(ODD[name]())


@pytest.mark.parametrize("op", ["Max x c", "Min x c", "Clip x c", "Clip x - c", "Clip x c d", "Relu x", "Max x x"])
def test_nan_passes_through_maxima_and_bounds_as_in_onnxruntime(op: str) -> None:
    kind, _, inputs = op.partition(" ")
    model = typed(of([node(kind, inputs, "y")], ("x", F32, (6,)), c=np.float32(-1), d=np.float32(1)))
    x = np.array([np.nan, 3e38, -3e38, -2, 0.5, 2], np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    np.testing.assert_array_equal(tfmbs.compile(model).run({"x": x})["y"], session.run(None, {"x": x})[0])


def test_batch_of_seven() -> None:
    program = tfmbs.compile(typed(of(RELU, ("x", F32, ("n", 3)))), dims={"n": 7})
    x = np.random.default_rng(0).standard_normal((7, 3)).astype(np.float32)
    np.testing.assert_array_equal(program.run({"x": x})["y"], np.maximum(x, 0))


def test_mutated_models_are_refused_or_computed_as_onnxruntime_does(tmp_path: Any) -> None:
    """150 mutants of a small model; those that the importer takes differ little, so that a few of them are run."""
    weights = np.array([[1, -2], [3, 0.5]], np.float32)
    good = build([node("Gemm", "x w", "h", transB=1), node("Relu", "h", "y")], (2, 2), w=weights).SerializeToString()
    generator, path = np.random.default_rng(11), tmp_path / "m.onnx"
    outcomes = {"parse": 0, "import": 0, "run": 0, "taken": 0}
    for _ in range(150):
        mutant = bytearray(good)
        for position in generator.integers(0, len(good), generator.integers(1, 3)):
            mutant[position] = generator.integers(0, 256)
        path.write_bytes(mutant)
        outcomes[outcome(path, run=outcomes["run"] < 8)] += 1
    assert min(outcomes.values()) > 5, outcomes


def outcome(path: Any, run: bool) -> str:
    """How far the model at `path` gets; anything but a TfmbsError or a right result fails."""
    try:
        model = load_onnx(path)
    except TfmbsError:
        return "parse"
    try:
        import_onnx(model, context=context())
        program = tfmbs.compile(model) if run else None
    except TfmbsError:
        return "import"
    small = program and all(np.prod(value.shape) < 1 << 16 for value in (*program.inputs, *program.outputs))
    if not program or not small:
        return "taken"
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    except Exception:  # onnxruntime's many error types: it refuses names and versions that mean nothing to us
        return "taken"
    given = inputs_of(program)
    for value, expected in zip(program.outputs, session.run(None, given), strict=True):
        np.testing.assert_allclose(program.run(given)[value.name], expected, rtol=1e-4, atol=1e-5)
    return "run"


def test_a_layer_far_from_zero_is_normalized_as_exactly_as_f32_allows() -> None:
    """The mean of squares minus the square of the mean would have no digit left here."""
    model = build([node("LayerNormalization", "x g", "y", axis=-1)], (2, 40), g=np.ones(40, np.float32))
    x = (1000 + np.random.default_rng(0).standard_normal((2, 40))).astype(np.float32)
    wide = x.astype(np.float64)
    expected = (wide - wide.mean(1, keepdims=True)) / np.sqrt(wide.var(1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(tfmbs.compile(model).run({"x": x})["y"], expected, atol=5e-4)
