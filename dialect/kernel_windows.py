"""The kernel-level launches that slide a window over images or volumes: convolutions and pooling."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from tfmbs.dialect.attributes import schedule_of
from tfmbs.dialect.base import I64Array, Op, VerifyError
from tfmbs.dialect.checks import element_is, expect_at_least, expect_one_of, expect_shape, window_is_valid
from tfmbs.dialect.kernel import STORED_PACKINGS, LaunchOp, dense_shape
from tfmbs.dialect.mlir import ext, ir
from tfmbs.dialect.shapes import Shape, Window, element_of, shape_of
from tfmbs.dialect.types import ROW_PACKINGS
from tfmbs.runtime.abi.records import PoolMode

POOL_MODES = {mode.name.lower(): mode for mode in PoolMode if mode is not PoolMode.NONE}


@dataclass(frozen=True)
class Axes:
    """What the records of sliding windows call the spatial axes, outermost first, and the sides that are padded."""

    names: tuple[str, ...]
    sides: tuple[str, ...]


IMAGE = Axes(("height", "width"), ("top", "left", "bottom", "right"))
VOLUME = Axes(("depth", "height", "width"), ("front", "top", "left"))


class KernelConvolutionOp(LaunchOp):
    """Base of the convolutions: channels are axis 1 of input and out, the axes `AXES` come last."""

    @property
    def window(self) -> Window:
        """The sliding window of the op."""
        return Window(self.kernel, self.strides, self.dilations, self.pads)

    @property
    def geometry(self) -> dict[str, int]:
        """The fields of the geometry record."""
        fields = window_geometry(self.AXES, self.window, shape_of(self.input.type), shape_of(self.out.type))
        return {**fields, "groups": self.groups, "lhs_zero": self.lhs_zero}

    def check(self) -> None:
        rank = len(self.AXES.names) + 2
        batch, channels, *size = dense_shape("input", self.input, rank=rank)
        out_channels = dense_shape("out", self.out, rank=rank)[1]
        expect_one_of("rhs_packing", STORED_PACKINGS, self.rhs_packing)
        window_is_valid(self.window, tuple(size))
        expect_at_least("groups", 1, (self.groups,))
        for what, count in (("input channels", channels), ("output channels", out_channels)):
            if count % self.groups:
                raise VerifyError(f"{what}: expected a multiple of groups {self.groups}, got {count}")
        row = (channels // self.groups, *self.kernel)
        if self.rhs_packing not in ROW_PACKINGS:
            expect_shape("filter shape", (out_channels, *row), dense_shape("filter", self.filter))
        self.check_launch((batch, out_channels, *self.window.output(tuple(size))), row, channel_axis=1)


class KernelConv2dOp(KernelConvolutionOp, name="kernel_conv2d", traits=[ir.IsIsolatedFromAboveTrait]):
    """Convolution of dense `input` N×C×H×W into dense `out` N×O×H'×W', then the epilogue.

    `filter` is O×(C/groups)×kh×kw, or O×bytes with a packing of trits; `kernel` is (kh, kw),
    `pads` are (top, left, bottom, right). `lhs_zero` is subtracted from every stored input element; padded taps are
    skipped.
    """

    input: ext.Operand[Any]
    filter: ext.Operand[Any]
    out: ext.Operand[Any]
    epilogue_operands: Sequence[ext.Operand[Any]]
    kernel: I64Array
    strides: I64Array
    dilations: I64Array
    pads: I64Array
    groups: ir.IntegerAttr
    rhs_packing: ir.StringAttr
    lhs_zero: ir.IntegerAttr
    roles: ir.ArrayAttr
    epilogue: ext.Region

    AXES: ClassVar[Axes] = IMAGE

    @property
    def geometry(self) -> dict[str, int]:
        """The fields of the `window_geometry` record."""
        return {**super().geometry, "mode": int(PoolMode.NONE)}


class KernelConv3dOp(KernelConvolutionOp, name="kernel_conv3d", traits=[ir.IsIsolatedFromAboveTrait]):
    """Convolution of dense `input` N×C×D×H×W into dense `out` N×O×D'×H'×W', then the epilogue.

    `filter` is O×(C/groups)×kd×kh×kw, or O×bytes with a packing of trits; `kernel` is (kd, kh, kw),
    `pads` are (front, top, left, back, bottom, right). `lhs_zero` is subtracted from every stored input element; padded
    taps are skipped.
    """

    input: ext.Operand[Any]
    filter: ext.Operand[Any]
    out: ext.Operand[Any]
    epilogue_operands: Sequence[ext.Operand[Any]]
    kernel: I64Array
    strides: I64Array
    dilations: I64Array
    pads: I64Array
    groups: ir.IntegerAttr
    rhs_packing: ir.StringAttr
    lhs_zero: ir.IntegerAttr
    roles: ir.ArrayAttr
    epilogue: ext.Region

    AXES: ClassVar[Axes] = VOLUME


class KernelPoolOp(Op, name="kernel_pool"):
    """Pooling of dense `input` N×C×H×W into dense `out`; `mode` is "max", "avg" (of valid taps) or "avg_padded"."""

    input: ext.Operand[Any]
    out: ext.Operand[Any]
    mode: ir.StringAttr
    kernel: I64Array
    strides: I64Array
    dilations: I64Array
    pads: I64Array

    @property
    def window(self) -> Window:
        """The sliding window of the op."""
        return Window(self.kernel, self.strides, self.dilations, self.pads)

    @property
    def geometry(self) -> dict[str, int]:
        """The fields of the `window_geometry` record."""
        fields = window_geometry(IMAGE, self.window, shape_of(self.input.type), shape_of(self.out.type))
        return {**fields, "groups": 1, "lhs_zero": 0, "mode": int(POOL_MODES[self.mode])}

    def check(self) -> None:
        batch, channels, height, width = dense_shape("input", self.input, rank=4)
        expect_one_of("mode", POOL_MODES, self.mode)
        window_is_valid(self.window, (height, width))
        out = (batch, channels, *self.window.output((height, width)))
        expect_shape("out shape", out, dense_shape("out", self.out, rank=4))
        types = (ir.F32Type.get(), ir.IntegerType.get_signless(8))[: 2 if self.mode == "max" else 1]
        expect_one_of("input element type", types, element_of(self.input))
        element_is("out", element_of(self.input), self.out)
        schedule_of(self)


def window_geometry(axes: Axes, window: Window, input: Shape, out: Shape) -> dict[str, int]:
    """The fields of a geometry record that follow from the window and the shapes N×C×axes of input and result."""
    sizes = {"batch": input[0], "in_channels": input[1], "out_channels": out[1]}
    values = {"in": input[2:], "out": out[2:]}
    values |= {"kernel": window.kernel, "stride": window.strides, "dilation": window.dilations}
    for name, lengths in values.items():
        sizes |= {f"{name}_{axis}": length for axis, length in zip(axes.names, lengths, strict=True)}
    return sizes | {f"pad_{side}": pad for side, pad in zip(axes.sides, window.pads, strict=False)}
