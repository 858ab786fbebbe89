// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics --tfmbs-expand-arith

func.func @type(%x: f8E5M2) -> f32 {
  // expected-error @+1 {{arith.extf, expected f16, bf16, f32 or f64, got f8E5M2}}
  %0 = arith.extf %x : f8E5M2 to f32
  return %0 : f32
}

// -----

func.func @mode(%x: f64) -> f32 {
  // expected-error @+1 {{rounding mode, expected to_nearest_even}}
  %0 = arith.truncf %x toward_zero : f64 to f32
  return %0 : f32
}

// -----

func.func @no_half(%x: f16) -> f16 {
  // expected-error @+1 {{math.cbrt of f16}}
  %0 = math.cbrt %x : f16
  return %0 : f16
}

// -----

func.func @index(%x: index) -> index {
  // expected-error @+1 {{index.divs, expected the same of arith, on index}}
  %0 = index.divs %x, %x
  return %0 : index
}
