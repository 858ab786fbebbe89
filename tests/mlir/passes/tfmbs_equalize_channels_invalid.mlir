// RUN: tfmbs-opt %s --verify-diagnostics --tfmbs-equalize-channels

func.func @calibrated(%x: tensor<1x2xf32>) -> tensor<1x1xf32> {
  %w = arith.constant dense<[[16.0, 4.0], [0.5, 1.0]]> : tensor<2x2xf32>
  %v = arith.constant dense<[[1.0, 1.0]]> : tensor<1x2xf32>
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  // expected-error @below {{tfmbs.input_range, expected no calibration before channels are equalized, got one}}
  %1 = "tfmbs.matmul"(%0, %v) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, tfmbs.input_range = array<f32: -1.0, 1.0>} : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x1xf32>
  return %1 : tensor<1x1xf32>
}
