// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics
// Operands, roles and region of an epilogue.

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{'tfmbs.matmul' op number of roles: expected 1, got 0}}
  %0 = "tfmbs.matmul"(%a, %b, %c) ({
    ^bb0(%acc: f32, %x: f32):
      "tfmbs.yield"(%acc) : (f32) -> ()
    }) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x3xf32>, tensor<4x3xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{'tfmbs.matmul' op epilogue operand 0 role: expected channel or element or scalar, got row}}
  %0 = "tfmbs.matmul"(%a, %b, %c) ({
    ^bb0(%acc: f32, %x: f32):
      "tfmbs.yield"(%acc) : (f32) -> ()
    }) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0>, roles = ["row"]} : (tensor<2x3xf32>, tensor<4x3xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{'tfmbs.matmul' op epilogue operand 0 role: expected channel or element or scalar, got 1 : i64}}
  %0 = "tfmbs.matmul"(%a, %b, %c) ({
    ^bb0(%acc: f32, %x: f32):
      "tfmbs.yield"(%acc) : (f32) -> ()
    }) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0>, roles = [1]} : (tensor<2x3xf32>, tensor<4x3xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>, %c: tensor<3xf32>) {
  // expected-error @below {{'tfmbs.matmul' op epilogue operand 0 shape: expected 4 (role channel), got 3}}
  %0 = "tfmbs.matmul"(%a, %b, %c) ({
    ^bb0(%acc: f32, %x: f32):
      "tfmbs.yield"(%acc) : (f32) -> ()
    }) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0>, roles = ["channel"]} : (tensor<2x3xf32>, tensor<4x3xf32>, tensor<3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{'tfmbs.matmul' op epilogue operand 0 shape: expected 2x4 (role element), got 4}}
  %0 = "tfmbs.matmul"(%a, %b, %c) ({
    ^bb0(%acc: f32, %x: f32):
      "tfmbs.yield"(%acc) : (f32) -> ()
    }) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0>, roles = ["element"]} : (tensor<2x3xf32>, tensor<4x3xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{'tfmbs.matmul' op epilogue operand 0 elements: expected 1 (role scalar), got 4}}
  %0 = "tfmbs.matmul"(%a, %b, %c) ({
    ^bb0(%acc: f32, %x: f32):
      "tfmbs.yield"(%acc) : (f32) -> ()
    }) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0>, roles = ["scalar"]} : (tensor<2x3xf32>, tensor<4x3xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>, %c: f32) {
  // expected-error @below {{'tfmbs.matmul' op epilogue operand 0: expected a ranked tensor, got f32}}
  %0 = "tfmbs.matmul"(%a, %b, %c) ({
    ^bb0(%acc: f32, %x: f32):
      "tfmbs.yield"(%acc) : (f32) -> ()
    }) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0>, roles = ["scalar"]} : (tensor<2x3xf32>, tensor<4x3xf32>, f32) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{'tfmbs.matmul' op number of epilogue operands: expected 0 (the epilogue is empty), got 1}}
  %0 = "tfmbs.matmul"(%a, %b, %c) ({}) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0>, roles = ["channel"]} : (tensor<2x3xf32>, tensor<4x3xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{'tfmbs.matmul' op number of epilogue arguments: expected 2 (accumulator and operands), got 1}}
  %0 = "tfmbs.matmul"(%a, %b, %c) ({
    ^bb0(%acc: f32):
      "tfmbs.yield"(%acc) : (f32) -> ()
    }) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0>, roles = ["channel"]} : (tensor<2x3xf32>, tensor<4x3xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'tfmbs.matmul' op epilogue argument 0: expected f32, got i32}}
  %0 = "tfmbs.matmul"(%a, %b) ({
    ^bb0(%acc: i32):
      "tfmbs.yield"(%acc) : (i32) -> ()
    }) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xi32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>, %c: tensor<4xf32>) {
  // expected-error @below {{'tfmbs.matmul' op epilogue argument 1: expected f32, got f64}}
  %0 = "tfmbs.matmul"(%a, %b, %c) ({
    ^bb0(%acc: f32, %x: f64):
      "tfmbs.yield"(%acc) : (f32) -> ()
    }) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0>, roles = ["channel"]} : (tensor<2x3xf32>, tensor<4x3xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'tfmbs.matmul' op epilogue result: expected f32 (element type of the result), got i1}}
  %0 = "tfmbs.matmul"(%a, %b) ({
    ^bb0(%acc: f32):
      %1 = arith.cmpf ogt, %acc, %acc : f32
      "tfmbs.yield"(%1) : (i1) -> ()
    }) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'tfmbs.matmul' op epilogue op: expected arith or math or a function of tfmbs, got index.constant}}
  %0 = "tfmbs.matmul"(%a, %b) ({
    ^bb0(%acc: f32):
      %1 = index.constant 1
      "tfmbs.yield"(%acc) : (f32) -> ()
    }) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'tfmbs.matmul' op epilogue op arith.constant: expected scalars, got tensor<2xf32>}}
  %0 = "tfmbs.matmul"(%a, %b) ({
    ^bb0(%acc: f32):
      %1 = arith.constant dense<1.0> : tensor<2xf32>
      "tfmbs.yield"(%acc) : (f32) -> ()
    }) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'tfmbs.matmul' op epilogue terminator: expected tfmbs.yield, got func.return}}
  %0 = "tfmbs.matmul"(%a, %b) ({
    ^bb0(%acc: f32):
      func.return
    }) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'tfmbs.matmul' op number of epilogue blocks: expected 1, got 2}}
  %0 = "tfmbs.matmul"(%a, %b) ({
    ^bb0(%acc: f32):
      cf.br ^bb1
    ^bb1:
      "tfmbs.yield"(%acc) : (f32) -> ()
    }) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3x!quant.uniform<i8:f32, 0.5>>, %b: tensor<4x3x!tfmbs.ternary<"i8">>) {
  // expected-error @below {{'tfmbs.matmul' op epilogue result: expected i8 (element type of the result), got i32}}
  %0 = "tfmbs.matmul"(%a, %b) ({
    ^bb0(%acc: i32):
      "tfmbs.yield"(%acc) : (i32) -> ()
    }) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x3x!quant.uniform<i8:f32, 0.5>>, tensor<4x3x!tfmbs.ternary<"i8">>) -> tensor<2x4x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>, %outside: f32) {
  %0 = "tfmbs.matmul"(%a, %b) ({
  ^bb0(%acc: f32):
    // expected-error @below {{'arith.addf' op using value defined outside the region}}
    %1 = arith.addf %acc, %outside : f32
    "tfmbs.yield"(%acc) : (f32) -> ()
  }) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%x: f32) {
  scf.execute_region {
    // expected-error @below {{'tfmbs.yield' op parent: expected an op with an epilogue, got scf.execute_region}}
    "tfmbs.yield"(%x) : (f32) -> ()
  }
  return
}
