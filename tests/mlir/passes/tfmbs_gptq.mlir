// RUN: tfmbs-opt %s --split-input-file --tfmbs-gptq='precision=ternary' | filecheck %s
// RUN: tfmbs-opt %s --split-input-file --tfmbs-gptq='precision=ternary' --tfmbs-quantize='precision=ternary' | filecheck %s --check-prefixes STORED
// RUN: tfmbs-opt %s --split-input-file --tfmbs-gptq='precision=int8' | filecheck %s --check-prefixes SAME

// Both inputs are nearly the same: what the first weight loses, the second takes, so that the sum stays 3.
// CHECK-LABEL: func.func @correlated
// CHECK:       arith.constant dense<1.500000e+00> : tensor<1x2xf32>
// CHECK:       tfmbs.weight_scales = dense<1.500000e+00> : tensor<1x1xf32>
// CHECK-NOT:   second_moment
// STORED-LABEL: func.func @correlated
// STORED:      dense<1> : tensor<1x2xi8>
// STORED-NOT:  weight_scales
// SAME-LABEL:  func.func @correlated
// SAME:        arith.constant dense<{{.*}}2.000000e+00, 1.000000e+00]]> : tensor<1x2xf32>
// SAME-NOT:    tfmbs.second_moment
// SAME-NOT:    tfmbs.weight_scales
func.func @correlated(%x: tensor<3x2xf32>) -> tensor<3x1xf32> {
  %w = arith.constant dense<[[2.0, 1.0]]> : tensor<1x2xf32>
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, tfmbs.second_moment = dense<[[[1.0, 0.99], [0.99, 1.0]]]> : tensor<1x2x2xf32>} : (tensor<3x2xf32>, tensor<1x2xf32>) -> tensor<3x1xf32>
  return %0 : tensor<3x1xf32>
}

// -----

// A product's own precision goes before the option; weights that another product reads, too, stay there.
// CHECK-LABEL: func.func @own
// CHECK-DAG:   arith.constant dense<{{.*}}2.000000e+00, 5.000000e-01]]> : tensor<1x2xf32>
// CHECK-DAG:   arith.constant dense<{{.*}}2.000000e+00, 0.000000e+00]]> : tensor<1x2xf32>
func.func @own(%x: tensor<3x2xf32>) -> (tensor<3x1xf32>, tensor<3x1xf32>) {
  %w = arith.constant dense<[[2.0, 0.5]]> : tensor<1x2xf32>
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, tfmbs.precision = "fp32", tfmbs.second_moment = dense<[[[1.0, 0.0], [0.0, 1.0]]]> : tensor<1x2x2xf32>} : (tensor<3x2xf32>, tensor<1x2xf32>) -> tensor<3x1xf32>
  %1 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, tfmbs.second_moment = dense<[[[1.0, 0.0], [0.0, 1.0]]]> : tensor<1x2x2xf32>} : (tensor<3x2xf32>, tensor<1x2xf32>) -> tensor<3x1xf32>
  return %0, %1 : tensor<3x1xf32>, tensor<3x1xf32>
}
