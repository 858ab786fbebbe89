"""The launch of a product whose weights have a scale for each group of the reduction."""

from collections.abc import Sequence
from typing import Any

from tfmbs.dialect.attributes import schedule_of
from tfmbs.dialect.checks import element_is, expect, expect_at_least, expect_one_of, expect_shape, memref_shape
from tfmbs.dialect.epilogue import check_epilogue
from tfmbs.dialect.graph_groups import ACTIVATIONS
from tfmbs.dialect.kernel import STORED_PACKINGS, LaunchOp, check_lhs_zero, dense_shape, strides_of
from tfmbs.dialect.mlir import ext, ir
from tfmbs.dialect.shapes import element_of, shape_of
from tfmbs.dialect.types import packed_shape


class KernelGroupGemmOp(LaunchOp, name="kernel_group_gemm", traits=[ir.IsIsolatedFromAboveTrait]):
    """`tfmbs.group_matmul` of lhs M×K, with any strides, into dense `out`; rhs has a packed row for each group."""

    lhs: ext.Operand[Any]
    rhs: ext.Operand[Any]
    scales: ext.Operand[Any]
    out: ext.Operand[Any]
    epilogue_operands: Sequence[ext.Operand[Any]]
    activations: ir.StringAttr
    rhs_packing: ir.StringAttr
    lhs_zero: ir.IntegerAttr
    roles: ir.ArrayAttr
    epilogue: ext.Region

    @property
    def accumulator(self) -> Any:
        return ir.F32Type.get()

    @property
    def geometry(self) -> dict[str, int]:
        """The fields of the `group_geometry` record but `scales`; strides in elements."""
        (m, k), (n, count) = shape_of(self.lhs.type), shape_of(self.scales.type)
        m_stride, k_stride = strides_of(self.lhs.type)
        return {
            "m": m,
            "n": n,
            "k": k,
            "group": k // count,
            "lhs_m_stride": m_stride,
            "lhs_k_stride": k_stride,
            "lhs_zero": self.lhs_zero,
            "activations": int(ACTIVATIONS[self.activations]),
        }

    def check(self) -> None:
        expect_one_of("activations", ACTIVATIONS, self.activations)
        expect_one_of("rhs_packing", STORED_PACKINGS, self.rhs_packing)
        m, k = memref_shape("lhs", self.lhs, rank=2)
        n, count = dense_shape("scales", self.scales, rank=2)
        expect("lhs columns modulo groups", 0, k % count)
        stored = packed_shape((n * count, k // count), STORED_PACKINGS[self.rhs_packing])
        expect_shape("rhs shape", stored, dense_shape("rhs", self.rhs), "a row for each group")
        expect_shape("out shape", (m, n), dense_shape("out", self.out))
        f32, i8 = ir.F32Type.get(), ir.IntegerType.get_signless(8)
        expect_one_of("lhs element type", (f32,) if self.activations == "absmax" else (f32, i8), element_of(self.lhs))
        element_is("rhs", i8, self.rhs)
        element_is("scales", f32, self.scales)
        expect_at_least("lhs strides", 0, strides_of(self.lhs.type))
        check_lhs_zero(self)
        for index, operand in enumerate(self.epilogue_operands):
            dense_shape(f"epilogue operand {index}", operand)
        check_epilogue(self, self.accumulator, (m, n), 1, element_of(self.out), kind=ir.MemRefType)
        schedule_of(self)
