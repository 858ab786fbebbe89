// RUN: tfmbs-opt %s --verify-diagnostics --tfmbs-to-linalg=numerics=portable

func.func @pool(%x: memref<1x2x4x4xf32>, %y: memref<1x2x2x2xf32> {tfmbs.output}) {
  // expected-error @+1 {{numerics=portable, expected graph-level ops, got tfmbs.kernel_pool}}
  "tfmbs.kernel_pool"(%x, %y) {mode = "max", kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : (memref<1x2x4x4xf32>, memref<1x2x2x2xf32>) -> ()
  return
}
