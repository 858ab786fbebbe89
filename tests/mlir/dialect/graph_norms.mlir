// RUN: tfmbs-opt %s | tfmbs-opt | filecheck %s

// CHECK-LABEL: func.func @softmax
func.func @softmax(%x: tensor<2x3x4xf32>) -> tensor<2x3x4xf32> {
  // CHECK-NEXT: "tfmbs.softmax"(%arg0) {axis = 1 : i64} : (tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  %0 = "tfmbs.softmax"(%x) {axis = 1 : i64} : (tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  return %0 : tensor<2x3x4xf32>
}

// CHECK-LABEL: func.func @layer_norm
func.func @layer_norm(%x: tensor<2x3x4xf32>, %gamma: tensor<3x4xf32>, %beta: tensor<3x4xf32>) -> tensor<2x3x4xf32> {
  // CHECK-NEXT: "tfmbs.layer_norm"(%arg0, %arg1, %arg2) {axis = 1 : i64, epsilon = 9.99999974E-6 : f32}
  %0 = "tfmbs.layer_norm"(%x, %gamma, %beta) {axis = 1 : i64, epsilon = 1.0e-5 : f32} : (tensor<2x3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<2x3x4xf32>
  return %0 : tensor<2x3x4xf32>
}
