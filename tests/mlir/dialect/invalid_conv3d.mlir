// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics
// conv3d: channels, window, result size.

func.func @f(%x: tensor<1x2x4x5x6xf32>, %w: tensor<4x2x3x3x3xf32>) -> tensor<1x4x2x3x4xf32> {
  // expected-error @below {{'tfmbs.conv3d' op input channels: expected 6 (filter 2 × groups 3), got 2}}
  %0 = "tfmbs.conv3d"(%x, %w) ({}) {dilations = array<i64: 1, 1, 1>, strides = array<i64: 1, 1, 1>, groups = 3 : i64, pads = array<i64: 0, 0, 0, 0, 0, 0>, roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x2x4x5x6xf32>, tensor<4x2x3x3x3xf32>) -> tensor<1x4x2x3x4xf32>
  return %0 : tensor<1x4x2x3x4xf32>
}

// -----

func.func @f(%x: tensor<1x2x4x5x6xf32>, %w: tensor<4x2x3x3x3xf32>) -> tensor<1x4x2x3x4xf32> {
  // expected-error @below {{'tfmbs.conv3d' op number of strides: expected 3, got 2}}
  %0 = "tfmbs.conv3d"(%x, %w) ({}) {dilations = array<i64: 1, 1, 1>, strides = array<i64: 1, 1>, groups = 1 : i64, pads = array<i64: 0, 0, 0, 0, 0, 0>, roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x2x4x5x6xf32>, tensor<4x2x3x3x3xf32>) -> tensor<1x4x2x3x4xf32>
  return %0 : tensor<1x4x2x3x4xf32>
}

// -----

func.func @f(%x: tensor<1x2x4x5x6xf32>, %w: tensor<4x2x3x3x3xf32>) -> tensor<1x4x2x3x4xf32> {
  // expected-error @below {{'tfmbs.conv3d' op number of pads: expected 6, got 4}}
  %0 = "tfmbs.conv3d"(%x, %w) ({}) {dilations = array<i64: 1, 1, 1>, strides = array<i64: 1, 1, 1>, groups = 1 : i64, pads = array<i64: 0, 0, 0, 0>, roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x2x4x5x6xf32>, tensor<4x2x3x3x3xf32>) -> tensor<1x4x2x3x4xf32>
  return %0 : tensor<1x4x2x3x4xf32>
}

// -----

func.func @f(%x: tensor<1x2x4x5x6xf32>, %w: tensor<4x2x3x3x3xf32>) -> tensor<1x4x2x3x4xf32> {
  // expected-error @below {{'tfmbs.conv3d' op window depth: expected at most 4 (input 4 and pads), got 5}}
  %0 = "tfmbs.conv3d"(%x, %w) ({}) {dilations = array<i64: 2, 1, 1>, strides = array<i64: 1, 1, 1>, groups = 1 : i64, pads = array<i64: 0, 0, 0, 0, 0, 0>, roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x2x4x5x6xf32>, tensor<4x2x3x3x3xf32>) -> tensor<1x4x2x3x4xf32>
  return %0 : tensor<1x4x2x3x4xf32>
}

// -----

func.func @f(%x: tensor<1x2x4x5x6xf32>, %w: tensor<4x2x3x3x3xf32>) -> tensor<1x4x2x3x5xf32> {
  // expected-error @below {{'tfmbs.conv3d' op result shape: expected 1x4x2x3x4, got 1x4x2x3x5}}
  %0 = "tfmbs.conv3d"(%x, %w) ({}) {dilations = array<i64: 1, 1, 1>, strides = array<i64: 1, 1, 1>, groups = 1 : i64, pads = array<i64: 0, 0, 0, 0, 0, 0>, roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x2x4x5x6xf32>, tensor<4x2x3x3x3xf32>) -> tensor<1x4x2x3x5xf32>
  return %0 : tensor<1x4x2x3x5xf32>
}

// -----

func.func @f(%x: tensor<1x2x4x5x6xf32>, %w: tensor<4x2x3x3xf32>) -> tensor<1x4x2x3x4xf32> {
  // expected-error @below {{'tfmbs.conv3d' op filter rank: expected 5, got 4}}
  %0 = "tfmbs.conv3d"(%x, %w) ({}) {dilations = array<i64: 1, 1, 1>, strides = array<i64: 1, 1, 1>, groups = 1 : i64, pads = array<i64: 0, 0, 0, 0, 0, 0>, roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x2x4x5x6xf32>, tensor<4x2x3x3xf32>) -> tensor<1x4x2x3x4xf32>
  return %0 : tensor<1x4x2x3x4xf32>
}

// -----

func.func @f(%x: tensor<1x2x4x5x6xf32>, %w: tensor<4x2x3x3x3xf32>) -> tensor<1x4x2x3x4xf32> {
  // expected-error @below {{'tfmbs.conv3d' op dilations: expected at least 1, got 0}}
  %0 = "tfmbs.conv3d"(%x, %w) ({}) {dilations = array<i64: 0, 1, 1>, strides = array<i64: 1, 1, 1>, groups = 1 : i64, pads = array<i64: 0, 0, 0, 0, 0, 0>, roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x2x4x5x6xf32>, tensor<4x2x3x3x3xf32>) -> tensor<1x4x2x3x4xf32>
  return %0 : tensor<1x4x2x3x4xf32>
}
