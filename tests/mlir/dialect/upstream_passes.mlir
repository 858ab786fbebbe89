// RUN: tfmbs-opt %s --pass-pipeline='builtin.module(canonicalize,cse)' | filecheck %s
// Graph ops are pure, and an epilogue keeps its constants: it sees nothing from outside.

// CHECK-LABEL: func.func @f
func.func @f(%lhs: tensor<2x3xf32>, %rhs: tensor<4x3xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>) {
  // CHECK-NEXT: %[[R:.*]] = "tfmbs.matmul"
  // CHECK-NEXT: ^bb0(%[[ACC:.*]]: f32):
  // CHECK-NEXT: %[[SIX:.*]] = arith.constant 6.000000e+00 : f32
  // CHECK-NEXT: arith.minimumf %[[ACC]], %[[SIX]]
  // CHECK: return %[[R]], %[[R]]
  %0 = "tfmbs.matmul"(%lhs, %rhs) ({
  ^bb0(%acc: f32):
    %two = arith.constant 2.0 : f32
    %three = arith.constant 3.0 : f32
    %six = arith.mulf %two, %three : f32
    %1 = arith.minimumf %acc, %six : f32
    "tfmbs.yield"(%1) : (f32) -> ()
  }) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>
  %2 = "tfmbs.matmul"(%lhs, %rhs) ({
  ^bb0(%acc: f32):
    %two = arith.constant 2.0 : f32
    %three = arith.constant 3.0 : f32
    %six = arith.mulf %two, %three : f32
    %1 = arith.minimumf %acc, %six : f32
    "tfmbs.yield"(%1) : (f32) -> ()
  }) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<2x3xf32>, tensor<4x3xf32>) -> tensor<2x4xf32>
  %unused = "tfmbs.softmax"(%lhs) {axis = 0 : i64} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0, %2 : tensor<2x4xf32>, tensor<2x4xf32>
}
// CHECK-NOT: tfmbs.softmax
