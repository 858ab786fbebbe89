// Telemetry is a discardable attribute, which no verifier sees: passes that read it refuse what is not telemetry.
// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics --tfmbs-tile

func.func @entries_missing(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> tensor<2x4xf32> {
  // expected-error@+1 {{telemetry, expected a dictionary with layer, zero_count and total, got {layer = "a"}}}
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, telemetry = {layer = "a"}} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// -----

func.func @no_dictionary(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> tensor<2x4xf32> {
  // expected-error@+1 {{telemetry, expected a dictionary with layer, zero_count and total, got "a"}}
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, telemetry = "a"} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}
