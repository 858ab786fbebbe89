// RUN: tfmbs-opt %s --split-input-file --tfmbs-pack | filecheck %s
// RUN: tfmbs-opt %s --split-input-file --tfmbs-pack=packing=t2 --tfmbs-pack=packing=i8 | filecheck %s --check-prefixes BACK

// A filter's row is its channels, rows and columns: 2·1·3 = 6 trits in two bytes of PT-5 (121 is five zeros).
// CHECK-LABEL: func.func @conv
// CHECK:       %[[W:.*]] = "tfmbs.constant"() {value = dense<{{\[\[}}-14, 122], [121, 121]]> : tensor<2x2xi8>} : () -> tensor<2x2x1x3x!tfmbs.ternary<"pt5">>
// CHECK:       "tfmbs.conv2d"(%arg0, %[[W]])
// CHECK:       (tensor<1x2x1x3xf32>, tensor<2x2x1x3x!tfmbs.ternary<"pt5">>) -> tensor<1x2x1x1xf32>
//
// Packing and unpacking give the same trits.
// BACK-LABEL:  func.func @conv
// BACK:        "tfmbs.constant"() {value = dense<{{\[\[\[}}[1, 1, 1]], {{\[\[}}1, 1, 1]]], {{\[\[\[}}0, 0, 0]], {{\[\[}}0, 0, 0]]]]> : tensor<2x2x1x3xi8>} : () -> tensor<2x2x1x3x!tfmbs.ternary<"i8">>
func.func @conv(%x: tensor<1x2x1x3xf32>) -> tensor<1x2x1x1xf32> {
  %w = "tfmbs.constant"() {value = dense<[[[[1, 1, 1]], [[1, 1, 1]]], [[[0, 0, 0]], [[0, 0, 0]]]]> : tensor<2x2x1x3xi8>} : () -> tensor<2x2x1x3x!tfmbs.ternary<"i8">>
  %0 = "tfmbs.conv2d"(%x, %w) ({}) {dilations = array<i64: 1, 1>, groups = 1 : i64, pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 1, 1>, roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x2x1x3xf32>, tensor<2x2x1x3x!tfmbs.ternary<"i8">>) -> tensor<1x2x1x1xf32>
  return %0 : tensor<1x2x1x1xf32>
}

// -----

// int8 weights are no trits; trits that are returned keep the form the caller sees.
// CHECK-LABEL: func.func @kept
// CHECK:       tensor<2x2x!tfmbs.ternary<"i8">>
// CHECK:       tensor<2x2x!quant.uniform<i8:f32:0, {1.000000e+00,2.000000e+00}>>
// CHECK:       return %{{.*}} : tensor<2x2x!tfmbs.ternary<"i8">>, tensor<1x2xi32>
func.func @kept(%x: tensor<1x2x!quant.uniform<i8:f32, 1.0>>) -> (tensor<2x2x!tfmbs.ternary<"i8">>, tensor<1x2xi32>) {
  %t = "tfmbs.constant"() {value = dense<1> : tensor<2x2xi8>} : () -> tensor<2x2x!tfmbs.ternary<"i8">>
  %w = "tfmbs.constant"() {value = dense<7> : tensor<2x2xi8>} : () -> tensor<2x2x!quant.uniform<i8:f32:0, {1.0, 2.0}>>
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x2x!quant.uniform<i8:f32, 1.0>>, tensor<2x2x!quant.uniform<i8:f32:0, {1.0, 2.0}>>) -> tensor<1x2xi32>
  return %t, %0 : tensor<2x2x!tfmbs.ternary<"i8">>, tensor<1x2xi32>
}
