// RUN: tfmbs-opt %s --split-input-file --tfmbs-to-linalg | filecheck %s
// RUN: tfmbs-opt %s --split-input-file --tfmbs-to-linalg=numerics=portable | filecheck %s --check-prefixes PORTABLE
// RUN: tfmbs-opt %s --split-input-file --tfmbs-to-linalg=numerics=portable | torch-mlir-opt --split-input-file | filecheck %s --check-prefixes PORTABLE

// CHECK-LABEL: func.func @max
// CHECK:       arith.constant 0xFF800000 : f32
// CHECK:       arith.maximumf
// PORTABLE-LABEL: func.func @max
// PORTABLE:       linalg.pooling_nchw_max
func.func @max(%x: tensor<1x2x4x4xf32>) -> tensor<1x2x3x3xf32> {
  %0 = "tfmbs.pool"(%x) {count_include_pad = false, dilations = array<i64: 1, 1>, kernel = array<i64: 2, 2>, kind = "max", pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 2, 2>} : (tensor<1x2x4x4xf32>) -> tensor<1x2x3x3xf32>
  return %0 : tensor<1x2x3x3xf32>
}

// -----

// CHECK-LABEL: func.func @max_integers
// CHECK:       arith.constant -128 : i8
// CHECK:       arith.maxsi
func.func @max_integers(%x: tensor<1x2x4x4x!quant.uniform<i8:f32, 0.5:-5>>) -> tensor<1x2x2x2x!quant.uniform<i8:f32, 0.5:-5>> {
  %0 = "tfmbs.pool"(%x) {count_include_pad = false, dilations = array<i64: 1, 1>, kernel = array<i64: 2, 2>, kind = "max", pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 2, 2>} : (tensor<1x2x4x4x!quant.uniform<i8:f32, 0.5:-5>>) -> tensor<1x2x2x2x!quant.uniform<i8:f32, 0.5:-5>>
  return %0 : tensor<1x2x2x2x!quant.uniform<i8:f32, 0.5:-5>>
}

// -----

// The taps of each window are counted: 1, 2, 1 on both axes.
// CHECK-LABEL: func.func @average
// CHECK:       arith.addf
// CHECK:       arith.constant dense<[1.000000e+00, 2.000000e+00, 1.000000e+00]> : tensor<3xf32>
// CHECK:       arith.mulf
// CHECK-NEXT:  arith.divf
// PORTABLE-LABEL: func.func @average
// PORTABLE:       linalg.pooling_nchw_sum
// PORTABLE:       dense<[1.000000e+00, 2.000000e+00, 1.000000e+00]>
func.func @average(%x: tensor<1x2x4x4xf32>) -> tensor<1x2x3x3xf32> {
  %0 = "tfmbs.pool"(%x) {count_include_pad = false, dilations = array<i64: 1, 1>, kernel = array<i64: 2, 2>, kind = "avg", pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 2, 2>} : (tensor<1x2x4x4xf32>) -> tensor<1x2x3x3xf32>
  return %0 : tensor<1x2x3x3xf32>
}

// -----

// CHECK-LABEL: func.func @average_padded
// CHECK:       arith.constant dense<2.000000e+00> : tensor<3xf32>
func.func @average_padded(%x: tensor<1x2x4x4xf32>) -> tensor<1x2x3x3xf32> {
  %0 = "tfmbs.pool"(%x) {count_include_pad = true, dilations = array<i64: 1, 1>, kernel = array<i64: 2, 2>, kind = "avg", pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 2, 2>} : (tensor<1x2x4x4xf32>) -> tensor<1x2x3x3xf32>
  return %0 : tensor<1x2x3x3xf32>
}
