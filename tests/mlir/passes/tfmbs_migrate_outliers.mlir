// RUN: tfmbs-opt %s --tfmbs-migrate-outliers | filecheck %s
// RUN: tfmbs-opt %s --tfmbs-migrate-outliers=alpha=1.0 | filecheck %s --check-prefixes ALL

// Products of one input share a scaling, by the largest weight of all; a channel that is always 0 has none.
// CHECK-LABEL: func.func @siblings
// CHECK:       %[[S:.*]] = arith.constant dense<[1.250000e-01, 1.000000e+00]> : tensor<2xf32>
// CHECK:       %[[X:.*]] = linalg.generic {{.*}} ins(%arg0, %[[S]] : tensor<3x2xf32>, tensor<2xf32>)
// CHECK-NOT:   linalg.generic
// CHECK:       arith.constant dense<{{.*}}8.000000e+00, 5.000000e-01]]> : tensor<1x2xf32>
// CHECK:       "tfmbs.matmul"(%[[X]],
// CHECK-NEXT:  tfmbs.input_range = array<f32: -8.000000e+00, 1.250000e-01>}
// CHECK:       arith.constant dense<{{.*}}2.000000e+00, 2.500000e-01]]> : tensor<1x2xf32>
// CHECK:       "tfmbs.matmul"(%[[X]],
// CHECK-NOT:   tfmbs.input_channels
// CHECK:       return
// ALL-LABEL:   func.func @siblings
// ALL:         arith.constant dense<[1.562500e-02, 1.000000e+00]> : tensor<2xf32>
func.func @siblings(%x: tensor<3x2xf32>) -> (tensor<3x1xf32>, tensor<3x1xf32>) {
  %w = arith.constant dense<[[1.0, 0.5]]> : tensor<1x2xf32>
  %v = arith.constant dense<[[0.25, 0.25]]> : tensor<1x2xf32>
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, tfmbs.input_range = array<f32: -64.0, 1.0>, tfmbs.input_channels = dense<[[-64.0, 0.0], [1.0, 0.0]]> : tensor<2x2xf32>} : (tensor<3x2xf32>, tensor<1x2xf32>) -> tensor<3x1xf32>
  %1 = "tfmbs.matmul"(%x, %v) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, tfmbs.input_range = array<f32: -64.0, 1.0>, tfmbs.input_channels = dense<[[-64.0, 0.0], [1.0, 0.0]]> : tensor<2x2xf32>} : (tensor<3x2xf32>, tensor<1x2xf32>) -> tensor<3x1xf32>
  return %0, %1 : tensor<3x1xf32>, tensor<3x1xf32>
}
