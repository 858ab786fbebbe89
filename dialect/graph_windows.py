"""The graph-level ops that slide a window over images or volumes: convolutions and pooling."""

from collections.abc import Sequence
from typing import Any, ClassVar

from tfmbs.dialect.base import Bool, I64Array, Op, VerifyError
from tfmbs.dialect.checks import (
    element_is,
    expect,
    expect_at_least,
    expect_one_of,
    expect_shape,
    tensor_shape,
    window_is_valid,
)
from tfmbs.dialect.graph_ops import ProductOp
from tfmbs.dialect.mlir import ext, ir
from tfmbs.dialect.shapes import Window, element_of, shape_of
from tfmbs.dialect.types import is_quantized

POOL_KINDS = ("max", "avg")


class ConvolutionOp(ProductOp):
    """Base of the convolutions: channels are axis 1 of the input and axis 0 of the filter, spatial axes come last."""

    @property
    def window(self) -> Window:
        """The sliding window of the op."""
        return Window(shape_of(self.filter.type)[2:], self.strides, self.dilations, self.pads)

    def check(self) -> None:
        rank = self.SPATIAL + 2
        batch, channels, *size = tensor_shape("input", self.input, rank=rank)
        out_channels, group_channels, *_ = tensor_shape("filter", self.filter, rank=rank)
        groups = self.groups
        expect_at_least("groups", 1, (groups,))
        expect("input channels", group_channels * groups, channels, f"filter {group_channels} × groups {groups}")
        if out_channels % groups:
            raise VerifyError(f"output channels: expected a multiple of groups {groups}, got {out_channels}")
        window_is_valid(self.window, tuple(size))
        self.check_product((batch, out_channels, *self.window.output(tuple(size))), channel_axis=1)


class Conv2dOp(ConvolutionOp, name="conv2d", traits=[ext.Pure, ir.IsIsolatedFromAboveTrait]):
    """Convolution of `input` N×C×H×W with `filter` O×(C/groups)×kh×kw, then the epilogue: N×O×H'×W'.

    `pads` are (top, left, bottom, right).
    """

    input: ext.Operand[Any]
    filter: ext.Operand[Any]
    epilogue_operands: Sequence[ext.Operand[Any]]
    strides: I64Array
    dilations: I64Array
    pads: I64Array
    groups: ir.IntegerAttr
    roles: ir.ArrayAttr
    result: ext.Result[Any]
    epilogue: ext.Region

    SPATIAL: ClassVar[int] = 2


class Conv3dOp(ConvolutionOp, name="conv3d", traits=[ext.Pure, ir.IsIsolatedFromAboveTrait]):
    """Convolution of `input` N×C×D×H×W with `filter` O×(C/groups)×kd×kh×kw, then the epilogue: N×O×D'×H'×W'.

    `pads` are (front, top, left, back, bottom, right).
    """

    input: ext.Operand[Any]
    filter: ext.Operand[Any]
    epilogue_operands: Sequence[ext.Operand[Any]]
    strides: I64Array
    dilations: I64Array
    pads: I64Array
    groups: ir.IntegerAttr
    roles: ir.ArrayAttr
    result: ext.Result[Any]
    epilogue: ext.Region

    SPATIAL: ClassVar[int] = 3


class PoolOp(Op, name="pool", traits=[ext.Pure]):
    """Maximum or average over a sliding window of N×C×H×W; `pads` are (top, left, bottom, right).

    Padded taps are skipped; with `count_include_pad` an average divides by all taps of the window.
    """

    input: ext.Operand[Any]
    kind: ir.StringAttr
    kernel: I64Array
    strides: I64Array
    dilations: I64Array
    pads: I64Array
    count_include_pad: Bool
    result: ext.Result[Any]

    @property
    def window(self) -> Window:
        """The sliding window of the op."""
        return Window(self.kernel, self.strides, self.dilations, self.pads)

    def check(self) -> None:
        batch, channels, height, width = tensor_shape("input", self.input, rank=4)
        result = tensor_shape("result", self.result, rank=4)
        expect_one_of("kind", POOL_KINDS, self.kind)
        window_is_valid(self.window, (height, width))
        expect_shape("result shape", (batch, channels, *self.window.output((height, width))), result)
        element_is("result", element_of(self.input), self.result)
        element = element_of(self.input)
        if not isinstance(element, ir.F32Type) and not (self.kind == "max" and is_quantized(element)):
            wanted = "f32 or a quantized type" if self.kind == "max" else "f32"
            raise VerifyError(f"input element type: expected {wanted} ({self.kind} pooling), got {element}")
        if self.kind == "max":
            expect("count_include_pad", False, self.count_include_pad, "max pooling")
