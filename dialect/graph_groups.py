"""The graph-level product whose weights have a scale for each group of the reduction."""

from collections.abc import Sequence
from typing import Any

from tfmbs.dialect.attributes import schedule_of
from tfmbs.dialect.base import VerifyError
from tfmbs.dialect.checks import element_is, expect, expect_one_of, expect_shape, tensor_shape
from tfmbs.dialect.epilogue import check_epilogue
from tfmbs.dialect.graph_ops import ProductOp
from tfmbs.dialect.mlir import ext, ir
from tfmbs.dialect.shapes import element_of
from tfmbs.dialect.types import is_per_axis, is_quantized, is_ternary, scales_of, zero_points_of
from tfmbs.runtime.abi.records import Activations

ACTIVATIONS = {mode.name.lower(): mode for mode in Activations}


class GroupMatmulOp(ProductOp, name="group_matmul", traits=[ext.Pure, ir.IsIsolatedFromAboveTrait]):
    """`lhs` M×K times weights N×K, then the epilogue: M×N. A weight is a stored integer times the scale of its group.

    `scales` is N×G, of f32; `rhs` has a row for each group, (N·G)×(K/G), of trits or integers of scale 1. Quantized
    `lhs` counts as stored, less its zero point, so its scale belongs into `scales`. With `activations` "absmax", each
    row of f32 becomes i8 by its largest magnitude, and results are divided by the factor. The order of sums is in
    docs/numerics.md.
    """

    lhs: ext.Operand[Any]
    rhs: ext.Operand[Any]
    scales: ext.Operand[Any]
    epilogue_operands: Sequence[ext.Operand[Any]]
    activations: ir.StringAttr
    roles: ir.ArrayAttr
    result: ext.Result[Any]
    epilogue: ext.Region

    @property
    def accumulator(self) -> Any:
        return ir.F32Type.get()

    def check(self) -> None:
        m, k = tensor_shape("lhs", self.lhs, rank=2)
        rows, group = tensor_shape("rhs", self.rhs, rank=2)
        n, count = tensor_shape("scales", self.scales, rank=2)
        expect("rhs rows", n * count, rows, "one for each of the scales")
        expect("lhs columns", count * group, k, "all groups")
        element_is("scales", ir.F32Type.get(), self.scales)
        expect_one_of("activations", ACTIVATIONS, self.activations)
        _check_elements(element_of(self.lhs), element_of(self.rhs), self.activations)
        result = tensor_shape("result", self.result)
        expect_shape("result shape", (m, n), result)
        schedule_of(self)
        check_epilogue(self, self.accumulator, result, 1, element_of(self.result), kind=ir.RankedTensorType)


def _check_elements(lhs: Any, rhs: Any, activations: str) -> None:
    if activations == "absmax" or not is_quantized(lhs):
        if not isinstance(lhs, ir.F32Type):
            raise VerifyError(f"lhs element type: expected f32, got {lhs}")
    elif is_per_axis(lhs) or lhs.storage_type.width != 8:
        raise VerifyError(f"lhs quantization: expected i8 per tensor, got {lhs}")
    if is_ternary(rhs):
        return
    if not is_quantized(rhs) or is_per_axis(rhs) or scales_of(rhs) != (1.0,) or any(zero_points_of(rhs)):
        raise VerifyError(
            f"rhs element type: expected !tfmbs.ternary or integers of scale 1 and zero point 0, got {rhs}"
        )
