"""LSTM layers as one launch: the bits that they have written out, and what stays written out."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

import tfmbs
from tfmbs.compiler.api import lower
from tfmbs.compiler.jit import Reference
from tfmbs.passes.tfmbs_expand_lstm import WRITTEN_OUT_STEPS
from tfmbs.runtime.abi import target_file

Arrays = dict[str, np.ndarray]
INPUT, HIDDEN, BATCH = 5, 6, 2
OPERANDS = ("X", "W", "R", "B", "L", "H", "C", "P")
OUTPUTS = ("Y", "Y_h", "Y_c")


def model(given: str, steps: int = 3, outputs: str = "Y Y_h Y_c", **attributes: Any) -> tuple[onnx.ModelProto, Arrays]:
    """A node with these operands besides X, W and R; weights and biases are constants. Seeded inputs for it."""
    ways, first = 2 if attributes.get("direction") == "bidirectional" else 1, attributes.get("layout", 0)
    state = (BATCH, ways, HIDDEN) if first else (ways, BATCH, HIDDEN)
    rows = 4 * HIDDEN
    shapes = {
        "X": (BATCH, steps, INPUT) if first else (steps, BATCH, INPUT),
        "W": (ways, rows, INPUT), "R": (ways, rows, HIDDEN), "B": (ways, 2 * rows), "H": state, "C": state,
        "P": (ways, 3 * HIDDEN),
    }  # fmt: skip
    rng = np.random.default_rng(steps)
    arrays: Arrays = {name: (rng.standard_normal(s) / 2).astype(np.float32) for name, s in shapes.items()}
    arrays |= {"L": np.full(BATCH, steps, np.int32), "P": np.zeros(shapes["P"], np.float32)}
    present = {"X", "W", "R", *given}
    node = helper.make_node(
        "LSTM", [name if name in present else "" for name in OPERANDS],
        [name if name in outputs.split() else "" for name in OUTPUTS], hidden_size=HIDDEN, **attributes,
    )  # fmt: skip
    constants = present & {"W", "R", "B", "L", "P"}
    inputs = {name: arrays[name] for name in OPERANDS if name in present - constants}
    graph = helper.make_graph(
        [node], "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape) for name, array in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs.split()],
        [numpy_helper.from_array(arrays[name], name) for name in sorted(constants)],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), inputs


def run(node: onnx.ModelProto, inputs: Arrays, **options: Any) -> tuple[list[str], Arrays]:
    """Kinds of launches, and the outputs."""
    context = tfmbs.compile(node, **options).context()
    outputs = context.run(inputs)
    return [launch.kind for launch in context.stats.launches], outputs


def same(got: Arrays, expected: Arrays) -> None:
    assert list(got) == list(expected)
    for name, array in expected.items():
        assert got[name].tobytes() == array.tobytes(), name


@cache
def plain_target(folder: Path) -> str:
    """A target without the kernel."""
    text = (Path(target_file.__file__).parent / "targets" / "kpu-16x16.toml").read_text(encoding="utf-8")
    path = folder / "plain.toml"
    path.write_text(text.replace(', "lstm"', "").replace('"kpu-16x16"', '"kpu-plain"', 1), encoding="utf-8")
    return str(path)


LONG = WRITTEN_OUT_STEPS + 3
LAUNCHES: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ("", {}),
    "biased": ("B", {"outputs": "Y"}),
    "first-states": ("BHC", {"direction": "reverse"}),
    "first-cell": ("C", {"direction": "bidirectional", "outputs": "Y_h Y_c"}),
    "batch-first": ("BH", {"layout": 1, "direction": "bidirectional"}),
    "long": ("BL", {"steps": LONG, "activations": ["Sigmoid", "Tanh", "tanh"]}),
}


@pytest.mark.parametrize("name", LAUNCHES)
def test_one_launch_with_the_bits_of_many(name: str, tmp_path: Path) -> None:
    """As it is written out before import (peepholes of zeros make it so), and behind it, without the kernel."""
    given, rest = LAUNCHES[name]
    node, inputs = model(given, **rest)
    kinds, got = run(node, inputs)
    assert kinds.count("LSTM") == 1
    assert "GEMM" not in kinds
    written_out, _ = model(given + "P", **rest)
    kinds, expected = run(written_out, inputs)
    assert "LSTM" not in kinds
    same(got, expected)
    kinds, expected = run(node, inputs, target=plain_target(tmp_path))
    assert "LSTM" not in kinds
    same(got, expected)
    if "layout" not in rest:  # onnxruntime has none
        session = onnxruntime.InferenceSession(node.SerializeToString(), providers=["CPUExecutionProvider"])
        for output, array in zip(got, session.run(list(got), inputs), strict=True):
            np.testing.assert_allclose(got[output], array, rtol=1e-5, atol=1e-6, err_msg=output)


@pytest.mark.parametrize("level", ["tfmbs", "kernel", "fabric"])
def test_each_level_means_the_same(level: str) -> None:
    node, inputs = model("BHC", direction="bidirectional")
    _, expected = run(node, inputs)
    same(Reference(lower(node, level)).run(inputs), expected)


OTHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "peepholes": ("P", {}),
    "clipped": ("", {"clip": 0.3}),
    "coupled": ("", {"input_forget": 1}),
    "other-activation": ("", {"activations": ["HardSigmoid", "Tanh", "Tanh"]}),
    "one-other-activation": (
        "", {"direction": "bidirectional", "activations": ["Sigmoid", "Tanh", "Tanh", "Sigmoid", "Relu", "Tanh"]}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_other_forms_stay_as_they_are(name: str) -> None:
    given, rest = OTHERS[name]
    node, inputs = model(given, **rest)
    kinds, got = run(node, inputs)
    assert "LSTM" not in kinds
    session = onnxruntime.InferenceSession(node.SerializeToString(), providers=["CPUExecutionProvider"])
    for output, array in zip(got, session.run(list(got), inputs), strict=True):
        np.testing.assert_allclose(got[output], array, rtol=1e-5, atol=1e-6, err_msg=output)


def test_short_sequences_stay_as_they_are() -> None:
    node, inputs = model("L")
    del node.graph.initializer[[value.name for value in node.graph.initializer].index("L")]
    node.graph.input.append(helper.make_tensor_value_info("L", TensorProto.INT32, (BATCH,)))
    kinds, _ = run(node, {**inputs, "L": np.array([1, 3], np.int32)})
    assert "LSTM" not in kinds


@pytest.mark.parametrize(("steps", "whole"), [(3, False), (LONG, True)])
def test_quantized_weights(steps: int, whole: bool) -> None:
    """A short one is written out, so that its products take quantized weights; a long one stays f32."""
    node, inputs = model("B", steps)
    kinds, got = run(node, inputs, precision="int8", calibration=[inputs])
    assert ("LSTM" in kinds) == whole
    _, expected = run(node, inputs)
    for name, array in expected.items():
        np.testing.assert_allclose(got[name], array, atol=0 if whole else 0.02, err_msg=name)


def test_steps_of_run_time() -> None:
    """One launch for every number of steps, with the bits of a binary for that number."""
    node, _ = model("BH", direction="bidirectional")
    size = node.graph.input[0].type.tensor_type.shape.dim[0]
    size.ClearField("dim_value")
    size.dim_param = "steps"
    context = tfmbs.compile(node, dims={"steps": (2, LONG)}).context()
    for steps in (2, LONG):
        _, inputs = model("BH", steps, direction="bidirectional")
        got = context.run(inputs)
        assert [launch.kind for launch in context.stats.launches].count("LSTM") == 1
        same(got, run(node, inputs, dims={"steps": steps})[1])


@pytest.mark.parametrize(("name", "shape"), [("R", (1, 24, 7)), ("W", (1, 24, 4)), ("B", (1, 24))])
def test_shapes_that_do_not_fit_are_refused(name: str, shape: tuple[int, ...]) -> None:
    node, _ = model("B")
    constant = next(value for value in node.graph.initializer if value.name == name)
    constant.CopyFrom(numpy_helper.from_array(np.zeros(shape, np.float32), name))
    with pytest.raises(tfmbs.TfmbsError) as caught:
        tfmbs.compile(node)
    assert caught.value.code.startswith("onnx.")
    assert "LSTM" in str(caught.value)


class Stateful(torch.nn.Module):
    """A layer whose first states are inputs, and whose cells nobody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.LSTM(INPUT, HIDDEN)

    def forward(self, x: torch.Tensor, h: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        return self.layer(x, (h, c))[0]


def of_torch(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...], target: str) -> tuple[list[str], list[Any]]:
    context = tfmbs.compile(module, example_inputs=inputs, target=target).context()
    names = ("x", "h", "c") if isinstance(module, Stateful) else ("input",)
    outputs = context.run({name: x.numpy() for name, x in zip(names, inputs, strict=True)})
    return [launch.kind for launch in context.stats.launches], list(outputs.values())


TORCH: dict[str, tuple[Any, tuple[tuple[int, ...], ...], int]] = {
    "one": (lambda: torch.nn.LSTM(INPUT, HIDDEN), ((3, BATCH, INPUT),), 1),
    "layers": (
        lambda: torch.nn.LSTM(INPUT, HIDDEN, num_layers=2, bidirectional=True, batch_first=True),
        ((BATCH, 4, INPUT),),
        2,
    ),
    "long-without-bias": (lambda: torch.nn.LSTM(INPUT, HIDDEN, bias=False), ((LONG, BATCH, INPUT),), 1),
    "without-batch": (lambda: torch.nn.LSTM(INPUT, HIDDEN), ((3, INPUT),), 1),
    "states": (Stateful, ((3, BATCH, INPUT), (1, BATCH, HIDDEN), (1, BATCH, HIDDEN)), 1),
    "projected": (lambda: torch.nn.LSTM(INPUT, HIDDEN, proj_size=3), ((3, BATCH, INPUT),), 0),
}


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("name", TORCH)
def test_layers_of_pytorch(name: str, tmp_path: Path) -> None:
    """One launch a layer, with the bits of a target that has none; a projection stays written out."""
    make, shapes, launches = TORCH[name]
    torch.manual_seed(5)
    module, inputs = make().eval(), tuple(torch.randn(shape) for shape in shapes)
    kinds, got = of_torch(module, inputs, "kpu-16x16")
    assert kinds.count("LSTM") == launches
    plain_kinds, plain = of_torch(module, inputs, plain_target(tmp_path))
    assert "LSTM" not in plain_kinds
    expected = torch.utils._pytree.tree_leaves(module(*inputs))
    for ours, theirs, reference in zip(got, plain, expected, strict=True):
        assert ours.tobytes() == theirs.tobytes()
        np.testing.assert_allclose(ours, reference.detach().numpy(), rtol=1e-5, atol=1e-6)
