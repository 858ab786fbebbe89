// RUN: tfmbs-opt %s --tfmbs-decompose | filecheck %s

// What has a kernel of its own stays.
// CHECK:     "tfmbs.matmul"
// CHECK:     "tfmbs.pool"
// CHECK-NOT: linalg
func.func @kernels(%x: tensor<2x8xf32>, %w: tensor<4x8xf32>, %y: tensor<1x1x4x4xf32>) -> (tensor<2x4xf32>, tensor<1x1x2x2xf32>) {
  %0 = "tfmbs.matmul"(%x, %w) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x8xf32>, tensor<4x8xf32>) -> tensor<2x4xf32>
  %1 = "tfmbs.pool"(%y) {count_include_pad = false, dilations = array<i64: 1, 1>, kernel = array<i64: 2, 2>, kind = "max", pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 2, 2>} : (tensor<1x1x4x4xf32>) -> tensor<1x1x2x2xf32>
  return %0, %1 : tensor<2x4xf32>, tensor<1x1x2x2xf32>
}
