"""RNN, GRU and LSTM beside onnxruntime: every direction, layout and option, short sequences and long ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

import tfmbs
from tfmbs.compiler.importers.rewrite.activations import ACTIVATIONS
from tfmbs.compiler.importers.rewrite.loops import MOST_ITERATIONS
from tfmbs.compiler.importers.rewrite.over_time import UNROLLED_STEPS

INPUT, HIDDEN, BATCH = 3, 4, 2
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def recurrent(op: str, steps: int, lengths: list[int] | None, initial: bool, **attributes: Any) -> Any:
    """A model of one recurrent node, all of its weights inputs, and seeded arrays for them."""
    ways = 2 if attributes.get("direction") == "bidirectional" else 1
    rows, first = GATES[op] * HIDDEN, attributes.get("layout", 0)
    state = (BATCH, ways, HIDDEN) if first else (ways, BATCH, HIDDEN)
    shapes: dict[str, tuple[int, ...]] = {
        "X": (BATCH, steps, INPUT) if first else (steps, BATCH, INPUT),
        "W": (ways, rows, INPUT), "R": (ways, rows, HIDDEN), "B": (ways, 2 * rows),
    }  # fmt: skip
    if initial:
        shapes |= {"H": state} | ({"C": state, "P": (ways, 3 * HIDDEN)} if op == "LSTM" else {})
    rng = np.random.default_rng(steps)
    arrays: dict[str, np.ndarray] = {k: (rng.standard_normal(s) / 2).astype(np.float32) for k, s in shapes.items()}
    if lengths is not None:
        arrays["L"] = np.array(lengths, np.int32)
    order = ["X", "W", "R", "B", "L", "H", *(["C", "P"] if op == "LSTM" else [])]
    outputs = ["Y", "Y_h", *(["Y_c"] if op == "LSTM" else [])]
    names = [name if name in arrays else "" for name in order]
    node = helper.make_node(op, names, outputs, hidden_size=HIDDEN, **attributes)
    kinds = {name: helper.np_dtype_to_tensor_dtype(array.dtype) for name, array in arrays.items()}
    graph = helper.make_graph(
        [node], "g",
        [helper.make_tensor_value_info(name, kinds[name], array.shape) for name, array in arrays.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), arrays


def agree(model: onnx.ModelProto, arrays: dict[str, np.ndarray]) -> None:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [value.name for value in model.graph.output]
    actual = tfmbs.compile(model).run(arrays)
    for name, expected in zip(names, session.run(names, arrays), strict=True):
        assert actual[name].shape == expected.shape
        np.testing.assert_allclose(actual[name], expected, rtol=1e-5, atol=1e-5, err_msg=name)


LONG = UNROLLED_STEPS + MOST_ITERATIONS


@pytest.mark.parametrize(
    ("op", "steps", "lengths", "initial", "attributes"),
    [
        ("RNN", 3, None, False, {}),
        (
            "RNN",
            3,
            [1, 3],
            True,
            {
                "direction": "bidirectional",
                "activations": ["Relu", "Affine"],
                "activation_alpha": [0.7],
                "activation_beta": [0.1],
            },
        ),
        ("RNN", LONG, [LONG, 9], True, {"direction": "reverse", "clip": 0.5}),
        ("GRU", 3, None, True, {"linear_before_reset": 1}),
        ("GRU", 4, [2, 4], True, {"direction": "bidirectional"}),
        ("GRU", LONG, None, False, {"linear_before_reset": 1, "direction": "reverse"}),
        ("LSTM", 3, None, True, {"clip": 0.7}),
        ("LSTM", 3, [3, 2], True, {"direction": "bidirectional"}),
        ("LSTM", 2, None, False, {"input_forget": 1, "activations": ["HardSigmoid", "Softsign", "Elu"]}),
        ("LSTM", LONG, [30, LONG], True, {}),
    ],
)
def test_beside_onnxruntime(op: str, steps: int, lengths: Any, initial: bool, attributes: dict[str, Any]) -> None:
    agree(*recurrent(op, steps, lengths, initial, **attributes))


def test_batch_first_is_a_transposition() -> None:
    """Onnxruntime has no layout 1 to compare with: the same node with time in front gives the same."""
    model, arrays = recurrent("LSTM", 3, None, True, layout=1)
    actual = tfmbs.compile(model).run(arrays)
    other, _ = recurrent("LSTM", 3, None, True)
    swapped = {name: array.swapaxes(0, 1) if name in "XHC" else array for name, array in arrays.items()}
    expected = tfmbs.compile(other).run({name: np.ascontiguousarray(array) for name, array in swapped.items()})
    np.testing.assert_array_equal(actual["Y"], expected["Y"].transpose(2, 0, 1, 3))
    for name in ("Y_h", "Y_c"):
        np.testing.assert_array_equal(actual[name], expected[name].swapaxes(0, 1))


def test_each_activation() -> None:
    """Three to a node, as those of an LSTM, each with parameters of its own."""
    names = sorted(ACTIVATIONS)
    for first in range(0, len(names), 3):
        three = (names + names)[first : first + 3]
        kinds = [ACTIVATIONS[name] for name in three]
        alphas = [0.3 + i / 4 for i, kind in enumerate(kinds) if kind.alpha is not None]
        betas = [0.2 + i / 4 for i, kind in enumerate(kinds) if kind.beta is not None]
        given = {"activation_alpha": alphas, "activation_beta": betas}
        agree(*recurrent("LSTM", 1, None, True, activations=three, **{k: v for k, v in given.items() if v}))


def test_unknown_activation_is_refused() -> None:
    model, _ = recurrent("RNN", 2, None, False, activations=["Swash"])
    with pytest.raises(tfmbs.TfmbsError, match=r"RNN.*activations"):
        tfmbs.compile(model)
