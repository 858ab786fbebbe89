// RUN: tfmbs-opt %s --verify-diagnostics --tfmbs-migrate-outliers

func.func @no_weights(%x: tensor<3x2xf32>, %w: tensor<1x2xf32>) -> tensor<3x1xf32> {
  // expected-error @below {{tfmbs.input_channels, expected a linear layer with constant f32 weights, got another op}}
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, tfmbs.input_channels = dense<1.0> : tensor<2x2xf32>} : (tensor<3x2xf32>, tensor<1x2xf32>) -> tensor<3x1xf32>
  return %0 : tensor<3x1xf32>
}
