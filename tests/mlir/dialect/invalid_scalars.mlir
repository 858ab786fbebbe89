// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics

func.func @f(%x: i32) -> i32 {
  // expected-error @below {{'tfmbs.sigmoid' op x: expected f16, bf16, f32 or f64, got i32}}
  %0 = "tfmbs.sigmoid"(%x) : (i32) -> i32
  return %0 : i32
}

// -----

func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{'tfmbs.gelu' op x: expected f16, bf16, f32 or f64, got tensor<4xf32>}}
  %0 = "tfmbs.gelu"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @f(%x: f32) -> f64 {
  // expected-error @below {{'tfmbs.gelu' op result: expected f32 (type of x), got f64}}
  %0 = "tfmbs.gelu"(%x) : (f32) -> f64
  return %0 : f64
}

// -----

func.func @f(%x: f32, %y: f64) -> f32 {
  // expected-error @below {{'tfmbs.pow' op y: expected f32 (type of x), got f64}}
  %0 = "tfmbs.pow"(%x, %y) : (f32, f64) -> f32
  return %0 : f32
}

// -----

func.func @f(%x: f64) -> f32 {
  // expected-error @below {{'tfmbs.rsqrt' op result: expected f64 (type of x), got f32}}
  %0 = "tfmbs.rsqrt"(%x) : (f64) -> f32
  return %0 : f32
}

// -----

func.func @f(%x: f64) -> f32 {
  // expected-error @below {{'tfmbs.exp' op result: expected f64 (type of x), got f32}}
  %0 = "tfmbs.exp"(%x) : (f64) -> f32
  return %0 : f32
}

// -----

func.func @f(%x: f64) -> f32 {
  // expected-error @below {{'tfmbs.log' op result: expected f64 (type of x), got f32}}
  %0 = "tfmbs.log"(%x) : (f64) -> f32
  return %0 : f32
}

// -----

func.func @f(%x: f64) -> f32 {
  // expected-error @below {{'tfmbs.tanh' op result: expected f64 (type of x), got f32}}
  %0 = "tfmbs.tanh"(%x) : (f64) -> f32
  return %0 : f32
}

// -----

func.func @f(%x: f64) -> f32 {
  // expected-error @below {{'tfmbs.erf' op result: expected f64 (type of x), got f32}}
  %0 = "tfmbs.erf"(%x) : (f64) -> f32
  return %0 : f32
}

// -----

func.func @f(%x: f64) -> f32 {
  // expected-error @below {{'tfmbs.sin' op result: expected f64 (type of x), got f32}}
  %0 = "tfmbs.sin"(%x) : (f64) -> f32
  return %0 : f32
}

// -----

func.func @f(%x: f64) -> f32 {
  // expected-error @below {{'tfmbs.cos' op result: expected f64 (type of x), got f32}}
  %0 = "tfmbs.cos"(%x) : (f64) -> f32
  return %0 : f32
}
