// RUN: tfmbs-opt %s | tfmbs-opt | filecheck %s

// CHECK-LABEL: func.func @conv2d
func.func @conv2d(%input: tensor<1x4x9x8xf32>, %filter: tensor<6x2x3x2xf32>, %bias: tensor<6xf32>) -> (tensor<1x6x4x7xf32>, tensor<1x6x5x4xf32>) {
  // Rows: (9 - 2 * (3 - 1) - 1) / 1 + 1 - 0 = 5, every second one is 3; one row of padding on each side makes it 4.
  // CHECK: "tfmbs.conv2d"(%arg0, %arg1)
  // CHECK: dilations = array<i64: 2, 1>, groups = 2 : i64
  // CHECK-SAME: pads = array<i64: 1, 0, 1, 0>, roles = [], strides = array<i64: 2, 1>
  %0 = "tfmbs.conv2d"(%input, %filter) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, strides = array<i64: 2, 1>, dilations = array<i64: 2, 1>, pads = array<i64: 1, 0, 1, 0>, groups = 2 : i64, roles = []} : (tensor<1x4x9x8xf32>, tensor<6x2x3x2xf32>) -> tensor<1x6x4x7xf32>
  // CHECK: "tfmbs.conv2d"(%arg0, %arg1, %arg2)
  // CHECK: arith.maximumf
  // CHECK: -> tensor<1x6x5x4xf32>
  %1 = "tfmbs.conv2d"(%input, %filter, %bias) ({
  ^bb0(%acc: f32, %b: f32):
    %2 = arith.addf %acc, %b : f32
    %zero = arith.constant 0.0 : f32
    %3 = arith.maximumf %2, %zero : f32
    "tfmbs.yield"(%3) : (f32) -> ()
  }) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 0, 1, 0>, groups = 2 : i64, roles = ["channel"]} : (tensor<1x4x9x8xf32>, tensor<6x2x3x2xf32>, tensor<6xf32>) -> tensor<1x6x5x4xf32>
  return %0, %1 : tensor<1x6x4x7xf32>, tensor<1x6x5x4xf32>
}

// CHECK-LABEL: func.func @conv3d
func.func @conv3d(%x: tensor<1x2x4x5x6xf32>, %w: tensor<4x1x3x3x3xf32>) -> tensor<1x4x2x5x4xf32> {
  // CHECK: "tfmbs.conv3d"(%arg0, %arg1)
  // CHECK: dilations = array<i64: 1, 1, 1>, groups = 2 : i64
  // CHECK-SAME: pads = array<i64: 1, 1, 0, 0, 1, 0>, roles = [], strides = array<i64: 2, 1, 1>
  %0 = "tfmbs.conv3d"(%x, %w) ({}) {dilations = array<i64: 1, 1, 1>, strides = array<i64: 2, 1, 1>, groups = 2 : i64, pads = array<i64: 1, 1, 0, 0, 1, 0>, roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x2x4x5x6xf32>, tensor<4x1x3x3x3xf32>) -> tensor<1x4x2x5x4xf32>
  return %0 : tensor<1x4x2x5x4xf32>
}

// CHECK-LABEL: func.func @quantized
func.func @quantized(%input: tensor<2x1x4x4x!quant.uniform<i8:f32, 5.000000e-01:3>>, %filter: tensor<3x1x1x1x!tfmbs.ternary<"pt5">>) -> tensor<2x3x4x4xi32> {
  // CHECK: "tfmbs.conv2d"
  // CHECK: (tensor<2x1x4x4x!quant.uniform<i8:f32, 5.000000e-01:3>>, tensor<3x1x1x1x!tfmbs.ternary<"pt5">>) -> tensor<2x3x4x4xi32>
  %0 = "tfmbs.conv2d"(%input, %filter) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64, roles = []} : (tensor<2x1x4x4x!quant.uniform<i8:f32, 5.000000e-01:3>>, tensor<3x1x1x1x!tfmbs.ternary<"pt5">>) -> tensor<2x3x4x4xi32>
  return %0 : tensor<2x3x4x4xi32>
}

// CHECK-LABEL: func.func @pool
func.func @pool(%x: tensor<1x2x5x4xf32>, %q: tensor<1x2x5x4x!quant.uniform<i8:f32, 5.000000e-01:3>>) -> (tensor<1x2x3x2xf32>, tensor<1x2x6x4xf32>, tensor<1x2x3x3x!quant.uniform<i8:f32, 5.000000e-01:3>>) {
  // CHECK-NEXT: "tfmbs.pool"(%arg0) {count_include_pad = false, dilations = array<i64: 1, 1>, kernel = array<i64: 2, 2>, kind = "avg", pads = array<i64: 0, 0, 1, 0>, strides = array<i64: 2, 2>} : (tensor<1x2x5x4xf32>) -> tensor<1x2x3x2xf32>
  %0 = "tfmbs.pool"(%x) {kind = "avg", kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 1, 0>, count_include_pad = false} : (tensor<1x2x5x4xf32>) -> tensor<1x2x3x2xf32>
  // CHECK-NEXT: "tfmbs.pool"(%arg0) {count_include_pad = true,
  %1 = "tfmbs.pool"(%x) {kind = "avg", kernel = array<i64: 2, 1>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 1, 0, 1, 0>, count_include_pad = true} : (tensor<1x2x5x4xf32>) -> tensor<1x2x6x4xf32>
  // CHECK-NEXT: "tfmbs.pool"(%arg1) {count_include_pad = false, dilations = array<i64: 2, 1>, kernel = array<i64: 2, 2>, kind = "max"
  %2 = "tfmbs.pool"(%q) {kind = "max", kernel = array<i64: 2, 2>, strides = array<i64: 1, 1>, dilations = array<i64: 2, 1>, pads = array<i64: 0, 0, 0, 0>, count_include_pad = false} : (tensor<1x2x5x4x!quant.uniform<i8:f32, 5.000000e-01:3>>) -> tensor<1x2x3x3x!quant.uniform<i8:f32, 5.000000e-01:3>>
  return %0, %1, %2 : tensor<1x2x3x2xf32>, tensor<1x2x6x4xf32>, tensor<1x2x3x3x!quant.uniform<i8:f32, 5.000000e-01:3>>
}
