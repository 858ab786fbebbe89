"""The pass ``tfmbs-fuse-gemv``: sibling gemvs become one launch."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from tfmbs.dialect import graph
from tfmbs.dialect.attributes import TELEMETRY
from tfmbs.dialect.base import VARIADIC_LIMIT
from tfmbs.dialect.mlir import ir
from tfmbs.dialect.shapes import element_of
from tfmbs.dialect.telemetry import Telemetry, fused, telemetry_of
from tfmbs.dialect.types import is_quantized, packing_of
from tfmbs.passes.kernels import constant_elements, defining_op, kernel_name, ops_of
from tfmbs.passes.registry import Pass
from tfmbs.passes.tfmbs_telemetry import count_weights


@dataclass(frozen=True)
class TfmbsFuseGemv(Pass):
    """Join gemvs that read the same activations into a `tfmbs.fused_gemv`, the densest weights first.

    Siblings have constant weights of one kind and packing and no epilogue: a gemv into which something is fused is a
    launch of its own. The telemetry counts the run, with each layer as a member that has its place in it.

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
          %0:2 = "tfmbs.fused_gemv"(%x, %a, %b) {
            operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0>, orders = array<i64: 1, 0>,
            resultSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0>,
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
            if op.has_epilogue or constant_elements(op.rhs) is None:
                continue
            for run in runs:
                if len(run) < VARIADIC_LIMIT and _are_siblings(run[0][0], op):
                    run.append((op, layer))
                    break
            else:
                runs.append([(op, layer)])
        for run in runs:
            if len(run) > 1:
                _fuse(run)


def _are_siblings(first: Any, second: Any) -> bool:
    """Whether two gemvs can be one launch."""
    here = first.lhs == second.lhs and first.operation.block == second.operation.block
    return bool(here) and _stored_kind(first.rhs) == _stored_kind(second.rhs)


def _stored_kind(rhs: Any) -> tuple[Any, ...]:
    """What weights must have in common to lie under each other; scales may differ."""
    element = element_of(rhs)
    return packing_of(element), element.storage_type if is_quantized(element) else element


def _fuse(run: list[tuple[Any, Telemetry]]) -> None:
    """Replaces sibling gemvs, at the place of the first: weights are constants and can be read anywhere."""
    first = run[0][0]
    by_density = sorted(range(len(run)), key=lambda index: run[index][1].sparsity)
    orders = [by_density.index(index) for index in range(len(run))]
    for op, _ in run[1:]:
        weights = defining_op(op.rhs).operation
        if first.operation.is_before_in_block(weights):
            weights.move_before(first.operation)
    telemetry = fused([run[index][1] for index in by_density])
    with ir.Location.fused([op.location for op, _ in run]), ir.InsertionPoint(first):
        rhs = [op.rhs for op, _ in run]
        launch = graph.fused_gemv(first.lhs, rhs, orders, discardable={TELEMETRY: telemetry.to_attribute()})
    for (op, _), product in zip(run, launch.products, strict=True):
        op.result.replace_all_uses_with(product)
        op.operation.erase()
