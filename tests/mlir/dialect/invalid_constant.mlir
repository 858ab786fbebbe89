// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics
// Constants: the value holds the stored elements of the result.

func.func @f() {
  // expected-error @below {{'tfmbs.constant' op result element type: expected a quantized type or !tfmbs.ternary, got f32}}
  %0 = "tfmbs.constant"() {value = dense<0> : tensor<2xi8>} : () -> tensor<2xf32>
  return
}

// -----

func.func @f() {
  // expected-error @below {{'tfmbs.constant' op value type: expected tensor<2x2xi8> (stored elements of the result), got tensor<2x6xi8>}}
  %0 = "tfmbs.constant"() {value = dense<0> : tensor<2x6xi8>} : () -> tensor<2x6x!tfmbs.ternary<"pt5">>
  return
}

// -----

func.func @f() {
  // expected-error @below {{'tfmbs.constant' op value: expected dense elements, got 1 : i8}}
  %0 = "tfmbs.constant"() {value = 1 : i8} : () -> tensor<2x!tfmbs.ternary<"i8">>
  return
}

// -----

func.func @f() {
  // expected-error @below {{'tfmbs.constant' op attribute 'value': expected an attribute, got none}}
  %0 = "tfmbs.constant"() : () -> tensor<2x!tfmbs.ternary<"i8">>
  return
}

// -----

func.func @f() {
  // expected-error @below {{'tfmbs.constant' op result: expected a ranked tensor, got tensor<*x!tfmbs.ternary<"i8">>}}
  %0 = "tfmbs.constant"() {value = dense<0> : tensor<2xi8>} : () -> tensor<*x!tfmbs.ternary<"i8">>
  return
}

// -----

func.func @f() {
  // expected-error @below {{'tfmbs.constant' op result rank: expected at least 1 for a ternary tensor, got 0}}
  %0 = "tfmbs.constant"() {value = dense<0> : tensor<i8>} : () -> tensor<!tfmbs.ternary<"i8">>
  return
}

// -----

func.func @f() {
  // expected-error @below {{'tfmbs.constant' op result packing: expected i8 or pt5 or t2 or s2 or s4 or r5 or a5, got pt7}}
  %0 = "tfmbs.constant"() {value = dense<0> : tensor<2xi8>} : () -> tensor<2x!tfmbs.ternary<"pt7">>
  return
}

// -----

func.func @f() {
  // expected-error @below {{'tfmbs.constant' op number of result scales: expected 2 (size of axis 0), got 3}}
  %0 = "tfmbs.constant"() {value = dense<0> : tensor<2x3xi8>} : () -> tensor<2x3x!quant.uniform<i8:f32:0, {1.0, 1.0, 1.0}>>
  return
}

// -----

func.func @f() {
  // expected-error @below {{'tfmbs.constant' op result quantized axis: expected 0 to 1, got 2}}
  %0 = "tfmbs.constant"() {value = dense<0> : tensor<2x3xi8>} : () -> tensor<2x3x!quant.uniform<i8:f32:2, {1.0, 1.0, 1.0}>>
  return
}

// -----

func.func @f() {
  // expected-error @below {{'tfmbs.constant' op result storage type: expected i8, got i16}}
  %0 = "tfmbs.constant"() {value = dense<0> : tensor<2xi8>} : () -> tensor<2x!quant.uniform<i16:f32, 1.0>>
  return
}

// -----

func.func @f() {
  // expected-error @below {{'tfmbs.constant' op result storage type: expected i8, got u8}}
  %0 = "tfmbs.constant"() {value = dense<0> : tensor<2xi8>} : () -> tensor<2x!quant.uniform<u8:f32, 1.0>>
  return
}

// -----

func.func @f() {
  // expected-error @below {{'tfmbs.constant' op result expressed type: expected f32, got f64}}
  %0 = "tfmbs.constant"() {value = dense<0> : tensor<2xi8>} : () -> tensor<2x!quant.uniform<i8:f64, 1.0>>
  return
}
