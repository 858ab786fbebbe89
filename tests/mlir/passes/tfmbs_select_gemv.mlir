// RUN: tfmbs-opt %s --split-input-file --tfmbs-select-gemv | filecheck %s

// Telemetry, operands and the epilogue stay as they are.
// CHECK-LABEL: func.func @one_row
// CHECK:       "tfmbs.gemv"(%arg0, %arg1, %arg2) ({
// CHECK-NEXT:  ^bb0(%[[ACC:.*]]: f32, %[[B:.*]]: f32):
// CHECK-NEXT:    %[[S:.*]] = arith.addf %[[ACC]], %[[B]] : f32
// CHECK-NEXT:    "tfmbs.yield"(%[[S]]) : (f32) -> ()
// CHECK-NEXT:  }) {
// CHECK-SAME:    roles = ["channel"], telemetry = {layer = "fc", sparsity = 0.000000e+00 : f64, total = 8 : i64, zero_count = 0 : i64}
// CHECK-SAME:    (tensor<1x4xf32>, tensor<2x4xf32>, tensor<2xf32>) -> tensor<1x2xf32>
// CHECK-NOT:   "tfmbs.matmul"
func.func @one_row(%x: tensor<1x4xf32>, %w: tensor<2x4xf32>, %b: tensor<2xf32>) -> tensor<1x2xf32> {
  %0 = "tfmbs.matmul"(%x, %w, %b) ({
  ^bb0(%acc: f32, %bias: f32):
    %s = arith.addf %acc, %bias : f32
    "tfmbs.yield"(%s) : (f32) -> ()
  }) {roles = ["channel"], operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0>, telemetry = {layer = "fc", sparsity = 0.0 : f64, total = 8 : i64, zero_count = 0 : i64}} : (tensor<1x4xf32>, tensor<2x4xf32>, tensor<2xf32>) -> tensor<1x2xf32>
  return %0 : tensor<1x2xf32>
}

// -----

// One output channel is no reason, two rows are too many.
// CHECK-LABEL: func.func @two_rows
// CHECK:       "tfmbs.matmul"
// CHECK-NOT:   "tfmbs.gemv"
func.func @two_rows(%x: tensor<2x4xf32>, %w: tensor<1x4xf32>) -> tensor<2x1xf32> {
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<2x4xf32>, tensor<1x4xf32>) -> tensor<2x1xf32>
  return %0 : tensor<2x1xf32>
}
