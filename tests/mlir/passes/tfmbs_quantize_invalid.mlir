// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics --tfmbs-quantize

func.func @no_range(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %w = arith.constant dense<[[1.0, 0.0], [0.0, 1.0]]> : tensor<2x2xf32>
  // expected-error @below {{no input range: int8 needs calibration, expected attribute tfmbs.input_range, got none}}
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}

// -----

func.func @not_finite(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %w = arith.constant dense<[[1.0, 0x7F800000], [0.0, 1.0]]> : tensor<2x2xf32>
  // expected-error @below {{weights are not finite}}
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, tfmbs.input_range = array<f32: 0.0, 1.0>} : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}

// -----

// 66311 products of at most 127 · 255 fit into i32, one more may not.
func.func @overflow(%x: tensor<1x66312xf32>) -> tensor<1x2xf32> {
  %w = arith.constant dense<1.0> : tensor<2x66312xf32>
  // expected-error @below {{accumulators can exceed i32, expected a bound of at most 2147483647, got 2147514120}}
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, tfmbs.input_range = array<f32: 0.0, 1.0>} : (tensor<1x66312xf32>, tensor<2x66312xf32>) -> tensor<1x2xf32>
  return %0 : tensor<1x2xf32>
}

// -----

func.func @no_pair(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %w = arith.constant dense<[[1.0, 0.0], [0.0, 1.0]]> : tensor<2x2xf32>
  // expected-error @below {{tfmbs.input_range, expected array<f32: smallest, largest>, got array<f32: 1.000000e+00>}}
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, tfmbs.input_range = array<f32: 1.0>} : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}

// -----

func.func @reversed(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %w = arith.constant dense<[[1.0, 0.0], [0.0, 1.0]]> : tensor<2x2xf32>
  // expected-error @below {{range 2.0…1.0 is not finite or not ordered}}
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, tfmbs.input_range = array<f32: 2.0, 1.0>} : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d1)>
func.func @bias(%x: tensor<3x2xf32>) -> tensor<3x2xf32> {
  %w = arith.constant dense<[[1.0, 0.0], [0.0, 1.0]]> : tensor<2x2xf32>
  %b = arith.constant dense<[1.0, 0x7F800000]> : tensor<2xf32>
  // expected-error @below {{the bias is not finite}}
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, tfmbs.input_range = array<f32: 0.0, 1.0>} : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  %e = tensor.empty() : tensor<3x2xf32>
  %1 = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%0, %b : tensor<3x2xf32>, tensor<2xf32>) outs(%e : tensor<3x2xf32>) {
  ^bb0(%p: f32, %q: f32, %out: f32):
    %s = arith.addf %p, %q : f32
    linalg.yield %s : f32
  } -> tensor<3x2xf32>
  return %1 : tensor<3x2xf32>
}
