// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics --tfmbs-expand-special

func.func @sine(%x: f32) -> f32 {
  // expected-error @+1 {{function without defined bits, expected one of erf, exp, log, rsqrt, tanh of an f32, got math.sin}}
  %0 = math.sin %x : f32
  return %0 : f32
}

// -----

func.func @double(%x: f64) -> f64 {
  // expected-error @+1 {{function without defined bits, expected one of erf, exp, log, rsqrt, tanh of an f32, got math.exp}}
  %0 = math.exp %x : f64
  return %0 : f64
}
