// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics
// group_matmul: a row of weights and a scale for each group.

func.func @f(%a: tensor<2x8xf32>, %b: tensor<5x4x!tfmbs.ternary<"i8">>, %s: tensor<3x2xf32>) {
  // expected-error @below {{'tfmbs.group_matmul' op rhs rows: expected 6 (one for each of the scales), got 5}}
  %0 = "tfmbs.group_matmul"(%a, %b, %s) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, activations = "stored", roles = []} : (tensor<2x8xf32>, tensor<5x4x!tfmbs.ternary<"i8">>, tensor<3x2xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%a: tensor<2x9xf32>, %b: tensor<6x4x!tfmbs.ternary<"i8">>, %s: tensor<3x2xf32>) {
  // expected-error @below {{'tfmbs.group_matmul' op lhs columns: expected 8 (all groups), got 9}}
  %0 = "tfmbs.group_matmul"(%a, %b, %s) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, activations = "stored", roles = []} : (tensor<2x9xf32>, tensor<6x4x!tfmbs.ternary<"i8">>, tensor<3x2xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%a: tensor<2x8x!quant.uniform<i8:f32, 0.5>>, %b: tensor<6x4x!quant.uniform<i4:f32, 1.0>>, %s: tensor<3x2xf32>) {
  // expected-error @below {{'tfmbs.group_matmul' op lhs element type: expected f32, got !quant.uniform<i8:f32, 5.000000e-01>}}
  %0 = "tfmbs.group_matmul"(%a, %b, %s) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, activations = "absmax", roles = []} : (tensor<2x8x!quant.uniform<i8:f32, 0.5>>, tensor<6x4x!quant.uniform<i4:f32, 1.0>>, tensor<3x2xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%a: tensor<2x8xf32>, %b: tensor<6x4x!quant.uniform<i4:f32, 0.5>>, %s: tensor<3x2xf32>) {
  // expected-error @below {{'tfmbs.group_matmul' op rhs element type: expected !tfmbs.ternary or integers of scale 1 and zero point 0, got !quant.uniform<i4:f32, 5.000000e-01>}}
  %0 = "tfmbs.group_matmul"(%a, %b, %s) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, activations = "stored", roles = []} : (tensor<2x8xf32>, tensor<6x4x!quant.uniform<i4:f32, 0.5>>, tensor<3x2xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%a: tensor<2x8xf32>, %b: tensor<6x4x!quant.uniform<i4:f32, 1.0>>, %s: tensor<3x2xf32>) {
  // expected-error @below {{'tfmbs.group_matmul' op activations: expected stored or absmax, got minmax}}
  %0 = "tfmbs.group_matmul"(%a, %b, %s) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, activations = "minmax", roles = []} : (tensor<2x8xf32>, tensor<6x4x!quant.uniform<i4:f32, 1.0>>, tensor<3x2xf32>) -> tensor<2x3xf32>
  return
}
