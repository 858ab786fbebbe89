"""Vector programs with run-time sizes: one form of code, the bytes of the static compilation, onnxruntime's numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import tfmbs

RNG = np.random.default_rng(8)
WIDTH, TABLE, HEADS, HEAD = 24, 200, 2, 8  # a table of so many rows is no small constant
F32, I64 = TensorProto.FLOAT, TensorProto.INT64
Ends = Sequence[tuple[str, int, Sequence[str | int]]]
node = helper.make_node


@dataclass(frozen=True)
class Case:
    """A model with a dimension `n`, its range, sizes to look at, and how many pieces the range may be cut into."""

    model: onnx.ModelProto
    sizes: Sequence[int]
    low: int = 1
    pieces: int = 2


def onnx_model(nodes: Sequence[onnx.NodeProto], inputs: Ends, outputs: str, **constants: np.ndarray) -> onnx.ModelProto:
    ends = [helper.make_tensor_value_info(*end) for end in inputs]
    results = [helper.make_tensor_value_info(name, 0, None) for name in outputs.split()]
    for result in results:
        result.ClearField("type")
    weights = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "graph", ends, results, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def reductions() -> onnx.ModelProto:
    """Along the run-time dimension: sums and their mean, whose divisor depends on the size, extremes, a softmax."""
    nodes = [
        node("ReduceSum", ["x", "axis"], ["sum"]),
        node("ReduceMean", ["x", "axis"], ["mean"], keepdims=0),
        node("ReduceMax", ["x", "axis"], ["max"]),
        node("ArgMax", ["x"], ["best"], axis=1),
        node("Softmax", ["x"], ["soft"], axis=1),
        node("Softmax", ["x"], ["rows"], axis=2),
    ]
    return onnx_model(nodes, [("x", F32, [2, "n", WIDTH])], "sum mean max best soft rows", axis=np.array([1]))


def tokens() -> onnx.ModelProto:
    """Embeddings of ids and of positions, of which the first n rows are read, normalized; a GELU of their transpose."""
    nodes = [
        node("Gather", ["words", "ids"], ["word"]),
        node("Shape", ["ids"], ["count"], start=1),
        node("Slice", ["places", "zero", "count", "zero"], ["place"]),
        node("Add", ["word", "place"], ["sum"]),
        node("LayerNormalization", ["sum", "scale"], ["y"]),
        node("Transpose", ["y"], ["turned"], perm=[2, 0, 1]),
        node("Gelu", ["turned"], ["z"]),
    ]
    constants = {"words": normal(50, WIDTH), "places": normal(TABLE, WIDTH), "scale": normal(WIDTH)}
    return onnx_model(nodes, [("ids", I64, [2, "n"])], "y z", zero=np.array([0]), **constants)


def step() -> onnx.ModelProto:
    """A step of a decoder: the cache of n positions grows by one, and the new position attends to all."""
    cache = [1, HEADS, "n", HEAD]
    nodes = [
        node("Concat", ["keys", "key"], ["all_keys"], axis=2),
        node("Concat", ["values", "value"], ["all_values"], axis=2),
        node("Transpose", ["all_keys"], ["turned"], perm=[0, 1, 3, 2]),
        node("MatMul", ["query", "turned"], ["scores"]),
        node("Mul", ["scores", "scale"], ["scaled"]),
        node("Softmax", ["scaled"], ["weights"]),
        node("MatMul", ["weights", "all_values"], ["y"]),
    ]
    here = [1, HEADS, 1, HEAD]
    inputs = [
        ("query", F32, here),
        ("key", F32, here),
        ("value", F32, here),
        ("keys", F32, cache),
        ("values", F32, cache),
    ]
    return onnx_model(nodes, inputs, "y all_keys all_values", scale=np.float32(HEAD**-0.5))


def square() -> onnx.ModelProto:
    """A matrix of n by n with its upper part hidden: numbers of second degree."""
    nodes = [
        node("MatMul", ["x", "w"], ["scores"]),
        node("Trilu", ["scores"], ["lower"], upper=0),
        node("Exp", ["lower"], ["y"]),
    ]
    return onnx_model(nodes, [("x", F32, ["n", 4]), ("w", F32, [4, "n"])], "y")


CASES: dict[str, Callable[[], Case]] = {
    "reductions": lambda: Case(reductions(), [1, 2, 7, 16, 40]),
    "tokens": lambda: Case(tokens(), [1, 2, 9, 48]),
    "step": lambda: Case(step(), [4, 5, 31, 48], low=4),
    "square": lambda: Case(square(), [2, 3, 17, 50], low=2, pieces=1),
    # Longer than a vector: strips that the program counts, with and without a rest.
    "strips": lambda: Case(reductions(), [500, 512, 777, 1024], low=500, pieces=1),
}


def sample(model: onnx.ModelProto, n: int) -> dict[str, np.ndarray]:
    found = {}
    for end in model.graph.input:
        shape = [dim.dim_value or n for dim in end.type.tensor_type.shape.dim]
        found[end.name] = RNG.integers(0, 50, shape) if end.type.tensor_type.elem_type == I64 else normal(*shape)
    return found


@pytest.mark.parametrize("name", CASES)
def test_programs_of_every_size(name: str) -> None:
    case = CASES[name]()
    program = tfmbs.compile(case.model, dims={"n": (case.low, case.sizes[-1])})
    assert len(program.entry().pieces) <= case.pieces
    session = onnxruntime.InferenceSession(case.model.SerializeToString(), providers=["CPUExecutionProvider"])
    for n in case.sizes:
        inputs = sample(case.model, n)
        ours, static = program.run(inputs), tfmbs.compile(case.model, dims={"n": n}).run(inputs)
        assert {key: value.tobytes() for key, value in ours.items()} == {k: v.tobytes() for k, v in static.items()}
        for value, theirs in zip(ours.values(), session.run(None, inputs), strict=True):
            np.testing.assert_allclose(value, theirs, rtol=2e-5, atol=2e-6 + 1e-7 * n)  # sums of n numbers
