// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics
// lstm and its launch: shapes, roles of further operands, words.

func.func @f(%x: tensor<4x5xf32>, %w: tensor<1x12x5xf32>, %r: tensor<1x12x3xf32>) -> tensor<4x1x2x3xf32> {
  // expected-error @below {{'tfmbs.lstm' op input rank: expected 3, got 2}}
  %0 = "tfmbs.lstm"(%x, %w, %r) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, direction = "forward", gates = "iofc", roles = [], keep_cell = false} : (tensor<4x5xf32>, tensor<1x12x5xf32>, tensor<1x12x3xf32>) -> tensor<4x1x2x3xf32>
  return %0 : tensor<4x1x2x3xf32>
}

// -----

func.func @f(%x: tensor<4x2x5xf32>, %w: tensor<1x12x5xf32>, %r: tensor<1x9x3xf32>) -> tensor<4x1x2x3xf32> {
  // expected-error @below {{'tfmbs.lstm' op recurrent shape: expected 1x12x3 (directions, 4 · H, H), got 1x9x3}}
  %0 = "tfmbs.lstm"(%x, %w, %r) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, direction = "forward", gates = "iofc", roles = [], keep_cell = false} : (tensor<4x2x5xf32>, tensor<1x12x5xf32>, tensor<1x9x3xf32>) -> tensor<4x1x2x3xf32>
  return %0 : tensor<4x1x2x3xf32>
}

// -----

func.func @f(%x: tensor<4x2x5xf32>, %w: tensor<1x12x5xf32>, %r: tensor<1x12x3xf32>) -> tensor<4x1x2x3xf32> {
  // expected-error @below {{'tfmbs.lstm' op recurrent shape: expected 2x12x3 (directions, 4 · H, H), got 1x12x3}}
  %0 = "tfmbs.lstm"(%x, %w, %r) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, direction = "both", gates = "iofc", roles = [], keep_cell = false} : (tensor<4x2x5xf32>, tensor<1x12x5xf32>, tensor<1x12x3xf32>) -> tensor<4x1x2x3xf32>
  return %0 : tensor<4x1x2x3xf32>
}

// -----

func.func @f(%x: tensor<4x2x5xf32>, %w: tensor<1x12x4xf32>, %r: tensor<1x12x3xf32>) -> tensor<4x1x2x3xf32> {
  // expected-error @below {{'tfmbs.lstm' op weights shape: expected 1x12x5 (directions, rows of recurrent, width of input), got 1x12x4}}
  %0 = "tfmbs.lstm"(%x, %w, %r) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, direction = "forward", gates = "iofc", roles = [], keep_cell = false} : (tensor<4x2x5xf32>, tensor<1x12x4xf32>, tensor<1x12x3xf32>) -> tensor<4x1x2x3xf32>
  return %0 : tensor<4x1x2x3xf32>
}

// -----

func.func @f(%x: tensor<4x2x5xf32>, %w: tensor<1x12x5xf32>, %r: tensor<1x12x3xf32>) -> tensor<4x1x2x3xf32> {
  // expected-error @below {{'tfmbs.lstm' op direction: expected forward or reverse or both, got sideways}}
  %0 = "tfmbs.lstm"(%x, %w, %r) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, direction = "sideways", gates = "iofc", roles = [], keep_cell = false} : (tensor<4x2x5xf32>, tensor<1x12x5xf32>, tensor<1x12x3xf32>) -> tensor<4x1x2x3xf32>
  return %0 : tensor<4x1x2x3xf32>
}

// -----

func.func @f(%x: tensor<4x2x5xf32>, %w: tensor<1x12x5xf32>, %r: tensor<1x12x3xf32>) -> tensor<4x1x2x3xf32> {
  // expected-error @below {{'tfmbs.lstm' op gates: expected iofc or ifco, got fico}}
  %0 = "tfmbs.lstm"(%x, %w, %r) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, direction = "forward", gates = "fico", roles = [], keep_cell = false} : (tensor<4x2x5xf32>, tensor<1x12x5xf32>, tensor<1x12x3xf32>) -> tensor<4x1x2x3xf32>
  return %0 : tensor<4x1x2x3xf32>
}

// -----

func.func @f(%x: tensor<4x2x5xf32>, %w: tensor<1x12x5xf16>, %r: tensor<1x12x3xf32>) -> tensor<4x1x2x3xf32> {
  // expected-error @below {{'tfmbs.lstm' op weights element type: expected f32, got f16}}
  %0 = "tfmbs.lstm"(%x, %w, %r) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, direction = "forward", gates = "iofc", roles = [], keep_cell = false} : (tensor<4x2x5xf32>, tensor<1x12x5xf16>, tensor<1x12x3xf32>) -> tensor<4x1x2x3xf32>
  return %0 : tensor<4x1x2x3xf32>
}

// -----

func.func @f(%x: tensor<4x2x5xf32>, %w: tensor<1x12x5xf32>, %r: tensor<1x12x3xf32>) -> tensor<4x1x2x3xf32> {
  // expected-error @below {{'tfmbs.lstm' op number of further operands: expected 1 (roles), got 0}}
  %0 = "tfmbs.lstm"(%x, %w, %r) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, direction = "forward", gates = "iofc", roles = ["bias"], keep_cell = false} : (tensor<4x2x5xf32>, tensor<1x12x5xf32>, tensor<1x12x3xf32>) -> tensor<4x1x2x3xf32>
  return %0 : tensor<4x1x2x3xf32>
}

// -----

func.func @f(%x: tensor<4x2x5xf32>, %w: tensor<1x12x5xf32>, %r: tensor<1x12x3xf32>, %b: tensor<1x12xf32>) -> tensor<4x1x2x3xf32> {
  // expected-error @below {{'tfmbs.lstm' op roles: expected some of bias, recurrent_bias, hidden, cell, in this order, got recurrent_bias, bias}}
  %0 = "tfmbs.lstm"(%x, %w, %r, %b, %b) {operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0>, direction = "forward", gates = "iofc", roles = ["recurrent_bias", "bias"], keep_cell = false} : (tensor<4x2x5xf32>, tensor<1x12x5xf32>, tensor<1x12x3xf32>, tensor<1x12xf32>, tensor<1x12xf32>) -> tensor<4x1x2x3xf32>
  return %0 : tensor<4x1x2x3xf32>
}

// -----

func.func @f(%x: tensor<4x2x5xf32>, %w: tensor<1x12x5xf32>, %r: tensor<1x12x3xf32>, %b: tensor<1x12xf32>) -> tensor<4x1x2x3xf32> {
  // expected-error @below {{'tfmbs.lstm' op roles: expected some of bias, recurrent_bias, hidden, cell, in this order, got mask}}
  %0 = "tfmbs.lstm"(%x, %w, %r, %b) {operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0>, direction = "forward", gates = "iofc", roles = ["mask"], keep_cell = false} : (tensor<4x2x5xf32>, tensor<1x12x5xf32>, tensor<1x12x3xf32>, tensor<1x12xf32>) -> tensor<4x1x2x3xf32>
  return %0 : tensor<4x1x2x3xf32>
}

// -----

func.func @f(%x: tensor<4x2x5xf32>, %w: tensor<1x12x5xf32>, %r: tensor<1x12x3xf32>, %h: tensor<1x2x3xf32>) -> tensor<4x1x2x3xf32> {
  // expected-error @below {{'tfmbs.lstm' op 'cell' among roles: expected True (as 'hidden'), got False}}
  %0 = "tfmbs.lstm"(%x, %w, %r, %h) {operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0>, direction = "forward", gates = "iofc", roles = ["hidden"], keep_cell = false} : (tensor<4x2x5xf32>, tensor<1x12x5xf32>, tensor<1x12x3xf32>, tensor<1x2x3xf32>) -> tensor<4x1x2x3xf32>
  return %0 : tensor<4x1x2x3xf32>
}

// -----

func.func @f(%x: tensor<4x2x5xf32>, %w: tensor<1x12x5xf32>, %r: tensor<1x12x3xf32>, %b: tensor<1x24xf32>) -> tensor<4x1x2x3xf32> {
  // expected-error @below {{'tfmbs.lstm' op bias shape: expected 1x12, got 1x24}}
  %0 = "tfmbs.lstm"(%x, %w, %r, %b) {operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0>, direction = "forward", gates = "iofc", roles = ["bias"], keep_cell = false} : (tensor<4x2x5xf32>, tensor<1x12x5xf32>, tensor<1x12x3xf32>, tensor<1x24xf32>) -> tensor<4x1x2x3xf32>
  return %0 : tensor<4x1x2x3xf32>
}

// -----

func.func @f(%x: tensor<4x2x5xf32>, %w: tensor<1x12x5xf32>, %r: tensor<1x12x3xf32>, %h: tensor<1x3x2xf32>) -> tensor<4x1x2x3xf32> {
  // expected-error @below {{'tfmbs.lstm' op hidden shape: expected 1x2x3, got 1x3x2}}
  %0 = "tfmbs.lstm"(%x, %w, %r, %h, %h) {operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0>, direction = "forward", gates = "iofc", roles = ["hidden", "cell"], keep_cell = false} : (tensor<4x2x5xf32>, tensor<1x12x5xf32>, tensor<1x12x3xf32>, tensor<1x3x2xf32>, tensor<1x3x2xf32>) -> tensor<4x1x2x3xf32>
  return %0 : tensor<4x1x2x3xf32>
}

// -----

func.func @f(%x: tensor<4x2x5xf32>, %w: tensor<1x12x5xf32>, %r: tensor<1x12x3xf32>) -> tensor<4x1x2x3xf32> {
  // expected-error @below {{'tfmbs.lstm' op result shape: expected 5x1x2x3, got 4x1x2x3}}
  %0 = "tfmbs.lstm"(%x, %w, %r) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, direction = "forward", gates = "iofc", roles = [], keep_cell = true} : (tensor<4x2x5xf32>, tensor<1x12x5xf32>, tensor<1x12x3xf32>) -> tensor<4x1x2x3xf32>
  return %0 : tensor<4x1x2x3xf32>
}

// -----

func.func @f(%x: memref<4x2x5xf32, strided<[20, 10, 2]>>, %w: memref<1x12x5xf32>, %r: memref<1x12x3xf32>, %o: memref<4x1x2x3xf32>) {
  // expected-error @below {{'tfmbs.kernel_lstm' op input strides: expected [10, 5, 1] (dense), got [20, 10, 2]}}
  "tfmbs.kernel_lstm"(%x, %w, %r, %o) {operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, direction = "forward", gates = "iofc", roles = [], keep_cell = false} : (memref<4x2x5xf32, strided<[20, 10, 2]>>, memref<1x12x5xf32>, memref<1x12x3xf32>, memref<4x1x2x3xf32>) -> ()
  return
}

// -----

func.func @f(%x: memref<4x2x5xf32>, %w: memref<1x12x5xf32>, %r: memref<1x12x3xf32>, %o: memref<5x1x2x3xf32>) {
  // expected-error @below {{'tfmbs.kernel_lstm' op out shape: expected 4x1x2x3, got 5x1x2x3}}
  "tfmbs.kernel_lstm"(%x, %w, %r, %o) {operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, direction = "forward", gates = "iofc", roles = [], keep_cell = false} : (memref<4x2x5xf32>, memref<1x12x5xf32>, memref<1x12x3xf32>, memref<5x1x2x3xf32>) -> ()
  return
}
