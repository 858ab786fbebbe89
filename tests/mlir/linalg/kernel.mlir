// RUN: tfmbs-opt %s --split-input-file --tfmbs-to-kernel --tfmbs-to-linalg | filecheck %s

// A launch writes its output in place; the weights are read-only memory.
// CHECK-LABEL: func.func @gemm(%arg0: memref<2x8xf32>, %arg1: memref<4xf32>, %arg2: memref<2x4xf32> {tfmbs.output})
// CHECK:       bufferization.to_buffer {{.*}} read_only : tensor<4x8xf32> to memref<4x8xf32>
// CHECK:       memref.alloc() : memref<2x4xf32>
// CHECK:       math.fma
// CHECK:       outs(%arg2 : memref<2x4xf32>)
// CHECK:       arith.addf
// CHECK-NOT:   tfmbs.kernel
func.func @gemm(%x: tensor<2x8xf32>, %b: tensor<4xf32>) -> tensor<2x4xf32> {
  %w = arith.constant dense<1.0> : tensor<4x8xf32>
  %0 = "tfmbs.matmul"(%x, %w, %b) ({
  ^bb0(%acc: f32, %bias: f32):
    %1 = arith.addf %acc, %bias : f32
    "tfmbs.yield"(%1) : (f32) -> ()
  }) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0>, roles = ["channel"]} : (tensor<2x8xf32>, tensor<4x8xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// -----

// CHECK-LABEL: func.func @conv
// CHECK:       memref.subview
// CHECK:       arith.select
// CHECK-NOT:   tfmbs.kernel
func.func @conv(%x: tensor<1x2x6x6xf32>, %w: tensor<4x2x3x3xf32>) -> tensor<1x4x6x6xf32> {
  %0 = "tfmbs.conv2d"(%x, %w) ({}) {dilations = array<i64: 1, 1>, strides = array<i64: 1, 1>, groups = 1 : i64, pads = array<i64: 1, 1, 1, 1>, roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x2x6x6xf32>, tensor<4x2x3x3xf32>) -> tensor<1x4x6x6xf32>
  return %0 : tensor<1x4x6x6xf32>
}

// -----

// CHECK-LABEL: func.func @pool
// CHECK:       arith.maximumf
// CHECK:       outs(%arg1 : memref<1x2x2x2xf32>)
// CHECK-NOT:   tfmbs.kernel
func.func @pool(%x: tensor<1x2x4x4xf32>) -> tensor<1x2x2x2xf32> {
  %0 = "tfmbs.pool"(%x) {count_include_pad = false, dilations = array<i64: 1, 1>, kernel = array<i64: 2, 2>, kind = "max", pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 2, 2>} : (tensor<1x2x4x4xf32>) -> tensor<1x2x2x2xf32>
  return %0 : tensor<1x2x2x2xf32>
}
