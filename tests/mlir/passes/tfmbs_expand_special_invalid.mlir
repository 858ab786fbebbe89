// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics --tfmbs-expand-special

func.func @tangent(%x: f32) -> f32 {
  // expected-error @+1 {{function without defined bits, expected one of rsqrt, exp, log, tanh, erf, sin, cos, pow, sigmoid, gelu of an f32 or f64, got math.tan}}
  %0 = math.tan %x : f32
  return %0 : f32
}

// -----

func.func @half(%x: f16) -> f16 {
  // expected-error @+1 {{function without defined bits, expected one of rsqrt, exp, log, tanh, erf, sin, cos, pow, sigmoid, gelu of an f32 or f64, got math.exp}}
  %0 = math.exp %x : f16
  return %0 : f16
}
