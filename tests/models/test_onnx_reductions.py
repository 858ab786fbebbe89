"""The Reduce family, running sums and losses on random inputs beside ONNX's reference evaluator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.models.one_node import by_reference, check

REDUCTIONS = ("Sum", "SumSquare", "L1", "L2", "LogSum", "LogSumExp", "Mean", "Prod", "Max", "Min")
RANDOM = np.random.default_rng(5)


@pytest.mark.parametrize("kind", REDUCTIONS)
@pytest.mark.parametrize(
    ("shape", "axes", "keepdims", "dtype"),
    [
        ((3, 4, 5), [1], 1, np.float32),
        ((2, 3, 3), [-1], 0, np.float32),  # two sets of axes give this shape
        ((4, 3, 2, 3), [0, 3], 0, np.float64),
    ],
)
def test_reduce_over_axes_of_run_time(
    kind: str, shape: tuple[int, ...], axes: list[int], keepdims: int, dtype: Any
) -> None:
    data = RANDOM.uniform(0.5, 2.0, shape).astype(dtype)
    inputs = [data, np.array(axes, np.int64)]
    op = f"Reduce{kind}"
    check(op, inputs, by_reference(op, inputs, keepdims=keepdims), keepdims=keepdims)


@pytest.mark.parametrize("kind", ["Sum", "Mean", "Prod", "Max", "Min", "L1", "SumSquare"])
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_reduce_of_integers(kind: str, dtype: Any) -> None:
    inputs = [RANDOM.integers(-5, 6, (3, 5)).astype(dtype), np.array([1], np.int64)]
    # numpy widens sums and gives means as floats; ONNX keeps the type.
    expected = [array.astype(dtype) for array in by_reference(f"Reduce{kind}", inputs)]
    check(f"Reduce{kind}", inputs, expected, constants=[1])


def test_extremes_and_infinities() -> None:
    data = np.array([[-np.inf, -np.inf], [np.inf, 1.0], [np.nan, 1.0], [1000.0, 999.0]], np.float32)
    axes = np.array([1], np.int64)
    for kind, join in (("LogSumExp", np.logaddexp), ("Max", np.maximum), ("Min", np.minimum)):
        with np.errstate(invalid="ignore"):
            expected = join.reduce(data, 1, keepdims=True)
        check(f"Reduce{kind}", [data, axes], [expected], constants=[1])


def test_no_axes_is_all_of_them_or_none() -> None:
    data = RANDOM.standard_normal((3, 4)).astype(np.float16)
    check("ReduceSum", [data], [data.astype(np.float32).sum(keepdims=True).astype(np.float16)])
    check("ReduceSumSquare", [data], [data * data], noop_with_empty_axes=1)


@pytest.mark.parametrize("op", ["CumSum", "CumProd"])
@pytest.mark.parametrize("constants", [[], [1]])
@pytest.mark.parametrize(("exclusive", "reverse"), [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_running(op: str, constants: list[int], exclusive: int, reverse: int) -> None:
    data = RANDOM.uniform(0.5, 1.5, (3, 4, 2))
    join = np.cumsum if op == "CumSum" else np.cumprod
    for axis in (1, -1):
        turned = np.flip(data, axis) if reverse else data
        expected = join(turned, axis)
        if exclusive:
            first = np.full_like(np.take(expected, [0], axis), 0 if op == "CumSum" else 1)
            expected = np.concatenate([first, np.delete(expected, -1, axis)], axis)
        expected = np.flip(expected, axis) if reverse else expected
        inputs = [data, np.array(axis, np.int64)]
        check(op, inputs, [expected], constants=constants, exclusive=exclusive, reverse=reverse)


@pytest.mark.parametrize("op", ["NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"])
@pytest.mark.parametrize(
    ("reduction", "weighted", "ignored"),
    [("none", False, 2), ("none", True, None), ("sum", True, -3), ("mean", False, None), ("mean", True, 2)],
)
def test_losses(op: str, reduction: str, weighted: bool, ignored: int | None) -> None:
    scores = RANDOM.standard_normal((3, 5, 2)).astype(np.float32)
    classes = RANDOM.integers(0, 5, (3, 2))
    attributes: dict[str, Any] = {"reduction": reduction}
    if ignored is not None:
        classes[1, 0] = ignored
        attributes["ignore_index"] = ignored
    inputs = [scores, classes]
    if weighted:
        inputs.append(RANDOM.uniform(0.1, 2.0, 5).astype(np.float32))
    count = 2 if op == "SoftmaxCrossEntropyLoss" else 1
    check(op, inputs, by_reference(op, inputs, count, **attributes), **attributes)
