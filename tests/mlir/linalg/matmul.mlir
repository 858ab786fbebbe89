// RUN: tfmbs-opt %s --tfmbs-to-linalg | filecheck %s
// RUN: tfmbs-opt %s --tfmbs-to-linalg=numerics=portable | filecheck %s --check-prefixes PORTABLE
// RUN: tfmbs-opt %s --tfmbs-to-linalg=numerics=portable | torch-mlir-opt | filecheck %s --check-prefixes PORTABLE

// Exact: a fused accumulation, then canonical NaN and the epilogue in one op; both carry the telemetry.
// CHECK-LABEL: func.func @matmul
// CHECK-SAME:  numerics = "exact"
// CHECK:       iterator_types = ["parallel", "parallel", "reduction"]
// CHECK-SAME:  telemetry = {layer = "fc"}
// CHECK-NEXT:  ^bb0(%[[A:.*]]: f32, %[[B:.*]]: f32, %[[ACC:.*]]: f32):
// CHECK-NEXT:  math.fma %[[A]], %[[B]], %[[ACC]] : f32
// CHECK:       ins(%{{.*}}, %arg2 : tensor<2x4xf32>, tensor<4xf32>)
// CHECK-SAME:  telemetry = {layer = "fc"}
// CHECK:       arith.addf
// CHECK-NOT:   tfmbs.

// PORTABLE-LABEL: func.func @matmul
// PORTABLE-SAME:  numerics = "portable"
// PORTABLE:       linalg.matmul
// PORTABLE-SAME:  telemetry = {layer = "fc"}
// PORTABLE:       linalg.generic
// PORTABLE:       arith.addf
// PORTABLE-NOT:   tfmbs
func.func @matmul(%x: tensor<2x8xf32> {tfmbs.name = "x"}, %w: tensor<4x8xf32> {tfmbs.name = "w"}, %b: tensor<4xf32> {tfmbs.name = "b"}) -> tensor<2x4xf32> {
  %0 = "tfmbs.matmul"(%x, %w, %b) ({
  ^bb0(%acc: f32, %bias: f32):
    %1 = arith.addf %acc, %bias : f32
    "tfmbs.yield"(%1) : (f32) -> ()
  }) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0>, roles = ["channel"], telemetry = {layer = "fc"}} : (tensor<2x8xf32>, tensor<4x8xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}
