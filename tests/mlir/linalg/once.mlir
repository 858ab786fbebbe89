// RUN: tfmbs-opt %s --tfmbs-to-linalg --tfmbs-to-linalg | filecheck %s

// The second run changes nothing: a plain sum that the first one made stays plain.
// CHECK-COUNT-1: linalg.fill
// CHECK-NOT:     mod 16
func.func @pool(%x: tensor<1x1x4x4xf32>) -> tensor<1x1x2x2xf32> {
  %0 = "tfmbs.pool"(%x) {count_include_pad = false, dilations = array<i64: 1, 1>, kernel = array<i64: 2, 2>, kind = "avg", pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 2, 2>} : (tensor<1x1x4x4xf32>) -> tensor<1x1x2x2xf32>
  return %0 : tensor<1x1x2x2xf32>
}
