"""The pass ``widen-products``: products of f16 and bf16 are those of f32, rounded once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfmbs.dialect.mlir import ir
from tfmbs.passes.onnx.build import cast_all
from tfmbs.passes.onnx.elements import Element
from tfmbs.passes.registry import Pass
from tfmbs.passes.torch import values as tv

PRODUCTS = frozenset(f"torch.aten.{name}" for name in ("bmm", "convolution", "linear", "matmul", "mm"))
_F32 = Element("f32")


@dataclass(frozen=True)
class WidenProducts(Pass):
    """Compute products and convolutions of f16 and bf16 in f32, and round their results once.

    The fabric's kernels accumulate in f32. Sums in the narrow type would be rounded at each step, which is slow and far
    from what other implementations give.

    Before:

        func.func @f(%x: !torch.vtensor<[2,3],f16>, %y: !torch.vtensor<[3,4],f16>) -> !torch.vtensor<[2,4],f16> {
          %0 = torch.aten.mm %x, %y : !torch.vtensor<[2,3],f16>, !torch.vtensor<[3,4],f16> -> !torch.vtensor<[2,4],f16>
          return %0 : !torch.vtensor<[2,4],f16>
        }

    After:

        #same = affine_map<(d0, d1) -> (d0, d1)>
        func.func @f(%x: !torch.vtensor<[2,3],f16>, %y: !torch.vtensor<[3,4],f16>) -> !torch.vtensor<[2,4],f16> {
          %0 = torch_c.to_builtin_tensor %x : !torch.vtensor<[2,3],f16> -> tensor<2x3xf16>
          %1 = tensor.empty() : tensor<2x3xf32>
          %2 = linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel", "parallel"]}
              ins(%0 : tensor<2x3xf16>) outs(%1 : tensor<2x3xf32>) {
          ^bb0(%in: f16, %out: f32):
            %13 = arith.extf %in : f16 to f32
            linalg.yield %13 : f32
          } -> tensor<2x3xf32>
          %3 = torch_c.from_builtin_tensor %2 : tensor<2x3xf32> -> !torch.vtensor<[2,3],f32>
          %4 = torch_c.to_builtin_tensor %y : !torch.vtensor<[3,4],f16> -> tensor<3x4xf16>
          %5 = tensor.empty() : tensor<3x4xf32>
          %6 = linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel", "parallel"]}
              ins(%4 : tensor<3x4xf16>) outs(%5 : tensor<3x4xf32>) {
          ^bb0(%in: f16, %out: f32):
            %13 = arith.extf %in : f16 to f32
            linalg.yield %13 : f32
          } -> tensor<3x4xf32>
          %7 = torch_c.from_builtin_tensor %6 : tensor<3x4xf32> -> !torch.vtensor<[3,4],f32>
          %8 = torch.aten.mm %3, %7 : !torch.vtensor<[2,3],f32>, !torch.vtensor<[3,4],f32> -> !torch.vtensor<[2,4],f32>
          %9 = torch_c.to_builtin_tensor %8 : !torch.vtensor<[2,4],f32> -> tensor<2x4xf32>
          %10 = tensor.empty() : tensor<2x4xf16>
          %11 = linalg.generic {indexing_maps = [#same, #same], iterator_types = ["parallel", "parallel"]}
              ins(%9 : tensor<2x4xf32>) outs(%10 : tensor<2x4xf16>) {
          ^bb0(%in: f32, %out: f16):
            %13 = arith.truncf %in : f32 to f16
            linalg.yield %13 : f16
          } -> tensor<2x4xf16>
          %12 = torch_c.from_builtin_tensor %11 : tensor<2x4xf16> -> !torch.vtensor<[2,4],f16>
          return %12 : !torch.vtensor<[2,4],f16>
        }
    """

    def run(self, module: Any) -> None:
        found: list[Any] = []

        def collect(op: Any) -> Any:
            if op.name in PRODUCTS and all(tv.is_narrow(value) for value in (*_tensors(op), op.results[0])):
                found.append(op)
            return ir.WalkResult.ADVANCE

        module.operation.walk(collect)
        for op in found:
            with op.location, ir.InsertionPoint(op):
                _widen(op)


def _tensors(op: Any) -> list[Any]:
    return [value for value in op.operands if str(value.type).startswith("!torch.vtensor")]


def _widen(op: Any) -> None:
    tensors = _tensors(op)
    operands = [_wide(value) if value in tensors else value for value in op.operands]
    result = op.results[0]
    wide = ir.Operation.create(op.name, results=[tv.with_element(result, "f32")], operands=operands)
    narrow = cast_all(tv.to_builtin(wide.results[0]), _F32, Element(tv.element(result)))
    result.replace_all_uses_with(tv.from_builtin(narrow, result))
    op.erase()


def _wide(value: Any) -> Any:
    """The value in f32; a literal stays one, so that it can become a kernel's weights."""
    array = tv.literal(value)
    target = tv.with_element(value, "f32")
    if array is not None:
        return tv.literal_of(array, tv.label(value), target)
    return tv.as_torch(cast_all(tv.to_builtin(value), Element(tv.element(value)), _F32), target)
