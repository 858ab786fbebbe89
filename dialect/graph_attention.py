"""The graph-level op of attention, and what it shares with the launch of it."""

from typing import Any

from tfmbs.dialect.base import Bool, Op, VerifyError
from tfmbs.dialect.checks import element_is, expect, expect_one_of, expect_range, expect_shape, tensor_shape
from tfmbs.dialect.mlir import ext, ir
from tfmbs.dialect.shapes import Shape
from tfmbs.runtime.abi.geometries import F32_MAX
from tfmbs.runtime.abi.records import MaskMode

MASK_MODES = {mode.name.lower(): mode for mode in MaskMode}
I32_BOUNDS = (-(2**31), 2**31 - 1)


class AttentionOp(Op, name="attention", traits=[ext.Pure]):
    """Weights of `value`, by the softmax of the products of `query` and `key`: B×H×M×E.

    `query` is B×H×M×D, `key` B×G×N×D, `value` B×G×N×E; the heads of a group of H / G follow each other. A score is the
    product, times `scale`; `mask`, of B×H×M×N with sizes of 1 where it is shared, is added (`mask_mode` "add"), the
    same, and a sum of −∞ is hidden ("add_shown"), or shows what is true ("select", i1). With `causal`, query i is shown
    the keys up to i + `offset`. What is hidden has the score `fill`, and with `clear` the weight +0.
    """

    query: ext.Operand[Any]
    key: ext.Operand[Any]
    value: ext.Operand[Any]
    mask: ext.Operand[Any] | None
    scale: ir.FloatAttr
    mask_mode: ir.StringAttr
    fill: ir.FloatAttr
    causal: Bool
    offset: ir.IntegerAttr
    clear: Bool
    result: ext.Result[Any]

    def check(self) -> None:
        query, key, value = (tensor_shape(name, getattr(self, name), rank=4) for name in ("query", "key", "value"))
        mask = None if self.mask is None else tensor_shape("mask", self.mask, rank=4)
        out = check_attention(self, query, key, value, mask)
        expect_shape("result shape", out, tensor_shape("result", self.result))
        element_is("result", ir.F32Type.get(), self.result)


def check_attention(op: Any, query: Shape, key: Shape, value: Shape, mask: Shape | None) -> Shape:
    """What holds of operands and attributes at both levels; returns the shape of the result."""
    batch, heads, rows, width = query
    for name in ("query", "key", "value"):
        element_is(name, ir.F32Type.get(), getattr(op, name))
    if heads % key[1]:
        raise VerifyError(f"query heads: expected a multiple of the {key[1]} heads of key, got {heads}")
    expect_shape("key shape", (batch, key[1], key[2], width), key, "batch and width of query")
    expect_shape("value shape", (*key[:3], value[3]), value, "batch, heads and rows of key")
    expect_one_of("mask_mode", MASK_MODES, op.mask_mode)
    expect("number of masks", int(MASK_MODES[op.mask_mode] is not MaskMode.NONE), int(mask is not None), op.mask_mode)
    if mask is not None:
        full = (batch, heads, rows, key[2])
        expect_shape("mask shape", tuple(f if m > 1 else 1 for f, m in zip(full, mask, strict=True)), mask, "or 1 each")
        bits = ir.IntegerType.get_signless(1)
        element_is("mask", bits if op.mask_mode == "select" else ir.F32Type.get(), op.mask)
    for name in ("scale", "fill"):
        if op.attributes[name].type != ir.F32Type.get():
            raise VerifyError(f"{name} type: expected f32, got {op.attributes[name].type}")
    if not -F32_MAX <= op.scale <= F32_MAX:
        raise VerifyError(f"scale: expected a finite number, got {op.scale}")
    if not op.fill <= 0:
        raise VerifyError(f"fill: expected at most 0, got {op.fill}")
    expect_range("offset", *I32_BOUNDS, op.offset)
    return (batch, heads, rows, value[3])
