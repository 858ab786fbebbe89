// RUN: tfmbs-opt %s --split-input-file --tfmbs-telemetry | filecheck %s

// The name of the node is the layer; zeros are counted in the weights.
// CHECK-LABEL: func.func @named
// CHECK:       "tfmbs.conv2d"
// CHECK:       telemetry = {layer = "stem", sparsity = 2.500000e-01 : f64, total = 8 : i64, zero_count = 2 : i64}
func.func @named(%x: tensor<1x2x3x3xf32>) -> tensor<1x4x3x3xf32> {
  %w = arith.constant dense<[[[[1.0]], [[0.0]]], [[[2.0]], [[-0.0]]], [[[3.0]], [[4.0]]], [[[5.0]], [[6.0]]]]> : tensor<4x2x1x1xf32>
  %0 = "tfmbs.conv2d"(%x, %w) ({}) {dilations = array<i64: 1, 1>, groups = 1 : i64, pads = array<i64: 0, 0, 0, 0>, operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = [], strides = array<i64: 1, 1>} : (tensor<1x2x3x3xf32>, tensor<4x2x1x1xf32>) -> tensor<1x4x3x3xf32> loc("stem")
  return %0 : tensor<1x4x3x3xf32>
}

// -----

// Without names, ops of a kind are numbered; without constant weights the total is 0.
// CHECK-LABEL: func.func @unnamed
// CHECK:       "tfmbs.matmul"
// CHECK:       telemetry = {layer = "matmul_0", sparsity = 5.000000e-01 : f64, total = 4 : i64, zero_count = 2 : i64}
// CHECK:       "tfmbs.matmul"
// CHECK:       telemetry = {layer = "matmul_1", sparsity = 0.000000e+00 : f64, total = 0 : i64, zero_count = 0 : i64}
// CHECK:       "tfmbs.softmax"
// CHECK-SAME:  telemetry = {layer = "softmax_0", sparsity = 0.000000e+00 : f64, total = 0 : i64, zero_count = 0 : i64}
func.func @unnamed(%x: tensor<3x2xf32>, %y: tensor<2x2xf32>) -> tensor<3x2xf32> {
  %w = arith.constant dense<[[1.0, 0.0], [0.0, 1.0]]> : tensor<2x2xf32>
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  %1 = "tfmbs.matmul"(%0, %y) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<3x2xf32>
  %2 = "tfmbs.softmax"(%1) {axis = 1 : i64} : (tensor<3x2xf32>) -> tensor<3x2xf32>
  return %2 : tensor<3x2xf32>
}

// -----

// Packed trits are counted one by one, without the padding: 121 is five trits 0, 242 five trits +1.
// CHECK-LABEL: func.func @packed
// CHECK:       telemetry = {layer = "matmul_0", sparsity = 5.000000e-01 : f64, total = 12 : i64, zero_count = 6 : i64}
func.func @packed(%x: tensor<1x6xf32>) -> tensor<1x2xf32> {
  %w = "tfmbs.constant"() {value = dense<[[121, 121], [-14, 122]]> : tensor<2x2xi8>} : () -> tensor<2x6x!tfmbs.ternary<"pt5">>
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x6xf32>, tensor<2x6x!tfmbs.ternary<"pt5">>) -> tensor<1x2xf32>
  return %0 : tensor<1x2xf32>
}

// -----

// Elementwise code has no weights of its own and gets nothing.
// CHECK-LABEL: func.func @elementwise
// CHECK-NOT:   telemetry
#map = affine_map<(d0) -> (d0)>
func.func @elementwise(%x: tensor<4xf32>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %0 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: f32, %out: f32):
    %s = arith.negf %a : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
