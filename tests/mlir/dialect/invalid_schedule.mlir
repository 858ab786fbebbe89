// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics
// The schedule that rides on a launch.

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'tfmbs.matmul' op schedule dataflow: expected one of output_stationary, weight_stationary, input_stationary, got os}}
  %0 = "tfmbs.matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = [], tfmbs.schedule = #tfmbs.schedule<"os", array<i64: 16, 16, 3>, 2 : i64, "0xf", "any", array<i64: 0, 0, 0>>} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'tfmbs.matmul' op schedule tiles: expected 3 sizes of at least 1, got [16, 16]}}
  %0 = "tfmbs.matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = [], tfmbs.schedule = #tfmbs.schedule<"output_stationary", array<i64: 16, 16>, 2 : i64, "0xf", "any", array<i64: 0, 0, 0>>} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'tfmbs.matmul' op schedule tiles: expected 3 sizes of at least 1, got [16, 0, 3]}}
  %0 = "tfmbs.matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = [], tfmbs.schedule = #tfmbs.schedule<"output_stationary", array<i64: 16, 0, 3>, 2 : i64, "0xf", "any", array<i64: 0, 0, 0>>} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'tfmbs.matmul' op schedule buffers: expected at least 1, got 0}}
  %0 = "tfmbs.matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = [], tfmbs.schedule = #tfmbs.schedule<"output_stationary", array<i64: 16, 16, 3>, 0 : i64, "0xf", "any", array<i64: 0, 0, 0>>} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'tfmbs.matmul' op tile mask: expected 0x and hexadecimal digits, 1 to 256 bits, got '0x0'}}
  %0 = "tfmbs.matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = [], tfmbs.schedule = #tfmbs.schedule<"output_stationary", array<i64: 16, 16, 3>, 2 : i64, "0x0", "any", array<i64: 0, 0, 0>>} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'tfmbs.matmul' op tile mask: expected 0x and hexadecimal digits, 1 to 256 bits, got '0x0f'}}
  %0 = "tfmbs.matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = [], tfmbs.schedule = #tfmbs.schedule<"output_stationary", array<i64: 16, 16, 3>, 2 : i64, "0x0f", "any", array<i64: 0, 0, 0>>} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'tfmbs.matmul' op tile mask: expected 0x and hexadecimal digits, 1 to 256 bits, got '15'}}
  %0 = "tfmbs.matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = [], tfmbs.schedule = #tfmbs.schedule<"output_stationary", array<i64: 16, 16, 3>, 2 : i64, "15", "any", array<i64: 0, 0, 0>>} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'tfmbs.matmul' op tile mask: expected 0x and hexadecimal digits, 1 to 256 bits, got '0x10000000000000000000000000000000000000000000000000000000000000000'}}
  %0 = "tfmbs.matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = [], tfmbs.schedule = #tfmbs.schedule<"output_stationary", array<i64: 16, 16, 3>, 2 : i64, "0x10000000000000000000000000000000000000000000000000000000000000000", "any", array<i64: 0, 0, 0>>} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'tfmbs.matmul' op schedule order: expected one of any, rows, columns, got diagonals}}
  %0 = "tfmbs.matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = [], tfmbs.schedule = #tfmbs.schedule<"output_stationary", array<i64: 16, 16, 3>, 2 : i64, "0x1", "diagonals", array<i64: 0, 0, 0>>} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'tfmbs.matmul' op schedule block: expected 3 sizes of at least 0, got [0, -1, 0]}}
  %0 = "tfmbs.matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = [], tfmbs.schedule = #tfmbs.schedule<"output_stationary", array<i64: 16, 16, 3>, 2 : i64, "0x1", "any", array<i64: 0, -1, 0>>} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @f(%a: tensor<2x3xf32>, %b: tensor<4x3xf32>) {
  // expected-error @below {{'tfmbs.matmul' op tfmbs.schedule: expected #tfmbs.schedule, got 3 : i64}}
  %0 = "tfmbs.matmul"(%a, %b) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = [], tfmbs.schedule = 3 : i64} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>
  return
}

// -----

// expected-error @below {{expected base attribute 'builtin.string' but got 'builtin.integer'}}
func.func @f() attributes {s = #tfmbs.schedule<1, array<i64: 1, 1, 1>, 1 : i64, "0x1", "any", array<i64: 0, 0, 0>>} {
  return
}

// -----

// expected-error @below {{expected base attribute 'builtin.string' but got 'builtin.integer'}}
func.func private @f(tensor<2x!tfmbs.ternary<1>>)
