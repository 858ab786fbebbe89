"""The pass ``tfmbs-fuse-gemv``: sibling gemvs become one launch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfmbs.dialect import graph
from tfmbs.dialect.attributes import TELEMETRY
from tfmbs.dialect.base import VARIADIC_LIMIT
from tfmbs.dialect.mlir import arith, ir
from tfmbs.dialect.resources import resource_attr
from tfmbs.dialect.shapes import element_of
from tfmbs.dialect.telemetry import Telemetry, fused, telemetry_of
from tfmbs.dialect.types import is_quantized, packing_of
from tfmbs.passes.graph.kernels import constant_elements, defining_op, erase, kernel_name, move_epilogue, ops_of
from tfmbs.passes.linalg.generics import CHANNEL, SCALAR
from tfmbs.passes.linalg.structured import same_code
from tfmbs.passes.registry import Pass
from tfmbs.passes.tfmbs_telemetry import count_weights


@dataclass(frozen=True)
class TfmbsFuseGemv(Pass):
    """Join gemvs that read the same activations into a `tfmbs.fused_gemv`, the densest weights first.

    Siblings have constant weights of one kind and packing, and the same epilogue but for the values it reads: those
    per channel are put one behind the other in launch order. The telemetry counts the run, with each layer as a
    member that has its place in it.

    Before:

        func.func @f(%x: tensor<1x2xf32>) -> (tensor<1x1xf32>, tensor<1x2xf32>) {
          %a = arith.constant dense<[[0.0, 1.0]]> : tensor<1x2xf32>
          %b = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
          %0 = "tfmbs.gemv"(%x, %a) ({}) {
            operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []
          } : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x1xf32>
          %1 = "tfmbs.gemv"(%x, %b) ({}) {
            operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []
          } : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
          return %0, %1 : tensor<1x1xf32>, tensor<1x2xf32>
        }

    After:

        func.func @f(%x: tensor<1x2xf32>) -> (tensor<1x1xf32>, tensor<1x2xf32>) {
          %a = arith.constant dense<[[0.0, 1.0]]> : tensor<1x2xf32>
          %b = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
          %0:2 = "tfmbs.fused_gemv"(%x, %a, %b) ({}) {
            operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0>, orders = array<i64: 1, 0>,
            resultSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0>, roles = [],
            telemetry = {
              fusion_order = 0 : i64, fusion_sparsity = 0.16666666666666666 : f64, layer = "gemv_1+gemv_0",
              members = [
                {fusion_order = 0 : i64, fusion_sparsity = 0.16666666666666666 : f64, layer = "gemv_1",
                 sparsity = 0.0 : f64, total = 4 : i64, zero_count = 0 : i64},
                {fusion_order = 1 : i64, fusion_sparsity = 0.16666666666666666 : f64, layer = "gemv_0",
                 sparsity = 0.5 : f64, total = 2 : i64, zero_count = 1 : i64}
              ],
              sparsity = 0.16666666666666666 : f64, total = 6 : i64, zero_count = 1 : i64
            }
          } : (tensor<1x2xf32>, tensor<1x2xf32>, tensor<2x2xf32>) -> (tensor<1x1xf32>, tensor<1x2xf32>)
          return %0#0, %0#1 : tensor<1x1xf32>, tensor<1x2xf32>
        }
    """

    def run(self, module: Any) -> None:
        numbers: Counter[str] = Counter()
        runs: list[list[tuple[Any, Telemetry]]] = []
        for op in ops_of(module, graph.GemvOp):
            layer = telemetry_of(op) or count_weights(op, f"{kernel_name(op)}_{numbers['gemv']}")
            numbers["gemv"] += 1
            if not all(constant_elements(value) is not None for value in _parts(op)):
                continue
            for run in runs:
                if len(run) < _most(op) and _are_siblings(run[0][0], op):
                    run.append((op, layer))
                    break
            else:
                runs.append([(op, layer)])
        for run in runs:
            if len(run) > 1:
                _fuse(run)


def _parts(op: Any) -> list[Any]:
    """What the launch reads of one gemv alone: its weights, and its epilogue's values per channel."""
    operands = zip(op.epilogue_operands, op.roles, strict=True)
    return [op.rhs, *(value for value, role in operands if role != SCALAR)]


def _most(op: Any) -> int:
    """How many gemvs with the epilogue of this one a launch has operands for."""
    return VARIADIC_LIMIT - len(op.epilogue_operands)


def _are_siblings(first: Any, second: Any) -> bool:
    """Whether two gemvs can be one launch."""
    here = first.lhs == second.lhs and first.operation.block == second.operation.block
    alike = _stored_kind(first.rhs) == _stored_kind(second.rhs) and first.roles == second.roles
    if not here or not alike or element_of(first.result) != element_of(second.result):
        return False
    operands = zip(first.epilogue_operands, second.epilogue_operands, first.roles, strict=True)
    return all(_can_share(a, b, role) for a, b, role in operands) and same_code(_code(first), _code(second))


def _can_share(first: Any, second: Any, role: str) -> bool:
    """Whether the launch can read an epilogue operand for both: one per channel in two parts, or the same element."""
    return role == CHANNEL or (role == SCALAR and bool(first == second))


def _code(op: Any) -> Any:
    return op.epilogue_block if op.has_epilogue else None


def _stored_kind(rhs: Any) -> tuple[Any, ...]:
    """What weights must have in common to lie under each other; scales may differ."""
    element = element_of(rhs)
    return packing_of(element), element.storage_type if is_quantized(element) else element


def _fuse(run: list[tuple[Any, Telemetry]]) -> None:
    """Replaces sibling gemvs, at the place of the first: weights are constants and can be read anywhere."""
    first, *_ = run[0]
    by_density = sorted(range(len(run)), key=lambda index: run[index][1].sparsity)
    orders = [by_density.index(index) for index in range(len(run))]
    for op, _ in run[1:]:
        weights = defining_op(op.rhs).operation
        if first.operation.is_before_in_block(weights):
            weights.move_before(first.operation)
    telemetry = fused([run[index][1] for index in by_density])
    ordered = [run[index][0] for index in by_density]
    operands = zip(*(op.epilogue_operands for op in ordered), first.roles, strict=True)
    with ir.Location.fused([op.location for op, _ in run]), ir.InsertionPoint(first):
        launch = graph.fused_gemv(
            first.lhs,
            [op.rhs for op, _ in run],
            orders,
            element_of(first.result),
            [_stacked(values, role) for *values, role in operands],
            first.roles,
            discardable={TELEMETRY: telemetry.to_attribute()},
        )
    move_epilogue(first, launch)
    for (op, _), product in zip(run, launch.products, strict=True):
        op.result.replace_all_uses_with(product)
        erase(op)


def _stacked(values: Sequence[Any], role: str) -> Any:
    """The epilogue operand of the launch for those of its gemvs, in launch order."""
    if role == SCALAR:
        return values[0]
    attribute = resource_attr(np.concatenate([constant_elements(value) for value in values]), "fused_gemv")
    return arith.ConstantOp(attribute.type, attribute).result
