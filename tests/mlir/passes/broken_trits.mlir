// Bytes that are no packed trits are found by the first pass that reads them: 3 of the 5 trits of a byte count, the rest is 0.
// RUN: tfmbs-opt %s --verify-diagnostics --tfmbs-telemetry

func.func @f(%x: tensor<2x3xf32>) -> tensor<2x4xf32> {
  // expected-error@+1 {{'tfmbs.constant' op value: the padding of row 3 is not 0}}
  %w = "tfmbs.constant"() {value = dense<[[121], [121], [121], [0]]> : tensor<4x1xi8>} : () -> tensor<4x3x!tfmbs.ternary<"pt5">>
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<2x3xf32>, tensor<4x3x!tfmbs.ternary<"pt5">>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}
