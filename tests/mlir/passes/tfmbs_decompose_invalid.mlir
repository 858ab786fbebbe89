// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics --tfmbs-decompose

!q = !quant.uniform<i8:f32:0, {0.5:1, 0.25:2}>
func.func @zero_points(%x: tensor<2xf32>) -> tensor<2x!q> {
  // expected-error @+1 {{tfmbs.quantize per axis, expected zero points 0}}
  %0 = "tfmbs.quantize"(%x) : (tensor<2xf32>) -> tensor<2x!q>
  return %0 : tensor<2x!q>
}
