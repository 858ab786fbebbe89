// RUN: tfmbs-opt %s --split-input-file --tfmbs-to-linalg | filecheck %s
// RUN: tfmbs-opt %s --split-input-file --tfmbs-to-linalg=numerics=portable | filecheck %s --check-prefixes PORTABLE

// Packed constants are unpacked: 129 is 0 + 1·3 + 2·9 + 1·27 + 1·81, and a trit is its digit minus one.
// CHECK-LABEL: func.func @constant
// CHECK:       dense<{{\[\[}}-1, 0, 1, 0, 0, 1]{{\]}}> : tensor<1x6xi8>
// CHECK:       %[[T:.*]] = arith.sitofp %{{.*}} : i8 to f32
// CHECK-NEXT:  math.fma %{{.*}}, %[[T]]
// PORTABLE-LABEL: func.func @constant
// PORTABLE:       arith.sitofp
// PORTABLE:       linalg.matmul
func.func @constant(%x: tensor<2x6xf32>) -> tensor<2x1xf32> {
  %w = "tfmbs.constant"() {value = dense<[[-127, 122]]> : tensor<1x2xi8>} : () -> tensor<1x6x!tfmbs.ternary<"pt5">>
  %0 = "tfmbs.matmul"(%x, %w) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x6xf32>, tensor<1x6x!tfmbs.ternary<"pt5">>) -> tensor<2x1xf32>
  return %0 : tensor<2x1xf32>
}

// -----

// Packed arguments are unpacked by code; packing and unpacking change nothing then.
// CHECK-LABEL: func.func @argument(%arg0: tensor<2x6xf32>, %arg1: tensor<3x2xi8>)
// CHECK:       arith.constant dense<[1, 4, 16, 64]> : tensor<4xi32>
// CHECK:       arith.divui
// CHECK:       arith.remui
// CHECK:       math.fma
// CHECK-NOT:   tfmbs.pack
func.func @argument(%x: tensor<2x6xf32>, %w: tensor<3x6x!tfmbs.ternary<"t2">>) -> tensor<2x3xf32> {
  %0 = "tfmbs.unpack"(%w) : (tensor<3x6x!tfmbs.ternary<"t2">>) -> tensor<3x6x!tfmbs.ternary<"i8">>
  %1 = "tfmbs.pack"(%0) : (tensor<3x6x!tfmbs.ternary<"i8">>) -> tensor<3x6x!tfmbs.ternary<"pt5">>
  %2 = "tfmbs.matmul"(%x, %1) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x6xf32>, tensor<3x6x!tfmbs.ternary<"pt5">>) -> tensor<2x3xf32>
  return %2 : tensor<2x3xf32>
}
