"""Tensors without elements, as inputs, outputs and between: in the binary, in its signature, and at run time."""

from __future__ import annotations

import numpy as np
import pytest

import tfmbs
from tests.models.one_node import check, one_node


@pytest.mark.parametrize(
    ("op", "expected"),
    [("Sum", 0.0), ("Prod", 1.0), ("Max", -np.inf), ("Min", np.inf), ("LogSum", -np.inf), ("LogSumExp", -np.inf)],
)
def test_reduction_over_nothing(op: str, expected: float) -> None:
    inputs = [np.zeros((2, 0, 3), np.float32), np.array([1], np.int64)]
    check(f"Reduce{op}", inputs, [np.full((2, 1, 3), expected, np.float32)], constants=[1])


def test_an_empty_list_of_axes_at_run_time() -> None:
    data = np.arange(6, dtype=np.float32).reshape(2, 3)
    check("ReduceSum", [data, np.zeros(0, np.int64)], [np.array([[15.0]], np.float32)])


def test_a_program_without_work() -> None:
    check("Relu", [np.zeros((0, 3), np.float32)], [np.zeros((0, 3), np.float32)])


def test_parts_without_elements() -> None:
    none, some = np.zeros((2, 0), np.float32), np.ones((2, 3), np.float32)
    check("Concat", [none, some], [some], axis=1)
    check("Split", [some, np.array([0, 3], np.int64)], [none, some], axis=1)


def test_elements_for_an_empty_input_are_refused() -> None:
    program = tfmbs.compile(one_node("Relu", [np.zeros((0, 3), np.float32)], [np.zeros((0, 3), np.float32)]))
    with pytest.raises(tfmbs.TfmbsError, match="shape, expected 0×3, got 1×3"):
        program.run({"x0": np.zeros((1, 3), np.float32)})
