// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics
// batch_matmul: layouts, batches, element types.

func.func @f(%a: tensor<7x2x3xf32>, %b: tensor<7x4x3xf32>) {
  // expected-error @below {{'tfmbs.batch_matmul' op rhs_layout: expected nk or kn, got mk}}
  %0 = "tfmbs.batch_matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, rhs_layout = "mk", roles = []} : (tensor<7x2x3xf32>, tensor<7x4x3xf32>) -> tensor<7x2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<7x2x3xf32>, %b: tensor<1x4x3xf32>) {
  // expected-error @below {{'tfmbs.batch_matmul' op rhs batch: expected 7 (batch of lhs), got 1}}
  %0 = "tfmbs.batch_matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, rhs_layout = "nk", roles = []} : (tensor<7x2x3xf32>, tensor<1x4x3xf32>) -> tensor<7x2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<7x2x3xf32>, %b: tensor<7x4x3xf32>) {
  // expected-error @below {{'tfmbs.batch_matmul' op rhs reduction length: expected 3 (reduction length of lhs), got 4}}
  %0 = "tfmbs.batch_matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, rhs_layout = "kn", roles = []} : (tensor<7x2x3xf32>, tensor<7x4x3xf32>) -> tensor<7x2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<7x2x3xf32>, %b: tensor<7x3x4xf32>) {
  // expected-error @below {{'tfmbs.batch_matmul' op result shape: expected 7x2x4, got 7x4x2}}
  %0 = "tfmbs.batch_matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, rhs_layout = "kn", roles = []} : (tensor<7x2x3xf32>, tensor<7x3x4xf32>) -> tensor<7x4x2xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<7x3x4xf32>) {
  // expected-error @below {{'tfmbs.batch_matmul' op lhs rank: expected 3, got 2}}
  %0 = "tfmbs.batch_matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, rhs_layout = "nk", roles = []} : (tensor<2x3xf32>, tensor<7x3x4xf32>) -> tensor<7x4x2xf32>
  return
}

// -----

func.func @f(%a: tensor<7x2x3xf32>, %b: tensor<7x4x3x!tfmbs.ternary<"pt5">>) {
  // expected-error @below {{'tfmbs.batch_matmul' op rhs element type: expected f32 or a quantized type, got !tfmbs.ternary<"pt5">}}
  %0 = "tfmbs.batch_matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, rhs_layout = "nk", roles = []} : (tensor<7x2x3xf32>, tensor<7x4x3x!tfmbs.ternary<"pt5">>) -> tensor<7x2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x2x3x!quant.uniform<i8:f32, 1.0>>, %b: tensor<2x4x3x!quant.uniform<i8:f32:0, {1.0, 2.0}>>) {
  // expected-error @below {{'tfmbs.batch_matmul' op rhs quantization: expected per tensor}}
  %0 = "tfmbs.batch_matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, rhs_layout = "nk", roles = []} : (tensor<2x2x3x!quant.uniform<i8:f32, 1.0>>, tensor<2x4x3x!quant.uniform<i8:f32:0, {1.0, 2.0}>>) -> tensor<2x2x4xi32>
  return
}
