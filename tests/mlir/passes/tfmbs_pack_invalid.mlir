// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics --tfmbs-pack=packing=t2

func.func @no_trit(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  // expected-error @below {{'tfmbs.constant' op value: row 1 byte 0 is no code of I8}}
  %w = "tfmbs.constant"() {value = dense<[[1, 0], [5, 0]]> : tensor<2x2xi8>} : () -> tensor<2x2x!tfmbs.ternary<"i8">>
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x2xf32>, tensor<2x2x!tfmbs.ternary<"i8">>) -> tensor<1x2xf32>
  return %0 : tensor<1x2xf32>
}

// -----

// 243 is the first byte that is no five trits.
func.func @no_code(%x: tensor<1x6xf32>) -> tensor<1x1xf32> {
  // expected-error @below {{'tfmbs.constant' op value: row 0 byte 1 is no code of PT5}}
  %w = "tfmbs.constant"() {value = dense<[[121, -13]]> : tensor<1x2xi8>} : () -> tensor<1x6x!tfmbs.ternary<"pt5">>
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x6xf32>, tensor<1x6x!tfmbs.ternary<"pt5">>) -> tensor<1x1xf32>
  return %0 : tensor<1x1xf32>
}
