"""Checks of an LSTM against its tensors, in exact integers: which operands it has, and how many elements of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfmbs.runtime.abi.image import Row
from tfmbs.runtime.abi.kinds import KIND_RULES
from tfmbs.runtime.abi.limits import MAX_LAUNCH_OPERATIONS
from tfmbs.runtime.abi.records import DESCRIPTOR, Direction, Kind
from tfmbs.runtime.abi.types import DType
from tfmbs.runtime.abi.verify.subject import Subject

GATES = 4
FLAG_OF_OPERAND = {"bias": "bias", "recurrent_bias": "recurrent_bias", "hidden": "initial", "cell": "initial"}
"""Further operand → the field of the geometry that says whether it is there."""


def ways_of(geometry: Mapping[str, Any]) -> int:
    """The number of directions."""
    return 2 if geometry["direction"] == Direction.BOTH else 1


def further_operands(geometry: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the operands that the args table lists, in its order."""
    names = KIND_RULES[Kind.LSTM].further
    return tuple(name for name in names if name not in FLAG_OF_OPERAND or geometry[FLAG_OF_OPERAND[name]])


def check_lstm(subject: Subject, index: int, descriptor: Row) -> None:
    """Checks the operands of an LSTM."""
    g = subject.image.lstm_geometries[descriptor["geometry"]]
    names, args = further_operands(g), subject.args(descriptor)
    if len(args) != len(names):
        raise subject.refuse(DESCRIPTOR, index, "args_count", ", ".join(names), len(names), len(args))
    ways, rows = ways_of(g), GATES * g["hidden"]
    state = ways * g["batch"] * g["hidden"]
    elements = {
        "lhs": g["steps"] * g["batch"] * g["width"],
        "rhs": ways * rows * g["width"],
        "out": (g["steps"] + g["cell"]) * state,
        "recurrent": ways * rows * g["hidden"],
        "bias": ways * rows,
        "recurrent_bias": ways * rows,
        "hidden": state,
        "cell": state,
    }
    places = [(name, name, descriptor[name]) for name in ("lhs", "rhs", "out")]
    for field, name, tensor in (*places, *zip(["args_first"] * len(args), names, args, strict=True)):
        got = DType(subject.tensor(tensor)["dtype"])
        if got is not DType.F32:
            raise subject.refuse(DESCRIPTOR, index, field, f"{name}: element type", DType.F32.name, got.name)
        if subject.elements[tensor] != elements[name]:
            what = f"{name}: elements by its geometry"
            raise subject.refuse(DESCRIPTOR, index, field, what, elements[name], subject.elements[tensor])
    operations = g["steps"] * g["batch"] * ways * rows * (g["width"] + g["hidden"])
    if operations > MAX_LAUNCH_OPERATIONS:
        raise subject.limit(DESCRIPTOR, index, "geometry", "operations", MAX_LAUNCH_OPERATIONS, operations)
