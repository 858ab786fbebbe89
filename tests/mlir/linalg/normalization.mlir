// RUN: tfmbs-opt %s --split-input-file --tfmbs-to-linalg | filecheck %s
// RUN: tfmbs-opt %s --split-input-file --tfmbs-to-linalg=numerics=portable | filecheck %s --check-prefixes PORTABLE

// Exact: the sum has 16 partials, exp is expanded. Portable: upstream's own.
// CHECK-DAG:   affine_map<(d0, d1) -> (d0, d1 mod 16)>
// CHECK-LABEL: func.func @softmax
// CHECK:       arith.truncf {{.*}} : f64 to f32
// CHECK-NOT:   math.exp
// PORTABLE-LABEL: func.func @softmax
// PORTABLE:       math.exp
// PORTABLE-NOT:   f64
func.func @softmax(%x: tensor<4x60xf32>) -> tensor<4x60xf32> {
  %0 = "tfmbs.softmax"(%x) {axis = 1 : i64} : (tensor<4x60xf32>) -> tensor<4x60xf32>
  return %0 : tensor<4x60xf32>
}

// -----

// CHECK-LABEL: func.func @layer_norm
// CHECK:       math.sqrt {{.*}} : f64
// CHECK-NOT:   math.rsqrt
// PORTABLE-LABEL: func.func @layer_norm
// PORTABLE:       math.rsqrt
func.func @layer_norm(%x: tensor<4x6xf32>, %g: tensor<6xf32>) -> tensor<4x6xf32> {
  %0 = "tfmbs.layer_norm"(%x, %g, %g) {axis = 1 : i64, epsilon = 1.0e-5 : f32} : (tensor<4x6xf32>, tensor<6xf32>, tensor<6xf32>) -> tensor<4x6xf32>
  return %0 : tensor<4x6xf32>
}
