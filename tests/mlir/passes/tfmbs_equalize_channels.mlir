// RUN: tfmbs-opt %s --tfmbs-equalize-channels | filecheck %s

// Biases follow their channel, and ReLU lets the scale pass: s = (4, 1).
// CHECK-LABEL: func.func @bias_and_relu
// CHECK:       arith.constant dense<{{.*}}4.000000e+00, 1.000000e+00], [5.000000e-01, 1.000000e+00]]>
// CHECK:       arith.constant dense<[2.000000e+00, 3.000000e+00]> : tensor<2xf32>
// CHECK:       arith.constant dense<{{.*}}4.000000e+00, 1.000000e+00]]> : tensor<1x2xf32>
// CHECK:       return
#id = affine_map<(d0, d1) -> (d0, d1)>
#channel = affine_map<(d0, d1) -> (d1)>
func.func @bias_and_relu(%x: tensor<1x2xf32>) -> tensor<1x1xf32> {
  %w = arith.constant dense<[[16.0, 4.0], [0.5, 1.0]]> : tensor<2x2xf32>
  %b = arith.constant dense<[8.0, 3.0]> : tensor<2xf32>
  %v = arith.constant dense<[[1.0, 1.0]]> : tensor<1x2xf32>
  %zero = arith.constant 0.0 : f32
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  %1 = tensor.empty() : tensor<1x2xf32>
  %2 = linalg.generic {indexing_maps = [#id, #channel, #id], iterator_types = ["parallel", "parallel"]} ins(%0, %b : tensor<1x2xf32>, tensor<2xf32>) outs(%1 : tensor<1x2xf32>) {
  ^bb0(%in: f32, %bias: f32, %out: f32):
    %5 = arith.addf %in, %bias : f32
    linalg.yield %5 : f32
  } -> tensor<1x2xf32>
  %3 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%2 : tensor<1x2xf32>) outs(%1 : tensor<1x2xf32>) {
  ^bb0(%in: f32, %out: f32):
    %5 = arith.maximumf %in, %zero : f32
    linalg.yield %5 : f32
  } -> tensor<1x2xf32>
  %4 = "tfmbs.matmul"(%3, %v) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x1xf32>
  return %4 : tensor<1x1xf32>
}

// Nothing passes what f(s · x) = s · f(x) does not hold for.
// CHECK-LABEL: func.func @exponential
// CHECK-DAG:   dense<{{.*}}1.600000e+01, 4.000000e+00], [5.000000e-01, 1.000000e+00]]>
// CHECK-DAG:   dense<1.000000e+00> : tensor<1x2xf32>
// CHECK:       return
func.func @exponential(%x: tensor<1x2xf32>) -> tensor<1x1xf32> {
  %w = arith.constant dense<[[16.0, 4.0], [0.5, 1.0]]> : tensor<2x2xf32>
  %v = arith.constant dense<[[1.0, 1.0]]> : tensor<1x2xf32>
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  %1 = tensor.empty() : tensor<1x2xf32>
  %2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%0 : tensor<1x2xf32>) outs(%1 : tensor<1x2xf32>) {
  ^bb0(%in: f32, %out: f32):
    %4 = math.exp %in : f32
    linalg.yield %4 : f32
  } -> tensor<1x2xf32>
  %3 = "tfmbs.matmul"(%2, %v) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x1xf32>
  return %3 : tensor<1x1xf32>
}
