// RUN: torch-mlir-opt --irdl-file=%S/../../../docs/tfmbs.irdl.mlir %s | filecheck %s
// Upstream's own tool parses, verifies and prints our IR, knowing only the IRDL file.

// CHECK-LABEL: func.func @f
func.func @f(%lhs: tensor<1x3xf32>, %rhs: tensor<4x3xf32>, %x: tensor<1x2x4x4xf32>, %m: memref<2xf32>) -> tensor<1x4xf32> {
  // CHECK: "tfmbs.constant"() {value = dense<0> : tensor<4x1xi8>} : () -> tensor<4x3x!tfmbs.ternary<"pt5">>
  %w = "tfmbs.constant"() {value = dense<0> : tensor<4x1xi8>} : () -> tensor<4x3x!tfmbs.ternary<"pt5">>
  // CHECK: "tfmbs.gemv"(%arg0, %{{.*}})
  // CHECK: tfmbs.schedule = #tfmbs.schedule<"output_stationary", array<i64: 16, 16, 3>, 2 : i64, "0xf", "any", array<i64: 0, 0, 0>>
  %0 = "tfmbs.gemv"(%lhs, %w) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = [], tfmbs.schedule = #tfmbs.schedule<"output_stationary", array<i64: 16, 16, 3>, 2 : i64, "0xf", "any", array<i64: 0, 0, 0>>} : (tensor<1x3xf32>, tensor<4x3x!tfmbs.ternary<"pt5">>) -> tensor<1x4xf32>
  // CHECK: "tfmbs.fused_gemv"
  %1:2 = "tfmbs.fused_gemv"(%lhs, %rhs, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0>, orders = array<i64: 0, 1>, resultSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0>} : (tensor<1x3xf32>, tensor<4x3xf32>, tensor<4x3x!tfmbs.ternary<"pt5">>) -> (tensor<1x4xf32>, tensor<1x4xf32>)
  // CHECK: "tfmbs.pool"
  %2 = "tfmbs.pool"(%x) {kind = "max", kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, dilations = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, count_include_pad = false} : (tensor<1x2x4x4xf32>) -> tensor<1x2x2x2xf32>
  // CHECK: "tfmbs.kernel_copy"
  "tfmbs.kernel_copy"(%m, %m) : (memref<2xf32>, memref<2xf32>) -> ()
  return %0 : tensor<1x4xf32>
}

// CHECK: "tfmbs.fabric_schedule"
"tfmbs.fabric_schedule"() {dataflow = "output_stationary", buffers = 2 : i64, zero_skip = "none", order = "any", block_m = 0 : i64, block_n = 0 : i64, block_k = 0 : i64, tile_m = 16 : i64, tile_n = 16 : i64, tile_k = 3 : i64} : () -> ()
