"""The pass ``tfmbs-pack``: ternary constants get the packing they have in the binary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tfmbs.dialect import graph
from tfmbs.dialect.mlir import ir
from tfmbs.dialect.resources import resource_attr, resource_name
from tfmbs.dialect.shapes import element_of
from tfmbs.dialect.types import PACKINGS, is_ternary, packing_name, packing_of, storage_shape, ternary
from tfmbs.passes.graph.kernels import PRODUCTS, ops_of, unpacked
from tfmbs.passes.registry import Pass
from tfmbs.runtime.abi.packing import pack_rows


@dataclass(frozen=True)
class TfmbsPack(Pass):
    """Pack the trits of constant weights: five per byte (pt5), four (t2) or one (i8).

    Trits are packed along the reduction, each output channel's row (all other dimensions, flattened) on its own and
    padded to a whole byte. Constants that anything but a product reads keep their packing.

    Options: packing=t2

    Before:

        func.func @f(%x: tensor<1x6xf32>) -> tensor<1x2xf32> {
          %w = "tfmbs.constant"() {value = dense<[[-1, 0, 1, 1, 0, -1], [0, 0, 0, 0, 1, 0]]> : tensor<2x6xi8>}
              : () -> tensor<2x6x!tfmbs.ternary<"i8">>
          %0 = "tfmbs.matmul"(%x, %w) ({}) {
            operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []
          } : (tensor<1x6xf32>, tensor<2x6x!tfmbs.ternary<"i8">>) -> tensor<1x2xf32>
          return %0 : tensor<1x2xf32>
        }

    After:

        func.func @f(%x: tensor<1x6xf32>) -> tensor<1x2xf32> {
          %w = "tfmbs.constant"() {value = dense<[[-92, 81], [85, 86]]> : tensor<2x2xi8>}
              : () -> tensor<2x6x!tfmbs.ternary<"t2">>
          %0 = "tfmbs.matmul"(%x, %w) ({}) {
            operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []
          } : (tensor<1x6xf32>, tensor<2x6x!tfmbs.ternary<"t2">>) -> tensor<1x2xf32>
          return %0 : tensor<1x2xf32>
        }
    """

    packing: Literal["pt5", "t2", "i8"] = "pt5"

    def run(self, module: Any) -> None:
        packing = PACKINGS[self.packing]
        for op in ops_of(module, graph.ConstantOp):
            element = element_of(op.result)
            if is_ternary(element) and packing_of(element) is not packing and _only_weights(op.result):
                with op.location, ir.InsertionPoint(op):
                    _repack(op, ternary(packing))


def _only_weights(value: Any) -> bool:
    users = [(use.owner.opview, use.operand_number) for use in value.uses]
    return all(isinstance(user, (*PRODUCTS, graph.FusedGemvOp)) and number >= 1 for user, number in users)


def _repack(op: Any, element: Any) -> None:
    trits = unpacked(op)
    stored = pack_rows(trits.reshape(trits.shape[0], -1), packing_of(element)).view(np.int8)
    stored = stored.reshape(storage_shape(trits.shape, element))
    # A short constant is written out in the text and needs no name.
    name = "trits" if isinstance(op.value, ir.DenseElementsAttr) else resource_name(op.value)
    packed = graph.constant(resource_attr(stored, f"{name}.{packing_name(element)}"), trits.shape, element)
    op.result.replace_all_uses_with(packed.result)
    op.operation.erase()
