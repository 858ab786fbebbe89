// A failing pipeline leaves a file that runs again by itself, here and in torch-mlir-opt; resources stay in it.
// RUN: not tfmbs-opt %s --tfmbs-telemetry --cse --convert-torch-onnx-to-torch --verify-each=false --mlir-pass-pipeline-crash-reproducer=%t.mlir 2>&1 | filecheck %s
// RUN: filecheck %s --check-prefix=FILE < %t.mlir
// RUN: not tfmbs-opt %t.mlir --run-reproducer 2>&1 | filecheck %s --check-prefix=AGAIN
// RUN: torch-mlir-opt %t.mlir | filecheck %s --check-prefix=UPSTREAM
// RUN: not tfmbs-opt %s --run-reproducer 2>&1 | filecheck %s --check-prefix=NONE

// CHECK: error: {{.*}}reproducer.mlir:21: function is missing onnx opset version attribute
// CHECK: note: reproducer generated at `{{.*}}.mlir`
// FILE: arith.addi
// FILE: arith.addi
// FILE: dialect_resources: {
// FILE: external_resources: {
// FILE-NEXT: mlir_reproducer: {
// FILE-NEXT: pipeline: "builtin.module(tfmbs-telemetry,cse,func.func(convert-torch-onnx-to-torch{{.*}}))",
// FILE-NEXT: disable_threading: true,
// FILE-NEXT: verify_each: false
// AGAIN: function is missing onnx opset version attribute
// UPSTREAM: dense_resource<w>
// NONE: error: {{.*}}reproducer.mlir: the input holds no mlir_reproducer resource
func.func @g(%a: i32) -> i32 {
  %0 = arith.addi %a, %a : i32
  %1 = arith.addi %a, %a : i32
  return %1 : i32
}
func.func @f(%a: !torch.vtensor<[2],f32>) -> !torch.vtensor<[2],f32> {
  %w = arith.constant dense_resource<w> : tensor<1xi32>
  return %a : !torch.vtensor<[2],f32>
}
{-#
  dialect_resources: { builtin: { w: "0x0400000001000000" } }
#-}
