"""The kernel-level ops: launches on memrefs, each with the geometry of its device record, and constants in memory.

Memrefs hold stored elements: i8 for quantized ones and for one trit per byte, bytes (i8) of rows for packed trits.
"""

from collections.abc import Sequence
from math import prod
from typing import Any

from tfmbs.dialect.attributes import as_elements, schedule_of
from tfmbs.dialect.base import I64Array, Op, VerifyError
from tfmbs.dialect.checks import (
    element_is,
    expect,
    expect_at_least,
    expect_one_of,
    expect_range,
    expect_shape,
    expect_type,
    memref_shape,
)
from tfmbs.dialect.epilogue import EpilogueOp, check_epilogue
from tfmbs.dialect.mlir import ext, ir
from tfmbs.dialect.shapes import Shape, element_of, shape_of, tensor_type
from tfmbs.dialect.types import ROW_PACKINGS, packed_shape
from tfmbs.runtime.abi.records import Kind
from tfmbs.runtime.abi.types import Packing

GEMM_KINDS = {kind.name.lower(): kind for kind in (Kind.GEMM, Kind.GEMV)}
STORED_PACKINGS = {Packing.DENSE.name.lower(): Packing.DENSE, **ROW_PACKINGS}


def strides_of(type_: Any) -> tuple[int, ...]:
    """Strides of a memref type in elements, outermost first."""
    strides, _ = type_.get_strides_and_offset()
    return tuple(strides)


def dense_strides(shape: Shape) -> tuple[int, ...]:
    """Strides of a dense row-major tensor, in elements."""
    return tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))


def is_dense(shape: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether elements are adjacent and row-major; sizes of 1 have no stride."""
    dense = dense_strides(tuple(shape))
    return all(s == d or n == 1 for n, s, d in zip(shape, strides, dense, strict=True))


def dense_shape(what: str, value: Any, rank: int | None = None) -> Shape:
    """Shape of a memref whose elements are dense and row-major. Raises VerifyError for any other value."""
    shape = memref_shape(what, value, rank)
    strides = strides_of(value.type)
    if not is_dense(shape, strides):
        raise VerifyError(f"{what} strides: expected {list(dense_strides(shape))} (dense), got {list(strides)}")
    return shape


class KernelConstantOp(Op, name="kernel_constant", traits=[ext.Pure]):
    """Read-only bytes in the weights region: `value` as a dense memref of its type.

    `shape` is the logical shape, `packing` how its elements are stored: "dense", or a packing of rows.
    """

    value: Any
    packing: ir.StringAttr
    shape: I64Array
    result: ext.Result[Any]

    def check(self) -> None:
        stored = dense_shape("result", self.result)
        expect_one_of("packing", STORED_PACKINGS, self.packing)
        expect_at_least("shape", 1, self.shape)
        expect_shape("result shape", packed_shape(self.shape, STORED_PACKINGS[self.packing]), stored, "stored elements")
        if self.packing in ROW_PACKINGS:
            element_is("result", ir.IntegerType.get_signless(8), self.result)
        value = as_elements(self.value)
        if value is None:
            raise VerifyError(f"value: expected dense elements, got {self.value}")
        expect_type("value type", tensor_type(stored, element_of(self.result)), value.type, "type of the result")


class LaunchOp(EpilogueOp):
    """Base of the launches that multiply: operands are lhs, rhs, out, then the epilogue's."""

    @property
    def accumulator(self) -> Any:
        lhs, rhs = (element_of(value) for value in tuple(self.operation.operands)[:2])
        return stored_accumulator(lhs, rhs, self.rhs_packing)

    def check_launch(self, out: Shape, row: Shape, channel_axis: int) -> None:
        """rhs holds a `row` for each output channel, out is dense of shape `out`, epilogue and schedule fit."""
        _, rhs, result, *rest = tuple(self.operation.operands)
        if self.rhs_packing in ROW_PACKINGS:
            stored = packed_shape((out[channel_axis], *row), STORED_PACKINGS[self.rhs_packing])
            expect_shape("rhs shape", stored, dense_shape("rhs", rhs), f"rows packed as {self.rhs_packing}")
        expect_shape("out shape", out, dense_shape("out", result))
        check_lhs_zero(self)
        for index, operand in enumerate(rest):
            dense_shape(f"epilogue operand {index}", operand)
        check_epilogue(self, self.accumulator, out, channel_axis, element_of(result), kind=ir.MemRefType)
        schedule_of(self)


class KernelGemmOp(LaunchOp, name="kernel_gemm", traits=[ir.IsIsolatedFromAboveTrait]):
    """out[b, m, n] = epilogue(Σ over ascending k of (lhs[b, m, k] − lhs_zero) · rhs[b, n, k]); `kind` "gemv" has m = 1.

    lhs is [B×]M×K and rhs [B×]N×K with any strides (0 where shared), packed rhs N×bytes; out is dense.
    """

    lhs: ext.Operand[Any]
    rhs: ext.Operand[Any]
    out: ext.Operand[Any]
    epilogue_operands: Sequence[ext.Operand[Any]]
    kind: ir.StringAttr
    rhs_packing: ir.StringAttr
    lhs_zero: ir.IntegerAttr
    roles: ir.ArrayAttr
    epilogue: ext.Region

    @property
    def geometry(self) -> dict[str, int]:
        """The fields of the `gemm_geometry` record; strides in elements."""
        *batch, m, k = shape_of(self.lhs.type)
        n = shape_of(self.out.type)[-1]
        lhs_strides, rhs_strides = ((0, 0, *strides_of(value.type))[-3:] for value in (self.lhs, self.rhs))
        if self.rhs_packing in ROW_PACKINGS:
            rhs_strides = (0, k, 1)
        return {
            "batch": batch[0] if batch else 1,
            "m": m,
            "n": n,
            "k": k,
            "lhs_batch_stride": lhs_strides[0],
            "lhs_m_stride": lhs_strides[1],
            "lhs_k_stride": lhs_strides[2],
            "rhs_batch_stride": rhs_strides[0],
            "rhs_n_stride": rhs_strides[1],
            "rhs_k_stride": rhs_strides[2],
            "lhs_zero": self.lhs_zero,
        }

    def check(self) -> None:
        expect_one_of("kind", GEMM_KINDS, self.kind)
        expect_one_of("rhs_packing", STORED_PACKINGS, self.rhs_packing)
        lhs = memref_shape("lhs", self.lhs)
        expect_range("lhs rank", 2, 3, len(lhs))
        *batch, m, k = lhs
        if self.kind == "gemv":
            expect("lhs rows", 1, m, "kind gemv")
        out = memref_shape("out", self.out, rank=len(lhs))
        rhs = memref_shape("rhs", self.rhs, rank=2 if self.rhs_packing in ROW_PACKINGS else len(lhs))
        if self.rhs_packing not in ROW_PACKINGS:
            expect_shape("rhs shape", (*batch, out[-1], k), rhs, "rows of out's columns, lhs columns")
        for what, value in (("lhs", self.lhs), ("rhs", self.rhs)):
            expect_at_least(f"{what} strides", 0, strides_of(value.type))
        self.check_launch((*batch, m, out[-1]), (k,), channel_axis=len(lhs) - 1)


class KernelCopyOp(Op, name="kernel_copy"):
    """A copy of dense `input` in the dense memref `out` of the same shape and element type."""

    input: ext.Operand[Any]
    out: ext.Operand[Any]

    def check(self) -> None:
        shape = dense_shape("input", self.input)
        expect_shape("out shape", shape, dense_shape("out", self.out), "shape of the input")
        element_is("out", element_of(self.input), self.out)
        schedule_of(self)


def stored_accumulator(lhs: Any, rhs: Any, packing: str) -> Any:
    """Accumulator of stored elements: f32 for f32 lhs (rhs f32 or packed), i32 for i8 lhs (rhs i8 or packed)."""
    f32, i8 = ir.F32Type.get(), ir.IntegerType.get_signless(8)
    expect_one_of("lhs element type", (f32, i8), lhs)
    stored = f32 if packing not in ROW_PACKINGS and lhs == f32 else i8
    expect_type("rhs element type", stored, rhs, f"lhs is {lhs}, rhs_packing {packing}")
    return f32 if lhs == f32 else ir.IntegerType.get_signless(32)


def check_lhs_zero(op: Any) -> None:
    """The zero point fits the stored elements of lhs: 0 for f32, else a value of i8."""
    if isinstance(element_of(op.operation.operands[0]), ir.F32Type):
        expect("lhs_zero", 0, op.lhs_zero, "lhs is f32")
    expect_range("lhs_zero", -128, 127, op.lhs_zero)
