// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics
// quantize, dequantize, requantize.

func.func @f(%x0: tensor<2x3xf64>) {
  // expected-error @below {{'tfmbs.quantize' op input element type: expected f32, got f64}}
  %0 = "tfmbs.quantize"(%x0) : (tensor<2x3xf64>) -> tensor<2x3x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x0: tensor<2x3xf32>) {
  // expected-error @below {{'tfmbs.quantize' op result element type: expected a quantized type, got i8}}
  %0 = "tfmbs.quantize"(%x0) : (tensor<2x3xf32>) -> tensor<2x3xi8>
  return
}

// -----

func.func @f(%x0: tensor<2x3xf32>) {
  // expected-error @below {{'tfmbs.quantize' op result shape: expected 2x3 (shape of the input), got 3x2}}
  %0 = "tfmbs.quantize"(%x0) : (tensor<2x3xf32>) -> tensor<3x2x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x0: tensor<2x3xf32>) {
  // expected-error @below {{'tfmbs.quantize' op number of result scales: expected 3 (size of axis 1), got 2}}
  %0 = "tfmbs.quantize"(%x0) : (tensor<2x3xf32>) -> tensor<2x3x!quant.uniform<i8:f32:1, {1.0, 2.0}>>
  return
}

// -----

func.func @f(%x0: tensor<2x3x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @below {{'tfmbs.dequantize' op result element type: expected f32, got f64}}
  %0 = "tfmbs.dequantize"(%x0) {axis = 0 : i64} : (tensor<2x3x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x3xf64>
  return
}

// -----

func.func @f(%x0: tensor<2x3xi8>) {
  // expected-error @below {{'tfmbs.dequantize' op input element type: expected i32 (or a quantized type), got i8}}
  %0 = "tfmbs.dequantize"(%x0) {axis = 0 : i64} : (tensor<2x3xi8>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%x0: tensor<2x3xi32>) {
  // expected-error @below {{'tfmbs.dequantize' op number of operands: expected 2 (accumulators need a scale), got 1}}
  %0 = "tfmbs.dequantize"(%x0) {axis = 0 : i64} : (tensor<2x3xi32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%x0: tensor<2x3x!quant.uniform<i8:f32, 0.5>>, %x1: tensor<f32>) {
  // expected-error @below {{'tfmbs.dequantize' op number of operands: expected 1 (a quantized input has its own scale), got 2}}
  %0 = "tfmbs.dequantize"(%x0, %x1) {axis = 0 : i64} : (tensor<2x3x!quant.uniform<i8:f32, 0.5>>, tensor<f32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%x0: tensor<2x3x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @below {{'tfmbs.dequantize' op axis: expected 0 (axis of the type), got 1}}
  %0 = "tfmbs.dequantize"(%x0) {axis = 1 : i64} : (tensor<2x3x!quant.uniform<i8:f32, 0.5>>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%x0: tensor<2x3xi32>, %x1: tensor<f32>) {
  // expected-error @below {{'tfmbs.dequantize' op axis: expected 0 to 1, got 2}}
  %0 = "tfmbs.dequantize"(%x0, %x1) {axis = 2 : i64} : (tensor<2x3xi32>, tensor<f32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%x0: tensor<2x3xi32>, %x1: tensor<2xf32>) {
  // expected-error @below {{'tfmbs.dequantize' op scale shape: expected 3 (or one element; axis 1 of the input), got 2}}
  %0 = "tfmbs.dequantize"(%x0, %x1) {axis = 1 : i64} : (tensor<2x3xi32>, tensor<2xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%x0: tensor<2x3xi32>, %x1: tensor<3xf64>) {
  // expected-error @below {{'tfmbs.dequantize' op scale element type: expected f32, got f64}}
  %0 = "tfmbs.dequantize"(%x0, %x1) {axis = 1 : i64} : (tensor<2x3xi32>, tensor<3xf64>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%x0: tensor<2x3x!quant.uniform<i8:f32, 0.5>>) {
  // expected-error @below {{'tfmbs.dequantize' op result shape: expected 2x3 (shape of the input), got 6}}
  %0 = "tfmbs.dequantize"(%x0) {axis = 0 : i64} : (tensor<2x3x!quant.uniform<i8:f32, 0.5>>) -> tensor<6xf32>
  return
}

// -----

func.func @f(%x0: tensor<2x3xf32>, %x1: tensor<3xf32>) {
  // expected-error @below {{'tfmbs.requantize' op input element type: expected i32, got f32}}
  %0 = "tfmbs.requantize"(%x0, %x1) {axis = 1 : i64, low = 0 : i64} : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2x3x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x0: tensor<2x3xi32>, %x1: tensor<3xf32>) {
  // expected-error @below {{'tfmbs.requantize' op low: expected -128 to 127, got 128}}
  %0 = "tfmbs.requantize"(%x0, %x1) {axis = 1 : i64, low = 128 : i64} : (tensor<2x3xi32>, tensor<3xf32>) -> tensor<2x3x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x0: tensor<2x3xi32>, %x1: tensor<3xf32>) {
  // expected-error @below {{'tfmbs.requantize' op low: expected -127 to 127, got -128}}
  %0 = "tfmbs.requantize"(%x0, %x1) {axis = 1 : i64, low = -128 : i64} : (tensor<2x3xi32>, tensor<3xf32>) -> tensor<2x3x!quant.uniform<i8<-127:127>:f32, 0.5>>
  return
}

// -----

func.func @f(%x0: tensor<2x3xi32>, %x1: tensor<3xf32>) {
  // expected-error @below {{'tfmbs.requantize' op scale shape: expected 2 (or one element; axis 0 of the input), got 3}}
  %0 = "tfmbs.requantize"(%x0, %x1) {axis = 0 : i64, low = 0 : i64} : (tensor<2x3xi32>, tensor<3xf32>) -> tensor<2x3x!quant.uniform<i8:f32, 0.5>>
  return
}

// -----

func.func @f(%x0: tensor<2x3xi32>, %x1: tensor<3xf32>) {
  // expected-error @below {{'tfmbs.requantize' op result element type: expected a quantized type, got f32}}
  %0 = "tfmbs.requantize"(%x0, %x1) {axis = 1 : i64, low = 0 : i64} : (tensor<2x3xi32>, tensor<3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%x0: tensor<2x3xi32>, %x1: tensor<3xf32>) {
  // expected-error @below {{'tfmbs.requantize' op result quantization: expected per tensor}}
  %0 = "tfmbs.requantize"(%x0, %x1) {axis = 1 : i64, low = 0 : i64} : (tensor<2x3xi32>, tensor<3xf32>) -> tensor<2x3x!quant.uniform<i8:f32:1, {1.0, 2.0, 3.0}>>
  return
}
