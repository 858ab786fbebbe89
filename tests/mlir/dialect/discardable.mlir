// RUN: tfmbs-opt %s | tfmbs-opt | filecheck %s
// Schedules, telemetry, input ranges and weights in resources survive the round trip.

// CHECK-LABEL: func.func @f
func.func @f(%lhs: tensor<1x3xf32>) -> tensor<1x4xf32> {
  // CHECK-NEXT: "tfmbs.constant"() {value = dense_resource<weights> : tensor<4x1xi8>} : () -> tensor<4x3x!tfmbs.ternary<"pt5">>
  %w = "tfmbs.constant"() {value = dense_resource<weights> : tensor<4x1xi8>} : () -> tensor<4x3x!tfmbs.ternary<"pt5">>
  // CHECK: telemetry = {layer = "fc", sparsity = 2.500000e-01 : f32, tile_mask = "0xf", total = 12 : i64, zero_count = 3 : i64}
  // CHECK-SAME: tfmbs.input_range = array<f32: -1.000000e+00, 1.000000e+00>
  // CHECK-SAME: tfmbs.schedule = #tfmbs.schedule<"output_stationary", array<i64: 16, 16, 3>, 2 : i64, "0xf", "any", array<i64: 0, 0, 0>>
  %0 = "tfmbs.gemv"(%lhs, %w) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = [],
    telemetry = {layer = "fc", sparsity = 0.25 : f32, zero_count = 3 : i64, total = 12 : i64, tile_mask = "0xf"},
    tfmbs.input_range = array<f32: -1.0, 1.0>,
    tfmbs.schedule = #tfmbs.schedule<"output_stationary", array<i64: 16, 16, 3>, 2 : i64, "0xf", "any", array<i64: 0, 0, 0>>
  } : (tensor<1x3xf32>, tensor<4x3x!tfmbs.ternary<"pt5">>) -> tensor<1x4xf32>
  return %0 : tensor<1x4xf32>
}

// CHECK: weights: "0x010000000001F2F1"
{-#
  dialect_resources: {
    builtin: {
      weights: "0x010000000001F2F1"
    }
  }
#-}
