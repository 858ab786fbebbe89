// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics
// Shapes and element types of matmul.

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x5xf32>) {
  // expected-error @below {{'tfmbs.matmul' op rhs columns: expected 3 (reduction length of lhs), got 5}}
  %0 = "tfmbs.matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x3xf32>, tensor<4x5xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'tfmbs.matmul' op result shape: expected 2x4, got 4x2}}
  %0 = "tfmbs.matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<4x2xf32>
  return
}

// -----

func.func @f(%a: tensor<3xf32>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'tfmbs.matmul' op lhs rank: expected 2, got 1}}
  %0 = "tfmbs.matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<3xf32>, tensor<4x3xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<1x4x3xf32>) {
  // expected-error @below {{'tfmbs.matmul' op rhs rank: expected 2, got 3}}
  %0 = "tfmbs.matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x3xf32>, tensor<1x4x3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<?x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'tfmbs.matmul' op lhs shape: expected static sizes of at least 1, got ?x3}}
  %0 = "tfmbs.matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<?x3xf32>, tensor<4x3xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @f(%a: tensor<0x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'tfmbs.matmul' op lhs shape: expected static sizes of at least 1, got 0x3}}
  %0 = "tfmbs.matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<0x3xf32>, tensor<4x3xf32>) -> tensor<0x4xf32>
  return
}

// -----

func.func @f(%a: memref<2x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'tfmbs.matmul' op lhs: expected a ranked tensor, got memref<2x3xf32>}}
  %0 = "tfmbs.matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (memref<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf64>, %b: tensor<4x3xf64>) {
  // expected-error @below {{'tfmbs.matmul' op lhs element type: expected f32 or a quantized type, got f64}}
  %0 = "tfmbs.matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x3xf64>, tensor<4x3xf64>) -> tensor<2x4xf64>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3x!quant.uniform<i8:f32, 1.0>>) {
  // expected-error @below {{'tfmbs.matmul' op rhs element type: expected f32 or !tfmbs.ternary (lhs is f32), got !quant.uniform<i8:f32, 1.000000e+00>}}
  %0 = "tfmbs.matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x3xf32>, tensor<4x3x!quant.uniform<i8:f32, 1.0>>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3x!quant.uniform<i8:f32, 1.0>>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'tfmbs.matmul' op rhs element type: expected a quantized type or !tfmbs.ternary (lhs is quantized), got f32}}
  %0 = "tfmbs.matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x3x!quant.uniform<i8:f32, 1.0>>, tensor<4x3xf32>) -> tensor<2x4xi32>
  return
}

// -----

func.func @f(%a: tensor<2x3x!quant.uniform<i8:f32:0, {1.0, 2.0}>>, %b: tensor<4x3x!tfmbs.ternary<"i8">>) {
  // expected-error @below {{'tfmbs.matmul' op lhs quantization: expected per tensor, got !quant.uniform<i8:f32:0, {1.000000e+00,2.000000e+00}>}}
  %0 = "tfmbs.matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x3x!quant.uniform<i8:f32:0, {1.0, 2.0}>>, tensor<4x3x!tfmbs.ternary<"i8">>) -> tensor<2x4xi32>
  return
}

// -----

func.func @f(%a: tensor<2x3x!quant.uniform<i8:f32, 1.0>>, %b: tensor<4x3x!quant.uniform<i8:f32:1, {1.0, 1.0, 1.0}>>) {
  // expected-error @below {{'tfmbs.matmul' op rhs quantized axis: expected 0, got 1}}
  %0 = "tfmbs.matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x3x!quant.uniform<i8:f32, 1.0>>, tensor<4x3x!quant.uniform<i8:f32:1, {1.0, 1.0, 1.0}>>) -> tensor<2x4xi32>
  return
}

// -----

func.func @f(%a: tensor<2x3x!quant.uniform<i8:f32, 1.0>>, %b: tensor<4x3x!quant.uniform<i8:f32, 1.0:7>>) {
  // expected-error @below {{'tfmbs.matmul' op rhs zero point: expected 0, got 7}}
  %0 = "tfmbs.matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x3x!quant.uniform<i8:f32, 1.0>>, tensor<4x3x!quant.uniform<i8:f32, 1.0:7>>) -> tensor<2x4xi32>
  return
}

// -----

func.func @f(%a: tensor<2x3x!quant.uniform<i8:f32, 1.0>>, %b: tensor<4x3x!tfmbs.ternary<"i8">>) {
  // expected-error @below {{'tfmbs.matmul' op result element type: expected i32 (the accumulator, without an epilogue), got f32}}
  %0 = "tfmbs.matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x3x!quant.uniform<i8:f32, 1.0>>, tensor<4x3x!tfmbs.ternary<"i8">>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'tfmbs.matmul' op attribute 'roles': expected an array, got none}}
  %0 = "tfmbs.matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'tfmbs.matmul' op attribute 'roles': expected an array, got "channel"}}
  %0 = "tfmbs.matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = "channel"} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'tfmbs.matmul' op number of operands: expected 2 to 10, got 1}}
  %0 = "tfmbs.matmul"(%a) ({}) {roles = []} : (tensor<2x3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'tfmbs.matmul' op number of results: expected 1, got 0}}
  "tfmbs.matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x3xf32>, tensor<4x3xf32>) -> ()
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'tfmbs.matmul' op number of regions: expected 1, got 0}}
  %0 = "tfmbs.matmul"(%a, %b)  {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'operandSegmentSizes' attribute is expected but not provided}}
  %0 = "tfmbs.matmul"(%a, %b) ({}) {roles = []} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>
  return
}
