// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics
// conv2d: channels, window, result size.

func.func @f(%a: tensor<1x4x5x5xf32>, %b: tensor<6x4x3x3xf32>) {
  // expected-error @below {{'tfmbs.conv2d' op input channels: expected 8 (filter 4 × groups 2), got 4}}
  %0 = "tfmbs.conv2d"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 2 : i64, roles = []} : (tensor<1x4x5x5xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x3x3xf32>
  return
}

// -----

func.func @f(%a: tensor<1x4x5x5xf32>, %b: tensor<6x3x3x3xf32>) {
  // expected-error @below {{'tfmbs.conv2d' op input channels: expected 3 (filter 3 × groups 1), got 4}}
  %0 = "tfmbs.conv2d"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64, roles = []} : (tensor<1x4x5x5xf32>, tensor<6x3x3x3xf32>) -> tensor<1x6x3x3xf32>
  return
}

// -----

func.func @f(%a: tensor<1x4x5x5xf32>, %b: tensor<6x1x3x3xf32>) {
  // expected-error @below {{'tfmbs.conv2d' op output channels: expected a multiple of groups 4, got 6}}
  %0 = "tfmbs.conv2d"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 4 : i64, roles = []} : (tensor<1x4x5x5xf32>, tensor<6x1x3x3xf32>) -> tensor<1x6x3x3xf32>
  return
}

// -----

func.func @f(%a: tensor<1x4x5x5xf32>, %b: tensor<6x4x3x3xf32>) {
  // expected-error @below {{'tfmbs.conv2d' op groups: expected at least 1, got 0}}
  %0 = "tfmbs.conv2d"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 0 : i64, roles = []} : (tensor<1x4x5x5xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x3x3xf32>
  return
}

// -----

func.func @f(%a: tensor<1x4x5x5xf32>, %b: tensor<6x4x3x3xf32>) {
  // expected-error @below {{'tfmbs.conv2d' op strides: expected at least 1, got 0}}
  %0 = "tfmbs.conv2d"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, strides = array<i64: 1, 0>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64, roles = []} : (tensor<1x4x5x5xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x3x3xf32>
  return
}

// -----

func.func @f(%a: tensor<1x4x5x5xf32>, %b: tensor<6x4x3x3xf32>) {
  // expected-error @below {{'tfmbs.conv2d' op number of strides: expected 2, got 1}}
  %0 = "tfmbs.conv2d"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, strides = array<i64: 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64, roles = []} : (tensor<1x4x5x5xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x3x3xf32>
  return
}

// -----

func.func @f(%a: tensor<1x4x5x5xf32>, %b: tensor<6x4x3x3xf32>) {
  // expected-error @below {{'tfmbs.conv2d' op number of strides: expected 2, got 0}}
  %0 = "tfmbs.conv2d"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, strides = array<i64>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64, roles = []} : (tensor<1x4x5x5xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x3x3xf32>
  return
}

// -----

func.func @f(%a: tensor<1x4x5x5xf32>, %b: tensor<6x4x3x3xf32>) {
  // expected-error @below {{'tfmbs.conv2d' op dilations: expected at least 1, got -1}}
  %0 = "tfmbs.conv2d"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, strides = array<i64: 1, 1>, dilations = array<i64: -1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64, roles = []} : (tensor<1x4x5x5xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x3x3xf32>
  return
}

// -----

func.func @f(%a: tensor<1x4x5x5xf32>, %b: tensor<6x4x3x3xf32>) {
  // expected-error @below {{'tfmbs.conv2d' op number of dilations: expected 2, got 3}}
  %0 = "tfmbs.conv2d"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64, roles = []} : (tensor<1x4x5x5xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x3x3xf32>
  return
}

// -----

func.func @f(%a: tensor<1x4x5x5xf32>, %b: tensor<6x4x3x3xf32>) {
  // expected-error @below {{'tfmbs.conv2d' op pads: expected at least 0, got -1}}
  %0 = "tfmbs.conv2d"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, -1, 0, 0>, groups = 1 : i64, roles = []} : (tensor<1x4x5x5xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x3x3xf32>
  return
}

// -----

func.func @f(%a: tensor<1x4x5x5xf32>, %b: tensor<6x4x3x3xf32>) {
  // expected-error @below {{'tfmbs.conv2d' op number of pads: expected 4, got 2}}
  %0 = "tfmbs.conv2d"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0>, groups = 1 : i64, roles = []} : (tensor<1x4x5x5xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x3x3xf32>
  return
}

// -----

func.func @f(%a: tensor<1x4x5x5xf32>, %b: tensor<6x4x3x3xf32>) {
  // expected-error @below {{'tfmbs.conv2d' op window height: expected at most 5 (input 5 and pads), got 7}}
  %0 = "tfmbs.conv2d"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, strides = array<i64: 1, 1>, dilations = array<i64: 3, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64, roles = []} : (tensor<1x4x5x5xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x3x3xf32>
  return
}

// -----

func.func @f(%a: tensor<1x4x5x5xf32>, %b: tensor<6x4x3x3xf32>) {
  // expected-error @below {{'tfmbs.conv2d' op window width: expected at most 6 (input 5 and pads), got 7}}
  %0 = "tfmbs.conv2d"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 3>, pads = array<i64: 0, 0, 0, 1>, groups = 1 : i64, roles = []} : (tensor<1x4x5x5xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x3x3xf32>
  return
}

// -----

func.func @f(%a: tensor<1x4x5x5xf32>, %b: tensor<6x4x3x3xf32>) {
  // expected-error @below {{'tfmbs.conv2d' op result shape: expected 1x6x2x2, got 1x6x3x3}}
  %0 = "tfmbs.conv2d"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64, roles = []} : (tensor<1x4x5x5xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x3x3xf32>
  return
}

// -----

func.func @f(%a: tensor<1x4x5x5xf32>, %b: tensor<6x4x3x3xf32>) {
  // expected-error @below {{'tfmbs.conv2d' op result shape: expected 1x6x3x3, got 1x4x3x3}}
  %0 = "tfmbs.conv2d"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64, roles = []} : (tensor<1x4x5x5xf32>, tensor<6x4x3x3xf32>) -> tensor<1x4x3x3xf32>
  return
}

// -----

func.func @f(%a: tensor<4x5x5xf32>, %b: tensor<6x4x3x3xf32>) {
  // expected-error @below {{'tfmbs.conv2d' op input rank: expected 4, got 3}}
  %0 = "tfmbs.conv2d"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64, roles = []} : (tensor<4x5x5xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x3x3xf32>
  return
}

// -----

func.func @f(%a: tensor<1x4x5x5xf32>, %b: tensor<6x36xf32>) {
  // expected-error @below {{'tfmbs.conv2d' op filter rank: expected 4, got 2}}
  %0 = "tfmbs.conv2d"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64, roles = []} : (tensor<1x4x5x5xf32>, tensor<6x36xf32>) -> tensor<1x6x3x3xf32>
  return
}

// -----

func.func @f(%a: tensor<1x4x5x5xi8>, %b: tensor<6x4x3x3xi8>) {
  // expected-error @below {{'tfmbs.conv2d' op lhs element type: expected f32 or a quantized type, got i8}}
  %0 = "tfmbs.conv2d"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64, roles = []} : (tensor<1x4x5x5xi8>, tensor<6x4x3x3xi8>) -> tensor<1x6x3x3xi32>
  return
}

// -----

func.func @f(%a: tensor<1x4x5x5xf32>, %b: tensor<6x4x3x3xf32>) {
  // expected-error @below {{'tfmbs.conv2d' op result element type: expected f32 (the accumulator, without an epilogue), got f64}}
  %0 = "tfmbs.conv2d"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, groups = 1 : i64, roles = []} : (tensor<1x4x5x5xf32>, tensor<6x4x3x3xf32>) -> tensor<1x6x3x3xf64>
  return
}
