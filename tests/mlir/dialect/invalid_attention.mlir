// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics
// attention and its launch: shapes, masks, numbers.

func.func @f(%q: tensor<1x4x3x8xf32>, %k: tensor<1x3x5x8xf32>, %v: tensor<1x3x5x6xf32>) -> tensor<1x4x3x6xf32> {
  // expected-error @below {{'tfmbs.attention' op query heads: expected a multiple of the 3 heads of key, got 4}}
  %0 = "tfmbs.attention"(%q, %k, %v) {scale = 1.0 : f32, mask_mode = "none", fill = 0xFF800000 : f32, causal = false, offset = 0 : i64, clear = false} : (tensor<1x4x3x8xf32>, tensor<1x3x5x8xf32>, tensor<1x3x5x6xf32>) -> tensor<1x4x3x6xf32>
  return %0 : tensor<1x4x3x6xf32>
}

// -----

func.func @f(%q: tensor<1x4x3x8xf32>, %k: tensor<1x2x5x7xf32>, %v: tensor<1x2x5x6xf32>) -> tensor<1x4x3x6xf32> {
  // expected-error @below {{'tfmbs.attention' op key shape: expected 1x2x5x8 (batch and width of query), got 1x2x5x7}}
  %0 = "tfmbs.attention"(%q, %k, %v) {scale = 1.0 : f32, mask_mode = "none", fill = 0xFF800000 : f32, causal = false, offset = 0 : i64, clear = false} : (tensor<1x4x3x8xf32>, tensor<1x2x5x7xf32>, tensor<1x2x5x6xf32>) -> tensor<1x4x3x6xf32>
  return %0 : tensor<1x4x3x6xf32>
}

// -----

func.func @f(%q: tensor<1x4x3x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x4x6xf32>) -> tensor<1x4x3x6xf32> {
  // expected-error @below {{'tfmbs.attention' op value shape: expected 1x2x5x6 (batch, heads and rows of key), got 1x2x4x6}}
  %0 = "tfmbs.attention"(%q, %k, %v) {scale = 1.0 : f32, mask_mode = "none", fill = 0xFF800000 : f32, causal = false, offset = 0 : i64, clear = false} : (tensor<1x4x3x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x4x6xf32>) -> tensor<1x4x3x6xf32>
  return %0 : tensor<1x4x3x6xf32>
}

// -----

func.func @f(%q: tensor<4x3x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>) -> tensor<1x4x3x6xf32> {
  // expected-error @below {{'tfmbs.attention' op query rank: expected 4, got 3}}
  %0 = "tfmbs.attention"(%q, %k, %v) {scale = 1.0 : f32, mask_mode = "none", fill = 0xFF800000 : f32, causal = false, offset = 0 : i64, clear = false} : (tensor<4x3x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>) -> tensor<1x4x3x6xf32>
  return %0 : tensor<1x4x3x6xf32>
}

// -----

func.func @f(%q: tensor<1x4x3x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>) -> tensor<1x4x3x6xf32> {
  // expected-error @below {{'tfmbs.attention' op mask_mode: expected none or add or add_shown or select, got often}}
  %0 = "tfmbs.attention"(%q, %k, %v) {scale = 1.0 : f32, mask_mode = "often", fill = 0xFF800000 : f32, causal = false, offset = 0 : i64, clear = false} : (tensor<1x4x3x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>) -> tensor<1x4x3x6xf32>
  return %0 : tensor<1x4x3x6xf32>
}

// -----

func.func @f(%q: tensor<1x4x3x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>) -> tensor<1x4x3x6xf32> {
  // expected-error @below {{'tfmbs.attention' op number of masks: expected 1 (add), got 0}}
  %0 = "tfmbs.attention"(%q, %k, %v) {scale = 1.0 : f32, mask_mode = "add", fill = 0xFF800000 : f32, causal = false, offset = 0 : i64, clear = false} : (tensor<1x4x3x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>) -> tensor<1x4x3x6xf32>
  return %0 : tensor<1x4x3x6xf32>
}

// -----

func.func @f(%q: tensor<1x4x3x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>, %m: tensor<1x1x3x5xf32>) -> tensor<1x4x3x6xf32> {
  // expected-error @below {{'tfmbs.attention' op number of masks: expected 0 (none), got 1}}
  %0 = "tfmbs.attention"(%q, %k, %v, %m) {scale = 1.0 : f32, mask_mode = "none", fill = 0xFF800000 : f32, causal = false, offset = 0 : i64, clear = false} : (tensor<1x4x3x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x1x3x5xf32>) -> tensor<1x4x3x6xf32>
  return %0 : tensor<1x4x3x6xf32>
}

// -----

func.func @f(%q: tensor<1x4x3x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>, %m: tensor<1x2x3x5xf32>) -> tensor<1x4x3x6xf32> {
  // expected-error @below {{'tfmbs.attention' op mask shape: expected 1x4x3x5 (or 1 each), got 1x2x3x5}}
  %0 = "tfmbs.attention"(%q, %k, %v, %m) {scale = 1.0 : f32, mask_mode = "add", fill = 0xFF800000 : f32, causal = false, offset = 0 : i64, clear = false} : (tensor<1x4x3x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x2x3x5xf32>) -> tensor<1x4x3x6xf32>
  return %0 : tensor<1x4x3x6xf32>
}

// -----

func.func @f(%q: tensor<1x4x3x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>) -> tensor<1x4x3x6xf32> {
  // expected-error @below {{'tfmbs.attention' op fill: expected at most 0, got 1.0}}
  %0 = "tfmbs.attention"(%q, %k, %v) {scale = 1.0 : f32, mask_mode = "none", fill = 1.0 : f32, causal = false, offset = 0 : i64, clear = false} : (tensor<1x4x3x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>) -> tensor<1x4x3x6xf32>
  return %0 : tensor<1x4x3x6xf32>
}

// -----

func.func @f(%q: tensor<1x4x3x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>) -> tensor<1x4x3x6xf32> {
  // expected-error @below {{'tfmbs.attention' op scale: expected a finite number, got inf}}
  %0 = "tfmbs.attention"(%q, %k, %v) {scale = 0x7F800000 : f32, mask_mode = "none", fill = 0xFF800000 : f32, causal = false, offset = 0 : i64, clear = false} : (tensor<1x4x3x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>) -> tensor<1x4x3x6xf32>
  return %0 : tensor<1x4x3x6xf32>
}

// -----

func.func @f(%q: tensor<1x4x3x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>) -> tensor<1x4x3x6xf32> {
  // expected-error @below {{'tfmbs.attention' op scale type: expected f32, got f64}}
  %0 = "tfmbs.attention"(%q, %k, %v) {scale = 1.0 : f64, mask_mode = "none", fill = 0xFF800000 : f32, causal = false, offset = 0 : i64, clear = false} : (tensor<1x4x3x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>) -> tensor<1x4x3x6xf32>
  return %0 : tensor<1x4x3x6xf32>
}

// -----

func.func @f(%q: tensor<1x4x3x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>) -> tensor<1x4x3x5xf32> {
  // expected-error @below {{'tfmbs.attention' op result shape: expected 1x4x3x6, got 1x4x3x5}}
  %0 = "tfmbs.attention"(%q, %k, %v) {scale = 1.0 : f32, mask_mode = "none", fill = 0xFF800000 : f32, causal = false, offset = 0 : i64, clear = false} : (tensor<1x4x3x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>) -> tensor<1x4x3x5xf32>
  return %0 : tensor<1x4x3x5xf32>
}

// -----

func.func @f(%q: memref<1x4x3x8xf32>, %k: memref<1x2x5x8xf32>, %v: memref<1x2x5x6xf32>, %o: memref<1x4x3x5xf32>) {
  // expected-error @below {{'tfmbs.kernel_attention' op out shape: expected 1x4x3x6, got 1x4x3x5}}
  "tfmbs.kernel_attention"(%q, %k, %v, %o) {scale = 1.0 : f32, mask_mode = "none", fill = 0xFF800000 : f32, causal = false, offset = 0 : i64, clear = false} : (memref<1x4x3x8xf32>, memref<1x2x5x8xf32>, memref<1x2x5x6xf32>, memref<1x4x3x5xf32>) -> ()
  return
}

// -----

func.func @f(%q: memref<1x4x3x8xf32>, %k: memref<2x2x5x8xf32>, %v: memref<1x2x5x6xf32>, %o: memref<1x4x3x6xf32>) {
  // expected-error @below {{'tfmbs.kernel_attention' op key shape: expected 1x2x5x8 (batch and width of query), got 2x2x5x8}}
  "tfmbs.kernel_attention"(%q, %k, %v, %o) {scale = 1.0 : f32, mask_mode = "none", fill = 0xFF800000 : f32, causal = false, offset = 0 : i64, clear = false} : (memref<1x4x3x8xf32>, memref<2x2x5x8xf32>, memref<1x2x5x6xf32>, memref<1x4x3x6xf32>) -> ()
  return
}

// -----

func.func @f(%q: memref<1x4x3x8xf32>, %k: memref<1x2x5x8xf32>, %v: memref<1x2x5x6xf32>, %o: memref<1x4x3x6xf32, strided<[72, 1, 24, 4]>>) {
  // expected-error @below {{'tfmbs.kernel_attention' op out strides: expected those of a dense 1×4×3×6, or of one with heads and rows exchanged, got [72, 1, 24, 4]}}
  "tfmbs.kernel_attention"(%q, %k, %v, %o) {scale = 1.0 : f32, mask_mode = "none", fill = 0xFF800000 : f32, causal = false, offset = 0 : i64, clear = false} : (memref<1x4x3x8xf32>, memref<1x2x5x8xf32>, memref<1x2x5x6xf32>, memref<1x4x3x6xf32, strided<[72, 1, 24, 4]>>) -> ()
  return
}
