// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics
// gemv and fused_gemv: one row, one result per rhs.

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'tfmbs.gemv' op lhs rows: expected 1, got 2}}
  %0 = "tfmbs.gemv"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<1x3xf32>, %b: tensor<4x4xf32>) {
  // expected-error @below {{'tfmbs.gemv' op rhs columns: expected 3 (reduction length of lhs), got 4}}
  %0 = "tfmbs.gemv"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<1x3xf32>, tensor<4x4xf32>) -> tensor<1x4xf32>
  return
}

// -----

func.func @f(%a: tensor<1x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'tfmbs.gemv' op result shape: expected 1x4, got 1x3}}
  %0 = "tfmbs.gemv"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<1x3xf32>, tensor<4x3xf32>) -> tensor<1x3xf32>
  return
}

// -----

func.func @f(%a: tensor<1x3xf32>, %b: tensor<4x3xf32>, %c: tensor<5x4xf32>, %d: tensor<2x3xf32>) {
  // expected-error @below {{'tfmbs.fused_gemv' op number of rhs: expected at least 2, got 1}}
  %0:1 = "tfmbs.fused_gemv"(%a, %b) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0>, orders = array<i64: 0>, resultSegmentSizes = array<i32: 1, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x3xf32>, tensor<4x3xf32>) -> (tensor<1x4xf32>)
  return
}

// -----

func.func @f(%a: tensor<1x3xf32>, %b: tensor<4x3xf32>, %c: tensor<5x4xf32>, %d: tensor<2x3xf32>) {
  // expected-error @below {{'tfmbs.fused_gemv' op number of results: expected 2, got 1}}
  %0:1 = "tfmbs.fused_gemv"(%a, %b, %b) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0>, orders = array<i64: 0, 1>, resultSegmentSizes = array<i32: 1, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x3xf32>, tensor<4x3xf32>, tensor<4x3xf32>) -> (tensor<1x4xf32>)
  return
}

// -----

func.func @f(%a: tensor<1x3xf32>, %b: tensor<4x3xf32>, %c: tensor<5x4xf32>, %d: tensor<2x3xf32>) {
  // expected-error @below {{'tfmbs.fused_gemv' op rhs 1 columns: expected 3 (reduction length of lhs), got 4}}
  %0:2 = "tfmbs.fused_gemv"(%a, %b, %c) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0>, orders = array<i64: 0, 1>, resultSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0>} : (tensor<1x3xf32>, tensor<4x3xf32>, tensor<5x4xf32>) -> (tensor<1x4xf32>, tensor<1x5xf32>)
  return
}

// -----

func.func @f(%a: tensor<1x3xf32>, %b: tensor<4x3xf32>, %c: tensor<5x4xf32>, %d: tensor<2x3xf32>) {
  // expected-error @below {{'tfmbs.fused_gemv' op result 1 shape: expected 1x4, got 4x1}}
  %0:2 = "tfmbs.fused_gemv"(%a, %b, %b) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0>, orders = array<i64: 0, 1>, resultSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0>} : (tensor<1x3xf32>, tensor<4x3xf32>, tensor<4x3xf32>) -> (tensor<1x4xf32>, tensor<4x1xf32>)
  return
}

// -----

func.func @f(%a: tensor<1x3xf32>, %b: tensor<4x3xf32>, %c: tensor<5x4xf32>, %d: tensor<2x3xf32>) {
  // expected-error @below {{'tfmbs.fused_gemv' op result 0 element type: expected f32, got i32}}
  %0:2 = "tfmbs.fused_gemv"(%a, %b, %b) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0>, orders = array<i64: 0, 1>, resultSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0>} : (tensor<1x3xf32>, tensor<4x3xf32>, tensor<4x3xf32>) -> (tensor<1x4xi32>, tensor<1x4xf32>)
  return
}

// -----

func.func @f(%a: tensor<1x3xf32>, %b: tensor<4x3xf32>, %c: tensor<5x4xf32>, %d: tensor<2x3xf32>) {
  // expected-error @below {{'tfmbs.fused_gemv' op orders: expected [0, 1] (a permutation), got [0, 2]}}
  %0:2 = "tfmbs.fused_gemv"(%a, %b, %b) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0>, orders = array<i64: 2, 0>, resultSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0>} : (tensor<1x3xf32>, tensor<4x3xf32>, tensor<4x3xf32>) -> (tensor<1x4xf32>, tensor<1x4xf32>)
  return
}

// -----

func.func @f(%a: tensor<1x3xf32>, %b: tensor<4x3xf32>, %c: tensor<5x4xf32>, %d: tensor<2x3xf32>) {
  // expected-error @below {{'tfmbs.fused_gemv' op lhs rows: expected 1, got 2}}
  %0:2 = "tfmbs.fused_gemv"(%d, %b, %b) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0>, orders = array<i64: 0, 1>, resultSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0>} : (tensor<2x3xf32>, tensor<4x3xf32>, tensor<4x3xf32>) -> (tensor<1x4xf32>, tensor<1x4xf32>)
  return
}

// -----

func.func @residual(%a: tensor<1x3xf32>, %b: tensor<4x3xf32>, %r: tensor<1x8xf32>) {
  // expected-error @below {{'tfmbs.fused_gemv' op epilogue operand 0 role: expected channel or scalar, got element}}
  %0:2 = "tfmbs.fused_gemv"(%a, %b, %b, %r) ({
  ^bb0(%acc: f32, %e: f32):
    "tfmbs.yield"(%acc) : (f32) -> ()
  }) {roles = ["element"], operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 0, 0, 0>, orders = array<i64: 0, 1>, resultSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0>} : (tensor<1x3xf32>, tensor<4x3xf32>, tensor<4x3xf32>, tensor<1x8xf32>) -> (tensor<1x4xf32>, tensor<1x4xf32>)
  return
}

// -----

func.func @one_part(%a: tensor<1x3xf32>, %b: tensor<4x3xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{'tfmbs.fused_gemv' op epilogue operand 0 shape: expected 8 (role channel), got 4}}
  %0:2 = "tfmbs.fused_gemv"(%a, %b, %b, %c) ({
  ^bb0(%acc: f32, %e: f32):
    "tfmbs.yield"(%acc) : (f32) -> ()
  }) {roles = ["channel"], operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 0, 0, 0>, orders = array<i64: 0, 1>, resultSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0>} : (tensor<1x3xf32>, tensor<4x3xf32>, tensor<4x3xf32>, tensor<4xf32>) -> (tensor<1x4xf32>, tensor<1x4xf32>)
  return
}
