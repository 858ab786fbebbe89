// RUN: tfmbs-opt %s | torch-mlir-opt --irdl-file=%S/../../../docs/tfmbs.irdl.mlir --mlir-very-unsafe-disable-verifier-on-parsing --verify-each=0 | tfmbs-opt | filecheck %s
// There and back. IRDL has no traits, so that upstream's tool does not see that tfmbs.yield ends a block.

// CHECK-LABEL: func.func @f
func.func @f(%lhs: tensor<2x3xf32>, %rhs: tensor<4x3xf32>, %bias: tensor<4xf32>) -> tensor<2x4xf32> {
  // CHECK: "tfmbs.matmul"(%arg0, %arg1, %arg2) ({
  // CHECK-NEXT: ^bb0(%[[ACC:.*]]: f32, %[[BIAS:.*]]: f32):
  // CHECK-NEXT: %[[SUM:.*]] = arith.addf %[[ACC]], %[[BIAS]] : f32
  // CHECK-NEXT: "tfmbs.yield"(%[[SUM]]) : (f32) -> ()
  %0 = "tfmbs.matmul"(%lhs, %rhs, %bias) ({
  ^bb0(%acc: f32, %b: f32):
    %1 = arith.addf %acc, %b : f32
    "tfmbs.yield"(%1) : (f32) -> ()
  }) {operandSegmentSizes = array<i32: 1, 1, 1, 0, 0, 0, 0, 0, 0, 0>, roles = ["channel"]} : (tensor<2x3xf32>, tensor<4x3xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// CHECK: "tfmbs.fabric_program"
// CHECK-NEXT: "tfmbs.fabric_siw"() {c_op = "END"}
"tfmbs.fabric_program"() ({
  "tfmbs.fabric_siw"() {c_op = "END"} : () -> ()
}) {kind = "vector", label = "nothing", max_steps = 1 : i64, windows = 0 : i64} : () -> ()
