// RUN: tfmbs-opt %s --tfmbs-to-linalg | filecheck %s
// RUN: tfmbs-opt %s --tfmbs-to-linalg=numerics=portable | filecheck %s --check-prefixes PORTABLE

// CHECK-COUNT-3: math.fma
// CHECK-NOT:     math.fma
// PORTABLE-COUNT-3: linalg.matmul
// PORTABLE-NOT:     linalg.matmul
func.func @gemv(%x: tensor<1x8xf32>, %w: tensor<4x8xf32>, %v: tensor<6x8xf32>) -> (tensor<1x4xf32>, tensor<1x4xf32>, tensor<1x6xf32>) {
  %0 = "tfmbs.gemv"(%x, %w) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<1x8xf32>, tensor<4x8xf32>) -> tensor<1x4xf32>
  %1 = "tfmbs.gemv"(%x, %w) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<1x8xf32>, tensor<4x8xf32>) -> tensor<1x4xf32>
  %2 = "tfmbs.gemv"(%x, %v) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<1x8xf32>, tensor<6x8xf32>) -> tensor<1x6xf32>
  return %0, %1, %2 : tensor<1x4xf32>, tensor<1x4xf32>, tensor<1x6xf32>
}
