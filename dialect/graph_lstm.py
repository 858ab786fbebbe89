"""The graph-level op of a long short-term memory, and what it shares with the launch of it."""

from collections.abc import Sequence
from typing import Any

from tfmbs.dialect.base import Bool, Op, VerifyError
from tfmbs.dialect.checks import element_is, expect, expect_one_of, expect_shape, static_shape, tensor_shape
from tfmbs.dialect.mlir import ext, ir
from tfmbs.dialect.shapes import Shape, shape_of
from tfmbs.runtime.abi.records import Direction, GateOrder

DIRECTIONS = {way.name.lower(): way for way in Direction}
GATE_ORDERS = {order.name.lower(): order for order in GateOrder}
GATES = 4
PRODUCTS = ("input", "weights", "recurrent")
ROLES = ("bias", "recurrent_bias", "hidden", "cell")
"""What further operands are, in the order in which they come."""


class LstmOp(Op, name="lstm", traits=[ext.Pure]):
    """The states of a recurrence over the steps of `input` T×B×I: T×D×B×H, or (T+1)×D×B×H with the last cells behind.

    c = f · c + i · g and h = o · tanh(c), from the gates input · weightsᵀ + bias + h · recurrentᵀ + recurrent_bias,
    of which i, f and o go through the sigmoid and g through tanh; docs/numerics.md has each step. `weights` is D×4·H×I,
    `recurrent` D×4·H×H, biases are D×4·H; gates stand in the order of `gates`, "iofc" or "ifco" (c being g). `further`
    are the operands that `roles` names: biases, and the first states `hidden` and `cell`, D×B×H, which are zeros
    otherwise. `direction` is "forward", "reverse", or "both" with D = 2. `keep_cell` asks for the last cells.
    """

    input: ext.Operand[Any]
    weights: ext.Operand[Any]
    recurrent: ext.Operand[Any]
    further: Sequence[ext.Operand[Any]]
    direction: ir.StringAttr
    gates: ir.StringAttr
    roles: ir.ArrayAttr
    keep_cell: Bool
    result: ext.Result[Any]

    def check(self) -> None:
        input, weights, recurrent = (tensor_shape(name, getattr(self, name), rank=3) for name in PRODUCTS)
        out = check_lstm(self, input, weights, recurrent, ir.RankedTensorType)
        expect_shape("result shape", out, tensor_shape("result", self.result))
        element_is("result", ir.F32Type.get(), self.result)


def by_role(op: Any) -> dict[str, Any]:
    """The further operands of an op by their names."""
    return dict(zip(op.roles, op.further, strict=True))


def result_shape(input: Shape, recurrent: Shape, keep_cell: bool) -> Shape:
    """(T or T+1)×D×B×H."""
    steps, batch, _ = input
    return (steps + int(keep_cell), recurrent[0], batch, recurrent[2])


def check_lstm(op: Any, input: Shape, weights: Shape, recurrent: Shape, kind: Any) -> Shape:
    """What holds of operands and attributes at both levels; returns the shape of the result."""
    expect_one_of("direction", DIRECTIONS, op.direction)
    expect_one_of("gates", GATE_ORDERS, op.gates)
    ways = 2 if op.direction == "both" else 1
    _, batch, width = input
    hidden = recurrent[2]
    rows = GATES * hidden
    expect_shape("recurrent shape", (ways, rows, hidden), recurrent, "directions, 4 · H, H")
    expect_shape("weights shape", (ways, rows, width), weights, "directions, rows of recurrent, width of input")
    for name in PRODUCTS:
        element_is(name, ir.F32Type.get(), getattr(op, name))
    expect("number of further operands", len(op.roles), len(op.further), "roles")
    roles = tuple(op.roles)
    if tuple(name for name in ROLES if name in roles) != roles:
        raise VerifyError(
            f"roles: expected some of {', '.join(ROLES)}, in this order, got {', '.join(map(str, roles))}"
        )
    expect("'cell' among roles", "hidden" in roles, "cell" in roles, "as 'hidden'")
    for name, value in by_role(op).items():
        wanted = (ways, batch, hidden) if name in ("hidden", "cell") else (ways, rows)
        expect_shape(f"{name} shape", wanted, static_shape(name, value, kind))
        element_is(name, ir.F32Type.get(), value)
    return result_shape(input, shape_of(op.recurrent.type), op.keep_cell)
