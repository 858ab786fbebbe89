// RUN: tfmbs-opt %s --split-input-file --tfmbs-tile | filecheck %s
// RUN: tfmbs-opt %s --split-input-file --tfmbs-tile=target=kpu-datacenter | filecheck %s --check-prefixes MANY

// One array: one tile works. Many rows stream through stationary weights, and telemetry gets the mask.
// CHECK-LABEL: func.func @conv
// CHECK:       "tfmbs.conv2d"
// CHECK:       telemetry = {layer = "stem", sparsity = 0.000000e+00 : f64, tile_mask = "0x1", total = 432 : i64, zero_count = 0 : i64}
// CHECK-SAME:  tfmbs.schedule = #tfmbs.schedule<"output_stationary", array<i64: {{[0-9]+}}, 16, {{[0-9]+}}>, 2 : i64, "0x1", "{{rows|columns}}", array<i64: 0, 0, 0>>
// CHECK:       "tfmbs.pool"
// CHECK-SAME:  tfmbs.schedule = #tfmbs.schedule<"output_stationary",
//
// 56 of 256 arrays share 12544 output positions: more would wait for the same external memory.
// MANY-LABEL:  func.func @conv
// MANY:        tile_mask = "0xffffffffffffff", 
func.func @conv(%x: tensor<1x3x224x224xf32>, %w: tensor<16x3x3x3xf32>) -> tensor<1x16x56x56xf32> {
  %0 = "tfmbs.conv2d"(%x, %w) ({}) {dilations = array<i64: 1, 1>, groups = 1 : i64, pads = array<i64: 1, 1, 1, 1>, strides = array<i64: 2, 2>, roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, telemetry = {layer = "stem", sparsity = 0.0 : f64, total = 432 : i64, zero_count = 0 : i64}} : (tensor<1x3x224x224xf32>, tensor<16x3x3x3xf32>) -> tensor<1x16x112x112xf32>
  %1 = "tfmbs.pool"(%0) {count_include_pad = false, dilations = array<i64: 1, 1>, kernel = array<i64: 2, 2>, kind = "max", pads = array<i64: 0, 0, 0, 0>, strides = array<i64: 2, 2>} : (tensor<1x16x112x112xf32>) -> tensor<1x16x56x56xf32>
  return %1 : tensor<1x16x56x56xf32>
}

// -----

// Code without a kernel gets no schedule.
// CHECK-LABEL: func.func @elementwise
// CHECK-NOT:   tfmbs.schedule
func.func @elementwise(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %0 = "tfmbs.softmax"(%x) {axis = 1 : i64} : (tensor<4x4xf32>) -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}
