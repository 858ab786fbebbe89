// RUN: tfmbs-opt %s --split-input-file --tfmbs-detect-grids | filecheck %s --check-prefixes CHECK,FP32
// RUN: tfmbs-opt %s --split-input-file --tfmbs-detect-grids='precision=ternary' | filecheck %s --check-prefixes CHECK,TERNARY

// Each channel has its own scale, and zeros have any; the convolution's weights are in −7…7.
// CHECK-LABEL: func.func @conv
// FP32:        tfmbs.precision = "int4", tfmbs.weight_scales = dense<{{\[\[}}5.000000e-01], [1.000000e+00]]> : tensor<2x1xf32>
// TERNARY-NOT: tfmbs.precision
func.func @conv(%x: tensor<1x1x4x4xf32>) -> tensor<1x2x2x2xf32> {
  %w = arith.constant dense<[[[[0.5, 3.5, -1.5], [0.0, 1.0, 0.5], [0.5, 0.5, 0.0]]], [[[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]]]> : tensor<2x1x3x3xf32>
  %0 = "tfmbs.conv2d"(%x, %w) ({}) {dilations = array<i64: 1, 1>, groups = 1 : i64, operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, pads = array<i64: 0, 0, 0, 0>, roles = [], strides = array<i64: 1, 1>} : (tensor<1x1x4x4xf32>, tensor<2x1x3x3xf32>) -> tensor<1x2x2x2xf32>
  return %0 : tensor<1x2x2x2xf32>
}

// -----

// Trits, at every precision.
// CHECK-LABEL: func.func @trits
// CHECK:       tfmbs.precision = "ternary", tfmbs.weight_scales = dense<3.000000e-01> : tensor<1x1xf32>
func.func @trits(%x: tensor<2x8xf32>) -> tensor<2x1xf32> {
  %w = arith.constant dense<[[0.3, 0.0, -0.3, 0.3, 0.0, 0.0, 0.0, 0.3]]> : tensor<1x8xf32>
  %0 = "tfmbs.matmul"(%x, %w) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x8xf32>, tensor<1x8xf32>) -> tensor<2x1xf32>
  return %0 : tensor<2x1xf32>
}

// -----

// One bit off the grid, and a product that says itself what it is to become: both stay as they are.
// CHECK-LABEL: func.func @left
// CHECK:       "tfmbs.matmul"
// CHECK:       }) {{{.*}}roles = []}
// CHECK:       "tfmbs.matmul"
// CHECK:       }) {{{.*}}tfmbs.precision = "fp32"}
// CHECK-NOT:   tfmbs.weight_scales
func.func @left(%x: tensor<2x8xf32>) -> (tensor<2x1xf32>, tensor<2x1xf32>) {
  %v = arith.constant dense<[[0x3E99999A, 0.0, 0xBE99999A, 0x3E99999B, 0x3C23D70A, 0.0, 0.0, 0.3]]> : tensor<1x8xf32>
  %w = arith.constant dense<[[0.5, 0.0, -0.5, 0.5, 0.0, 0.0, 0.0, 0.5]]> : tensor<1x8xf32>
  %0 = "tfmbs.matmul"(%x, %v) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x8xf32>, tensor<1x8xf32>) -> tensor<2x1xf32>
  %1 = "tfmbs.matmul"(%x, %w) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = [], tfmbs.precision = "fp32"} : (tensor<2x8xf32>, tensor<1x8xf32>) -> tensor<2x1xf32>
  return %0, %1 : tensor<2x1xf32>, tensor<2x1xf32>
}
