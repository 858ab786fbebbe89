// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics
// pool: kind, window, element types.

func.func @f(%x: tensor<1x2x4x4xf32>) {
  // expected-error @below {{'tfmbs.pool' op kind: expected max or avg, got sum}}
  %0 = "tfmbs.pool"(%x) {kind = "sum", kernel = array<i64: 2, 2>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, count_include_pad = false} : (tensor<1x2x4x4xf32>) -> tensor<1x2x3x3xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x4x4xf32>) {
  // expected-error @below {{'tfmbs.pool' op number of kernel sizes: expected 2, got 1}}
  %0 = "tfmbs.pool"(%x) {kind = "max", kernel = array<i64: 2>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, count_include_pad = false} : (tensor<1x2x4x4xf32>) -> tensor<1x2x3x3xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x4x4xf32>) {
  // expected-error @below {{'tfmbs.pool' op kernel sizes: expected at least 1, got 0}}
  %0 = "tfmbs.pool"(%x) {kind = "max", kernel = array<i64: 2, 0>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, count_include_pad = false} : (tensor<1x2x4x4xf32>) -> tensor<1x2x3x3xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x4x4xf32>) {
  // expected-error @below {{'tfmbs.pool' op window height: expected at most 4 (input 4 and pads), got 5}}
  %0 = "tfmbs.pool"(%x) {kind = "max", kernel = array<i64: 5, 2>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, count_include_pad = false} : (tensor<1x2x4x4xf32>) -> tensor<1x2x3x3xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x4x4xf32>) {
  // expected-error @below {{'tfmbs.pool' op result shape: expected 1x2x2x2, got 1x2x3x3}}
  %0 = "tfmbs.pool"(%x) {kind = "max", kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, count_include_pad = false} : (tensor<1x2x4x4xf32>) -> tensor<1x2x3x3xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x4x4xi8>) {
  // expected-error @below {{'tfmbs.pool' op result element type: expected i8, got f32}}
  %0 = "tfmbs.pool"(%x) {kind = "max", kernel = array<i64: 2, 2>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, count_include_pad = false} : (tensor<1x2x4x4xi8>) -> tensor<1x2x3x3xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x4x4xi8>) {
  // expected-error @below {{'tfmbs.pool' op input element type: expected f32 or a quantized type (max pooling), got i8}}
  %0 = "tfmbs.pool"(%x) {kind = "max", kernel = array<i64: 2, 2>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, count_include_pad = false} : (tensor<1x2x4x4xi8>) -> tensor<1x2x3x3xi8>
  return
}

// -----

func.func @f(%x: tensor<1x2x4x4x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @below {{'tfmbs.pool' op input element type: expected f32 (avg pooling), got !quant.uniform<i8:f32, 5.000000e-01>}}
  %0 = "tfmbs.pool"(%x) {kind = "avg", kernel = array<i64: 2, 2>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, count_include_pad = false} : (tensor<1x2x4x4x!quant.uniform<i8:f32, 0.5>>) -> tensor<1x2x3x3x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x: tensor<1x2x4x4xf32>) {
  // expected-error @below {{'tfmbs.pool' op count_include_pad: expected False (max pooling), got True}}
  %0 = "tfmbs.pool"(%x) {kind = "max", kernel = array<i64: 2, 2>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, count_include_pad = true} : (tensor<1x2x4x4xf32>) -> tensor<1x2x3x3xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x4x4xf32>) {
  // expected-error @below {{'tfmbs.pool' op attribute 'count_include_pad': expected true or false, got 1 : i64}}
  %0 = "tfmbs.pool"(%x) {kind = "max", kernel = array<i64: 2, 2>, strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, count_include_pad = 1} : (tensor<1x2x4x4xf32>) -> tensor<1x2x3x3xf32>
  return
}
