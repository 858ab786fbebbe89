// RUN: tfmbs-opt %s --tfmbs-expand-attention | filecheck %s
// RUN: tfmbs-opt %s --tfmbs-expand-attention=target=kpu-16x16 | filecheck %s --check-prefixes KEPT

// Heads that share a key are rows of one product with it; hidden scores are filled, their weights cleared.
// CHECK-LABEL: func.func @f
// CHECK:       "tfmbs.batch_matmul"
// CHECK:       (tensor<2x6x8xf32>, tensor<2x5x8xf32>) -> tensor<2x6x5xf32>
// CHECK:       arith.mulf
// CHECK:       linalg.index 2
// CHECK:       linalg.index 3
// CHECK:       arith.cmpi sle
// CHECK:       arith.select
// CHECK:       "tfmbs.softmax"(%{{.*}}) {axis = 3 : i64}
// CHECK:       arith.select
// CHECK:       "tfmbs.batch_matmul"
// CHECK:       rhs_layout = "kn"
// CHECK-NOT:   tfmbs.attention
// A target with the kernel keeps it.
// KEPT:        "tfmbs.attention"
// KEPT-NOT:    tfmbs.softmax
func.func @f(%q: tensor<1x4x3x8xf32>, %k: tensor<1x2x5x8xf32>, %v: tensor<1x2x5x6xf32>) -> tensor<1x4x3x6xf32> {
  %0 = "tfmbs.attention"(%q, %k, %v) {scale = 0.25 : f32, mask_mode = "none", fill = -3.40282347E+38 : f32, causal = true, offset = 2 : i64, clear = true} : (tensor<1x4x3x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>) -> tensor<1x4x3x6xf32>
  return %0 : tensor<1x4x3x6xf32>
}
