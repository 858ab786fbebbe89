"""The launch of a long short-term memory on memrefs, with the geometry of its device record."""

from collections.abc import Sequence
from typing import Any

from tfmbs.dialect.attributes import schedule_of
from tfmbs.dialect.base import Bool, Op
from tfmbs.dialect.checks import element_is, expect_shape
from tfmbs.dialect.graph_lstm import DIRECTIONS, GATE_ORDERS, PRODUCTS, check_lstm
from tfmbs.dialect.kernel import dense_shape
from tfmbs.dialect.mlir import ext, ir
from tfmbs.dialect.shapes import shape_of


class KernelLstmOp(Op, name="kernel_lstm"):
    """`tfmbs.lstm` into `out`. All operands are dense."""

    input: ext.Operand[Any]
    weights: ext.Operand[Any]
    recurrent: ext.Operand[Any]
    out: ext.Operand[Any]
    further: Sequence[ext.Operand[Any]]
    direction: ir.StringAttr
    gates: ir.StringAttr
    roles: ir.ArrayAttr
    keep_cell: Bool

    @property
    def geometry(self) -> dict[str, int]:
        """The fields of the `lstm_geometry` record."""
        steps, batch, width = shape_of(self.input.type)
        return {
            "steps": steps,
            "batch": batch,
            "width": width,
            "hidden": shape_of(self.recurrent.type)[2],
            "direction": int(DIRECTIONS[self.direction]),
            "order": int(GATE_ORDERS[self.gates]),
            "bias": int("bias" in self.roles),
            "recurrent_bias": int("recurrent_bias" in self.roles),
            "initial": int("hidden" in self.roles),
            "cell": int(self.keep_cell),
        }

    def check(self) -> None:
        input, weights, recurrent = (dense_shape(name, getattr(self, name), rank=3) for name in PRODUCTS)
        out = check_lstm(self, input, weights, recurrent, ir.MemRefType)
        expect_shape("out shape", out, dense_shape("out", self.out, rank=4))
        element_is("out", ir.F32Type.get(), self.out)
        for name, value in zip(self.roles, self.further, strict=True):
            dense_shape(name, value)
        schedule_of(self)
