// RUN: tfmbs-opt %s --tfmbs-to-linalg | filecheck %s
// RUN: tfmbs-opt %s --tfmbs-to-linalg=numerics=portable | filecheck %s --check-prefixes PORTABLE
// RUN: tfmbs-opt %s --tfmbs-to-linalg=numerics=portable | torch-mlir-opt | filecheck %s --check-prefixes PORTABLE

// A right operand stored as K×N is transposed first.
// CHECK-LABEL: func.func @kn
// CHECK:       outs(%{{.*}} : tensor<3x6x5xf32>)
// CHECK:       ins(%arg0, %{{.*}} : tensor<3x4x5xf32>, tensor<3x6x5xf32>)
// CHECK:       math.fma
// PORTABLE-LABEL: func.func @kn
// PORTABLE:       linalg.batch_matmul
func.func @kn(%x: tensor<3x4x5xf32>, %y: tensor<3x5x6xf32>) -> tensor<3x4x6xf32> {
  %0 = "tfmbs.batch_matmul"(%x, %y) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, rhs_layout = "kn", roles = []} : (tensor<3x4x5xf32>, tensor<3x5x6xf32>) -> tensor<3x4x6xf32>
  return %0 : tensor<3x4x6xf32>
}
