"""The pass ``tfmbs-pack``: ternary constants get the packing they have in the binary."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from tfmbs.dialect import graph
from tfmbs.dialect.attributes import PACKING
from tfmbs.dialect.mlir import ir
from tfmbs.dialect.resources import read_elements, resource_attr, resource_name
from tfmbs.dialect.shapes import element_of, elements, shape_of
from tfmbs.dialect.telemetry import telemetry_of
from tfmbs.dialect.types import PACKINGS, is_ternary, packing_name, packing_of, storage_shape, ternary
from tfmbs.passes.graph.kernels import PRODUCTS, defining_op, ops_of, unpacked
from tfmbs.passes.graph.packing_choice import Home, Weights, choose_packing
from tfmbs.passes.graph.tiling import has_plan
from tfmbs.passes.registry import Pass
from tfmbs.passes.tfmbs_tile import PROBLEMS
from tfmbs.runtime.abi.packing import pack_rows
from tfmbs.runtime.abi.target import Target
from tfmbs.runtime.abi.target_file import load_target
from tfmbs.runtime.abi.types import Packing, packed_rows


@dataclass(frozen=True)
class TfmbsPack(Pass):
    """Pack the trits of constant weights: five per byte (pt5, r5, a5), four (t2), one (i8), or flags, signs (s2, s4).

    `r5` holds blocks of 320 trits as residues, `a5` those of 64 rows side by side; `s2` and `s4` rows of which at most
    half or a quarter are not zero. Trits are packed along the reduction, each output channel's row (all other
    dimensions, flattened) on its own and padded to a whole byte, or block. Constants that anything but a product reads
    keep their packing.

    `auto` takes the cheapest: the cost is that of `passes/graph/packing_choice.py` on the target, for what is measured
    of the layer. The weights of one launch share a packing, and the module says which each layer got and why
    (`tfmbs.packing`). Where the target has no tiles of 64 rows, `a5` is none of them.

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

    packing: Literal["auto", "pt5", "t2", "i8", "s2", "s4", "r5", "a5"] = "pt5"
    target: str = "kpu-16x16"

    def run(self, module: Any) -> None:
        launches = list(_launches(module))
        if PACKING in module.operation.attributes:
            del module.operation.attributes[PACKING]
        if self.packing != "auto":
            for launch in launches:
                launch.repack(PACKINGS[self.packing])
            return
        target = load_target(self.target)
        home = Home.of(
            sum(elements(shape_of(op.result.type)) for launch in launches for op in launch.constants), target
        )
        reasons: dict[str, str] = {}
        for launch in launches:
            measured = launch.measured()
            choice = choose_packing(measured, home, target)
            if choice.packing is Packing.A5 and not launch.is_cut_abreast(target):
                choice = choose_packing(measured, home, target, without=Packing.A5)
            launch.repack(choice.packing)
            reasons |= dict.fromkeys(launch.layers, choice.reason())
        if reasons:
            with module.context:
                entries = {layer: ir.StringAttr.get(reason) for layer, reason in reasons.items()}
                module.operation.attributes[PACKING] = ir.DictAttr.get(entries)


@dataclass
class _Launch:
    """Ternary constants that must have one packing, as one launch reads them, and the layers whose weights they are."""

    constants: list[Any]
    layers: list[str]

    def measured(self) -> Weights:
        """What all of them hold."""
        parts = []
        for op in self.constants:
            rows, *rest = shape_of(op.result.type)
            packing = packing_of(element_of(op.result))
            stored = read_elements(op.value).view(np.uint8).reshape(packed_rows(packing, rows), -1)
            parts.append(Weights.measured(stored, rows, elements(tuple(rest)), packing))
        return Weights.joined(parts)

    def is_cut_abreast(self, target: Target) -> bool:
        """Whether the target has tiles of all that reads them, with rows that lie abreast."""
        users = {use.owner.opview for op in self.constants for use in op.result.uses}
        problems = (PROBLEMS[type(user)](user) for user in users)
        return all(has_plan(replace(problem, packing=Packing.A5), target) for problem in problems)

    def repack(self, packing: Packing) -> None:
        """Gives them `packing`."""
        for op in self.constants:
            if packing_of(element_of(op.result)) is not packing:
                with op.location, ir.InsertionPoint(op):
                    _repack(op, ternary(packing))


def _launches(module: Any) -> Iterator[_Launch]:
    """All ternary constants that only products read; those that share a fused launch are together."""
    found: list[_Launch] = []
    for op in ops_of(module, graph.ConstantOp):
        if not is_ternary(element_of(op.result)) or not _only_weights(op.result):
            continue
        users = [use.owner.opview for use in op.result.uses]
        fused = {defining_op(rhs) for user in users if isinstance(user, graph.FusedGemvOp) for rhs in user.rhs}
        layers = [layer for user in users for layer in _layers(user)]
        sharing = [launch for launch in found if fused & set(launch.constants)]
        for launch in sharing:
            found.remove(launch)
        constants = [other for launch in sharing for other in launch.constants]
        found.append(_Launch([*constants, op], [*(name for launch in sharing for name in launch.layers), *layers]))
    yield from found


def _layers(user: Any) -> list[str]:
    telemetry = telemetry_of(user)
    if telemetry is None:
        return []
    return [member.layer for member in telemetry.members] or [telemetry.layer]


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
