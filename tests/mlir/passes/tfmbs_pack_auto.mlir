// RUN: tfmbs-opt %s --tfmbs-pack='packing=auto target=kpu-16x16' | filecheck %s
// RUN: tfmbs-opt %s --tfmbs-pack='packing=auto target=kpu-16x16' --tfmbs-pack=packing=i8 | filecheck %s --check-prefix BACK

// Near trits are unpacked more cheaply from two bits; both weights of a fused launch get one packing, and each layer a reason.
// CHECK:      module attributes {tfmbs.packing = {k = "t2, 0.58 pJ per trit from L2, 58.3% zeros; a5 580.51, pt5 0.71, i8 1.70", q = "t2, 0.58
// CHECK:      value = dense<{{\[\[}}-122], [89]]> : tensor<2x1xi8>} : () -> tensor<2x4x!tfmbs.ternary<"t2">>
// CHECK:      tensor<1x4x!tfmbs.ternary<"t2">>
//
// Packed otherwise afterwards, a reason would not be one.
// BACK:       module {
// BACK:       value = dense<{{\[\[}}1, 0, -1, 1], [0, 1, 0, 0]]> : tensor<2x4xi8>
module {
  func.func @near(%x: tensor<1x4xf32>) -> (tensor<1x2xf32>, tensor<1x1xf32>) {
    %q = "tfmbs.constant"() {value = dense<[[1, 0, -1, 1], [0, 1, 0, 0]]> : tensor<2x4xi8>} : () -> tensor<2x4x!tfmbs.ternary<"i8">>
    %k = "tfmbs.constant"() {value = dense<[[0, 0, 1, 0]]> : tensor<1x4xi8>} : () -> tensor<1x4x!tfmbs.ternary<"i8">>
    %0:2 = "tfmbs.fused_gemv"(%x, %q, %k) ({}) {orders = array<i64: 0, 1>, roles = [], operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0>, resultSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0>,
      telemetry = {layer = "q+k", sparsity = 0.58 : f64, total = 12 : i64, zero_count = 7 : i64, members = [
        {layer = "q", sparsity = 0.5 : f64, total = 8 : i64, zero_count = 4 : i64}, {layer = "k", sparsity = 0.75 : f64, total = 4 : i64, zero_count = 3 : i64}]}
    } : (tensor<1x4xf32>, tensor<2x4x!tfmbs.ternary<"i8">>, tensor<1x4x!tfmbs.ternary<"i8">>) -> (tensor<1x2xf32>, tensor<1x1xf32>)
    return %0#0, %0#1 : tensor<1x2xf32>, tensor<1x1xf32>
  }
}
