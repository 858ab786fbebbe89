"""The graph-level ops on tensors. `check` states the shapes, element types and epilogues of docs/architecture.md."""

from collections.abc import Sequence
from typing import Any

from tfmbs.dialect.attributes import as_elements, schedule_of
from tfmbs.dialect.base import I64Array, Op, VerifyError
from tfmbs.dialect.checks import (
    accumulator_type,
    element_is,
    element_is_quantized,
    expect,
    expect_at_least,
    expect_length,
    expect_one_of,
    expect_range,
    expect_shape,
    expect_type,
    scale_fits,
    tensor_shape,
)
from tfmbs.dialect.epilogue import EpilogueOp, check_epilogue
from tfmbs.dialect.mlir import ext, ir
from tfmbs.dialect.shapes import Shape, element_of, shape_of, tensor_type
from tfmbs.dialect.types import (
    is_int4,
    is_per_axis,
    is_quantized,
    is_ternary,
    packing_name,
    storage_bounds,
    storage_shape,
)

RHS_LAYOUTS = ("nk", "kn")
MEMORIES = ("external", "l3", "l2", "l1")


class ConstantOp(Op, name="constant", traits=[ext.Pure]):
    """A tensor of quantized or ternary elements; `value` holds its stored i8 elements (see `storage_shape`)."""

    value: Any
    result: ext.Result[Any]

    def check(self) -> None:
        shape, element = tensor_shape("result", self.result), element_of(self.result)
        if not (is_quantized(element) or is_ternary(element)):
            raise VerifyError(f"result element type: expected a quantized type or !tfmbs.ternary, got {element}")
        stored = tensor_type(storage_shape(shape, element), ir.IntegerType.get_signless(8))
        value = as_elements(self.value)
        if value is None:
            raise VerifyError(f"value: expected dense elements, got {self.value}")
        expect_type("value type", stored, value.type, "stored elements of the result")


class ProductOp(EpilogueOp):
    """Base of the kernels with a left and a right operand, whatever their names."""

    @property
    def lhs_value(self) -> Any:
        """The left operand: activations."""
        return self.operation.operands[0]

    @property
    def rhs_value(self) -> Any:
        """The right operand: weights, or the second activations of a batch_matmul."""
        return self.operation.operands[1]

    @property
    def accumulator(self) -> Any:
        return accumulator_type(element_of(self.lhs_value), element_of(self.rhs_value))

    def check_product(self, expected: Shape, channel_axis: int) -> None:
        """The result has the shape of the formula, and the epilogue fits it."""
        result = tensor_shape("result", self.result)
        expect_shape("result shape", expected, result)
        schedule_of(self)
        check_epilogue(self, self.accumulator, result, channel_axis, element_of(self.result), kind=ir.RankedTensorType)


class MatmulOp(ProductOp, name="matmul", traits=[ext.Pure, ir.IsIsolatedFromAboveTrait]):
    """`lhs` M×K times the transpose of `rhs` N×K, then the epilogue: M×N."""

    lhs: ext.Operand[Any]
    rhs: ext.Operand[Any]
    epilogue_operands: Sequence[ext.Operand[Any]]
    roles: ir.ArrayAttr
    result: ext.Result[Any]
    epilogue: ext.Region

    def check(self) -> None:
        m, k = tensor_shape("lhs", self.lhs, rank=2)
        n, rhs_k = tensor_shape("rhs", self.rhs, rank=2)
        expect("rhs columns", k, rhs_k, "reduction length of lhs")
        self.check_product((m, n), channel_axis=1)


class GemvOp(ProductOp, name="gemv", traits=[ext.Pure, ir.IsIsolatedFromAboveTrait]):
    """`matmul` with one row of `lhs`."""

    lhs: ext.Operand[Any]
    rhs: ext.Operand[Any]
    epilogue_operands: Sequence[ext.Operand[Any]]
    roles: ir.ArrayAttr
    result: ext.Result[Any]
    epilogue: ext.Region

    def check(self) -> None:
        m, k = tensor_shape("lhs", self.lhs, rank=2)
        n, rhs_k = tensor_shape("rhs", self.rhs, rank=2)
        expect("lhs rows", 1, m)
        expect("rhs columns", k, rhs_k, "reduction length of lhs")
        self.check_product((1, n), channel_axis=1)


class FusedGemvOp(EpilogueOp, name="fused_gemv", traits=[ext.Pure, ir.IsIsolatedFromAboveTrait]):
    """Sibling gemvs on one `lhs` 1×K as one launch: a result 1×Nᵢ for each `rhs` Nᵢ×K, all with the same epilogue.

    `orders` gives each product its position in the launch, a permutation of 0, 1, …. `others` are the right operands,
    then the epilogue's; one per channel holds the channels of all products in launch order.
    """

    lhs: ext.Operand[Any]
    others: Sequence[ext.Operand[Any]]
    orders: I64Array
    roles: ir.ArrayAttr
    products: Sequence[ext.Result[Any]]
    epilogue: ext.Region

    @property
    def rhs(self) -> tuple[Any, ...]:
        """The right operands, one per product."""
        return tuple(self.others[: len(self.orders)])

    @property
    def epilogue_operands(self) -> tuple[Any, ...]:
        """The operands of the epilogue."""
        return tuple(self.others[len(self.orders) :])

    @property
    def launch_order(self) -> tuple[int, ...]:
        """The number of each product, in the order in which they are launched."""
        return tuple(sorted(range(len(self.orders)), key=lambda product: self.orders[product]))

    @property
    def accumulator(self) -> Any:
        return accumulator_type(element_of(self.lhs), element_of(self.rhs[0]))

    def check(self) -> None:
        m, k = tensor_shape("lhs", self.lhs, rank=2)
        expect("lhs rows", 1, m)
        expect_at_least("number of rhs", 2, (len(self.rhs),))
        expect_length("results", len(self.rhs), self.products)
        for index, role in enumerate(self.roles):
            expect_one_of(f"epilogue operand {index} role", ("channel", "scalar"), role)
        for index, (rhs, product) in enumerate(zip(self.rhs, self.products, strict=True)):
            n, rhs_k = tensor_shape(f"rhs {index}", rhs, rank=2)
            expect(f"rhs {index} columns", k, rhs_k, "reduction length of lhs")
            expect_shape(f"result {index} shape", (1, n), tensor_shape(f"result {index}", product))
            accumulator = accumulator_type(element_of(self.lhs), element_of(rhs))
            expect_type(f"rhs {index} accumulator", self.accumulator, accumulator, "the one of rhs 0")
            element_is(f"result {index}", element_of(self.products[0]) if self.has_epilogue else accumulator, product)
        row = (1, sum(shape_of(rhs.type)[0] for rhs in self.rhs))
        element = element_of(self.products[0])
        check_epilogue(self, self.accumulator, row, channel_axis=1, element=element, kind=ir.RankedTensorType)
        expect("orders", list(range(len(self.rhs))), sorted(self.orders), "a permutation")


class BatchMatmulOp(ProductOp, name="batch_matmul", traits=[ext.Pure, ir.IsIsolatedFromAboveTrait]):
    """B products of `lhs` M×K and `rhs` N×K (K×N with `rhs_layout = "kn"`): B×M×N."""

    lhs: ext.Operand[Any]
    rhs: ext.Operand[Any]
    epilogue_operands: Sequence[ext.Operand[Any]]
    rhs_layout: ir.StringAttr
    roles: ir.ArrayAttr
    result: ext.Result[Any]
    epilogue: ext.Region

    def check(self) -> None:
        expect_one_of("rhs_layout", RHS_LAYOUTS, self.rhs_layout)
        batch, m, k = tensor_shape("lhs", self.lhs, rank=3)
        rhs_batch, *rest = tensor_shape("rhs", self.rhs, rank=3)
        n, rhs_k = rest if self.rhs_layout == "nk" else reversed(rest)
        expect("rhs batch", batch, rhs_batch, "batch of lhs")
        expect("rhs reduction length", k, rhs_k, "reduction length of lhs")
        if is_ternary(element_of(self.rhs)) or is_int4(element_of(self.rhs)):
            raise VerifyError(f"rhs element type: expected f32 or a quantized type, got {element_of(self.rhs)}")
        if is_per_axis(element_of(self.rhs)):
            raise VerifyError(f"rhs quantization: expected per tensor, got {element_of(self.rhs)}")
        self.check_product((batch, m, n), channel_axis=2)


class SoftmaxOp(Op, name="softmax", traits=[ext.Pure]):
    """exp(x − max) / Σ exp(x − max) along `axis`."""

    input: ext.Operand[Any]
    axis: ir.IntegerAttr
    result: ext.Result[Any]

    def check(self) -> None:
        shape = tensor_shape("input", self.input)
        element_is("input", ir.F32Type.get(), self.input)
        expect_range("axis", 0, len(shape) - 1, self.axis)
        expect_type("result type", self.input.type, self.result.type, "type of the input")


class LayerNormOp(Op, name="layer_norm", traits=[ext.Pure]):
    """(x − mean) / sqrt(variance + epsilon) · gamma + beta over `axis` and all later axes."""

    input: ext.Operand[Any]
    gamma: ext.Operand[Any]
    beta: ext.Operand[Any]
    axis: ir.IntegerAttr
    epsilon: ir.FloatAttr
    result: ext.Result[Any]

    def check(self) -> None:
        shape = tensor_shape("input", self.input)
        element_is("input", ir.F32Type.get(), self.input)
        expect_range("axis", 0, len(shape) - 1, self.axis)
        for what, value in (("gamma", self.gamma), ("beta", self.beta)):
            expect_shape(f"{what} shape", shape[self.axis :], tensor_shape(what, value), "normalized axes of the input")
            element_is(what, ir.F32Type.get(), value)
        expect_type("epsilon type", ir.F32Type.get(), self.attributes["epsilon"].type)
        if not self.epsilon >= 0:
            raise VerifyError(f"epsilon: expected at least 0, got {self.epsilon}")
        expect_type("result type", self.input.type, self.result.type, "type of the input")


class QuantizeOp(Op, name="quantize", traits=[ext.Pure]):
    """saturate(round_half_even(x / scale) + zero_point) with the result type's scale and zero point."""

    input: ext.Operand[Any]
    result: ext.Result[Any]

    def check(self) -> None:
        shape = tensor_shape("input", self.input)
        element_is("input", ir.F32Type.get(), self.input)
        element_is_quantized("result", self.result)
        expect_shape("result shape", shape, tensor_shape("result", self.result), "shape of the input")


class DequantizeOp(Op, name="dequantize", traits=[ext.Pure]):
    """Real values: of a quantized tensor by its type, or of i32 accumulators by `scale` (one or one per `axis` index).

    A quantized input carries its own axis: `axis` repeats it, 0 when quantized per tensor.
    """

    input: ext.Operand[Any]
    scale: ext.Operand[Any] | None
    axis: ir.IntegerAttr
    result: ext.Result[Any]

    def check(self) -> None:
        shape, element = tensor_shape("input", self.input), element_of(self.input)
        element_is("result", ir.F32Type.get(), self.result)
        expect_shape("result shape", shape, tensor_shape("result", self.result), "shape of the input")
        if is_quantized(element):
            expect("number of operands", 1, len(self.operation.operands), "a quantized input has its own scale")
            expect("axis", element.quantized_dimension if is_per_axis(element) else 0, self.axis, "axis of the type")
            return
        expect_type("input element type", ir.IntegerType.get_signless(32), element, "or a quantized type")
        expect("number of operands", 2, len(self.operation.operands), "accumulators need a scale")
        scale_fits("scale", self.scale, shape, self.axis)


class RequantizeOp(Op, name="requantize", traits=[ext.Pure]):
    """clamp(round_half_even(f32(accumulator) · scale) + zero_point, low, maximum) of i32 accumulators.

    `scale` has one element or one per index of `axis`; `low` is the lower clamp, the zero point after a fused ReLU.
    """

    input: ext.Operand[Any]
    scale: ext.Operand[Any]
    axis: ir.IntegerAttr
    low: ir.IntegerAttr
    result: ext.Result[Any]

    def check(self) -> None:
        shape = tensor_shape("input", self.input)
        element_is("input", ir.IntegerType.get_signless(32), self.input)
        scale_fits("scale", self.scale, shape, self.axis)
        element_is_quantized("result", self.result)
        expect_shape("result shape", shape, tensor_shape("result", self.result), "shape of the input")
        element = element_of(self.result)
        if is_per_axis(element):
            raise VerifyError(f"result quantization: expected per tensor, got {element}")
        expect_range("low", *storage_bounds(element), self.low)


class PackOp(Op, name="pack", traits=[ext.Pure]):
    """The same trits in a denser packing."""

    input: ext.Operand[Any]
    result: ext.Result[Any]

    def check(self) -> None:
        _check_repacking(self, source_is_bytes=True)


class UnpackOp(Op, name="unpack", traits=[ext.Pure]):
    """The same trits, one per byte."""

    input: ext.Operand[Any]
    result: ext.Result[Any]

    def check(self) -> None:
        _check_repacking(self, source_is_bytes=False)


def _check_repacking(op: Any, source_is_bytes: bool) -> None:
    shape = tensor_shape("input", op.input)
    expect_shape("result shape", shape, tensor_shape("result", op.result), "shape of the input")
    for what, value, plain in (("input", op.input, source_is_bytes), ("result", op.result, not source_is_bytes)):
        element = element_of(value)
        if not is_ternary(element) or (packing_name(element) == "i8") != plain:
            wanted = '!tfmbs.ternary<"i8">' if plain else '!tfmbs.ternary<"pt5"> or !tfmbs.ternary<"t2">'
            raise VerifyError(f"{what} element type: expected {wanted}, got {element}")


class TransferOp(Op, name="transfer", traits=[ext.Pure]):
    """A copy of a tensor in another memory of the fabric; `to` is one of `MEMORIES`."""

    input: ext.Operand[Any]
    to: ir.StringAttr
    result: ext.Result[Any]

    def check(self) -> None:
        tensor_shape("input", self.input)
        expect_one_of("to", MEMORIES, self.to)
        expect_type("result type", self.input.type, self.result.type, "type of the input")
