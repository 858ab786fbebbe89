// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics --tfmbs-tile=target=tfmbs-xc7z020

func.func @f32_product(%x: tensor<1x4xf32>, %w: tensor<2x4xf32>) -> tensor<1x2xf32> {
  // expected-error @below {{'tfmbs.matmul' op operand type on target tfmbs-xc7z020, expected i8, trit, got f32}}
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x4xf32>, tensor<2x4xf32>) -> tensor<1x2xf32>
  return %0 : tensor<1x2xf32>
}
