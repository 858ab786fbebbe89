// RUN: tfmbs-opt %s --tfmbs-correct-bias | filecheck %s
// RUN: tfmbs-opt %s --tfmbs-correct-bias=precision=fp32 | filecheck %s --check-prefixes FLOAT

// The bias that is there is changed: 1 + 0.25 · 2.
// CHECK-LABEL: func.func @bias
// CHECK:       arith.constant dense<1.500000e+00> : tensor<1xf32>
// CHECK-NOT:   tfmbs.input_mean
// CHECK:       return
// FLOAT-LABEL: func.func @bias
// FLOAT-NOT:   tfmbs.input_mean
// FLOAT-NOT:   1.500000e+00
// FLOAT:       return
#id = affine_map<(d0, d1) -> (d0, d1)>
#channel = affine_map<(d0, d1) -> (d1)>
func.func @bias(%x: tensor<2x2xf32>) -> tensor<2x1xf32> {
  %w = arith.constant dense<[[127.0, 0.25]]> : tensor<1x2xf32>
  %b = arith.constant dense<1.0> : tensor<1xf32>
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, tfmbs.input_mean = dense<[[1.0, 2.0]]> : tensor<1x2xf32>} : (tensor<2x2xf32>, tensor<1x2xf32>) -> tensor<2x1xf32>
  %1 = tensor.empty() : tensor<2x1xf32>
  %2 = linalg.generic {indexing_maps = [#id, #channel, #id], iterator_types = ["parallel", "parallel"]} ins(%0, %b : tensor<2x1xf32>, tensor<1xf32>) outs(%1 : tensor<2x1xf32>) {
  ^bb0(%in: f32, %bias: f32, %out: f32):
    %3 = arith.addf %in, %bias : f32
    linalg.yield %3 : f32
  } -> tensor<2x1xf32>
  return %2 : tensor<2x1xf32>
}

// Weights that are on their grid lose nothing.
// CHECK-LABEL: func.func @exact
// CHECK-NOT:   linalg.generic
// CHECK:       return
func.func @exact(%x: tensor<2x2xf32>) -> tensor<2x1xf32> {
  %w = arith.constant dense<[[127.0, 2.0]]> : tensor<1x2xf32>
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, tfmbs.input_mean = dense<[[1.0, 2.0]]> : tensor<1x2xf32>} : (tensor<2x2xf32>, tensor<1x2xf32>) -> tensor<2x1xf32>
  return %0 : tensor<2x1xf32>
}
