// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics
// softmax and layer_norm.

func.func @f(%x0: tensor<2x3xf32>) {
  // expected-error @below {{'tfmbs.softmax' op axis: expected 0 to 1, got 2}}
  %0 = "tfmbs.softmax"(%x0) {axis = 2 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%x0: tensor<2x3xf32>) {
  // expected-error @below {{'tfmbs.softmax' op axis: expected 0 to 1, got -1}}
  %0 = "tfmbs.softmax"(%x0) {axis = -1 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%x0: tensor<2x3xf32>) {
  // expected-error @below {{'tfmbs.softmax' op attribute 'axis': expected an integer, got 1.000000e+00 : f32}}
  %0 = "tfmbs.softmax"(%x0) {axis = 1.0 : f32} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%x0: tensor<2x3xf64>) {
  // expected-error @below {{'tfmbs.softmax' op input element type: expected f32, got f64}}
  %0 = "tfmbs.softmax"(%x0) {axis = 1 : i64} : (tensor<2x3xf64>) -> tensor<2x3xf64>
  return
}

// -----

func.func @f(%x0: tensor<2x3xf32>) {
  // expected-error @below {{'tfmbs.softmax' op result type: expected tensor<2x3xf32> (type of the input), got tensor<3x2xf32>}}
  %0 = "tfmbs.softmax"(%x0) {axis = 1 : i64} : (tensor<2x3xf32>) -> tensor<3x2xf32>
  return
}

// -----

func.func @f(%x0: tensor<2x3xf32>, %x1: tensor<3xf32>, %x2: tensor<3xf32>) {
  // expected-error @below {{'tfmbs.layer_norm' op axis: expected 0 to 1, got 2}}
  %0 = "tfmbs.layer_norm"(%x0, %x1, %x2) {axis = 2 : i64, epsilon = 1.0e-5 : f32} : (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%x0: tensor<2x3xf32>, %x1: tensor<3xf32>, %x2: tensor<3xf32>) {
  // expected-error @below {{'tfmbs.layer_norm' op gamma shape: expected 2x3 (normalized axes of the input), got 3}}
  %0 = "tfmbs.layer_norm"(%x0, %x1, %x2) {axis = 0 : i64, epsilon = 1.0e-5 : f32} : (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%x0: tensor<2x3xf32>, %x1: tensor<3xf32>, %x2: tensor<2xf32>) {
  // expected-error @below {{'tfmbs.layer_norm' op beta shape: expected 3 (normalized axes of the input), got 2}}
  %0 = "tfmbs.layer_norm"(%x0, %x1, %x2) {axis = 1 : i64, epsilon = 1.0e-5 : f32} : (tensor<2x3xf32>, tensor<3xf32>, tensor<2xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%x0: tensor<2x3xf32>, %x1: tensor<3xf64>, %x2: tensor<3xf32>) {
  // expected-error @below {{'tfmbs.layer_norm' op gamma element type: expected f32, got f64}}
  %0 = "tfmbs.layer_norm"(%x0, %x1, %x2) {axis = 1 : i64, epsilon = 1.0e-5 : f32} : (tensor<2x3xf32>, tensor<3xf64>, tensor<3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%x0: tensor<2x3xf32>, %x1: tensor<3xf32>, %x2: tensor<3xf32>) {
  // expected-error @below {{'tfmbs.layer_norm' op epsilon type: expected f32, got f64}}
  %0 = "tfmbs.layer_norm"(%x0, %x1, %x2) {axis = 1 : i64, epsilon = 1.0e-5 : f64} : (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%x0: tensor<2x3xf32>, %x1: tensor<3xf32>, %x2: tensor<3xf32>) {
  // expected-error @below {{'tfmbs.layer_norm' op epsilon: expected at least 0, got -1.0}}
  %0 = "tfmbs.layer_norm"(%x0, %x1, %x2) {axis = 1 : i64, epsilon = -1.0 : f32} : (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%x0: tensor<2x3xf32>, %x1: tensor<3xf32>, %x2: tensor<3xf32>) {
  // expected-error @below {{'tfmbs.layer_norm' op epsilon: expected at least 0, got nan}}
  %0 = "tfmbs.layer_norm"(%x0, %x1, %x2) {axis = 1 : i64, epsilon = 0x7FC00000 : f32} : (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<2x3xf32>
  return
}

// -----

func.func @f(%x0: tensor<2x3xf32>, %x1: tensor<3xf32>, %x2: tensor<3xf32>) {
  // expected-error @below {{'tfmbs.layer_norm' op result type: expected tensor<2x3xf32> (type of the input), got tensor<2x3xf64>}}
  %0 = "tfmbs.layer_norm"(%x0, %x1, %x2) {axis = 1 : i64, epsilon = 1.0e-5 : f32} : (tensor<2x3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<2x3xf64>
  return
}
