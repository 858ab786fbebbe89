"""The launch of attention on memrefs, with the geometry of its device record."""

from collections.abc import Sequence
from typing import Any

from tfmbs.dialect.attributes import schedule_of
from tfmbs.dialect.base import Bool, Op, VerifyError
from tfmbs.dialect.checks import element_is, expect_at_least, expect_shape, memref_shape
from tfmbs.dialect.graph_attention import MASK_MODES, check_attention
from tfmbs.dialect.kernel import is_dense, strides_of
from tfmbs.dialect.mlir import ext, ir
from tfmbs.dialect.shapes import Shape, shape_of

BY_ROWS = (0, 2, 1, 3)
"""The axes of B×H×M×E in the order in which a result by rows has them."""


class KernelAttentionOp(Op, name="kernel_attention"):
    """`tfmbs.attention` into `out`, which is dense, or is so with heads and rows exchanged, as B×M×H×E.

    The other operands have any strides; `mask` is shared along sizes of 1.
    """

    query: ext.Operand[Any]
    key: ext.Operand[Any]
    value: ext.Operand[Any]
    out: ext.Operand[Any]
    mask: ext.Operand[Any] | None
    scale: ir.FloatAttr
    mask_mode: ir.StringAttr
    fill: ir.FloatAttr
    causal: Bool
    offset: ir.IntegerAttr
    clear: Bool

    @property
    def geometry(self) -> dict[str, float]:
        """The fields of the `attention_geometry` record; strides in elements."""
        batch, heads, rows, width = shape_of(self.query.type)
        groups, columns = shape_of(self.key.type)[1:3]
        sizes: dict[str, float] = {
            "batch": batch,
            "groups": groups,
            "shared": heads // groups,
            "rows": rows,
            "columns": columns,
            "width": width,
            "value_width": shape_of(self.value.type)[3],
        }
        for name, head, value in (
            ("lhs", "head", self.query),
            ("rhs", "group", self.key),
            ("value", "group", self.value),
        ):
            sizes |= _strides(name, ("_batch", f"_{head}", "_row", ""), value)
        sizes |= _strides("mask", ("_batch", "_head", "_row", "_column"), self.mask)
        return sizes | {
            "scale": self.scale,
            "fill": self.fill,
            "offset": self.offset,
            "mask": int(MASK_MODES[self.mask_mode]),
            "causal": int(self.causal),
            "clear": int(self.clear),
            "out_by_rows": int(not is_dense(shape_of(self.out.type), strides_of(self.out.type))),
        }

    def check(self) -> None:
        query, key, value = (memref_shape(name, getattr(self, name), rank=4) for name in ("query", "key", "value"))
        mask = None if self.mask is None else memref_shape("mask", self.mask, rank=4)
        out = memref_shape("out", self.out, rank=4)
        expect_shape("out shape", check_attention(self, query, key, value, mask), out)
        if not lies_as_result(out, strides_of(self.out.type)):
            expected = f"those of a dense {'×'.join(map(str, out))}, or of one with heads and rows exchanged"
            raise VerifyError(f"out strides: expected {expected}, got {list(strides_of(self.out.type))}")
        element_is("out", ir.F32Type.get(), self.out)
        for name in ("query", "key", "value", "mask"):
            if (operand := getattr(self, name)) is not None:
                expect_at_least(f"{name} strides", 0, strides_of(operand.type))
        schedule_of(self)


def lies_as_result(shape: Shape, strides: Sequence[int]) -> bool:
    """Whether a launch of attention writes B×H×M×E with these strides: dense, or dense as B×M×H×E."""
    return is_dense(shape, strides) or is_dense(*([each[axis] for axis in BY_ROWS] for each in (shape, strides)))


def _strides(name: str, axes: tuple[str, ...], value: Any) -> dict[str, float]:
    """The strides of a memref, 0 along sizes of 1; all 0 without one."""
    strides = (0, 0, 0, 0) if value is None else strides_of(value.type)
    sizes = (1, 1, 1, 1) if value is None else shape_of(value.type)
    return {
        f"{name}{axis}_stride": stride if size > 1 else 0
        for axis, stride, size in zip(axes, strides, sizes, strict=True)
    }
