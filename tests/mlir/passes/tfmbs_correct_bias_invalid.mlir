// RUN: not tfmbs-opt %s --tfmbs-correct-bias 2>&1 | filecheck %s

// CHECK: tfmbs.input_mean, expected finite f32 of (1, 2)
func.func @f(%x: tensor<2x2xf32>) -> tensor<2x1xf32> {
  %w = arith.constant dense<[[127.0, 2.0]]> : tensor<1x2xf32>
  %0 = "tfmbs.matmul"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, tfmbs.input_mean = dense<[1.0, 2.0]> : tensor<2xf32>} : (tensor<2x2xf32>, tensor<1x2xf32>) -> tensor<2x1xf32>
  return %0 : tensor<2x1xf32>
}
