// Dumps around passes of both kinds, on standard error, for one function or the whole module.
// RUN: tfmbs-opt %s --pass-pipeline='builtin.module(func.func(cse),tfmbs-telemetry)' --mlir-print-ir-after-all -o /dev/null 2>&1 | filecheck %s
// RUN: tfmbs-opt %s --pass-pipeline='builtin.module(func.func(cse),tfmbs-telemetry)' --mlir-print-ir-before=cse --mlir-print-ir-module-scope -o /dev/null 2>&1 | filecheck %s --check-prefix=MODULE
// RUN: tfmbs-opt %s --tfmbs-telemetry --canonicalize --mlir-print-ir-before-all --mlir-print-ir-after=tfmbs-telemetry -o /dev/null 2>&1 | filecheck %s --check-prefix=BEFORE

// CHECK: // -----// IR Dump After cse //----- //
// CHECK-NEXT: func.func @f
// CHECK-COUNT-1: arith.addi
// CHECK-NEXT: return
// CHECK: // -----// IR Dump After cse //----- //
// CHECK-NEXT: func.func @g
// CHECK: // -----// IR Dump After TfmbsTelemetry: tfmbs-telemetry //----- //
// CHECK-NEXT: module {

// MODULE: // -----// IR Dump Before cse ('func.func' operation: @f) //----- //
// MODULE-NEXT: module {
// MODULE: // -----// IR Dump Before cse ('func.func' operation: @g) //----- //
// MODULE-NEXT: module {
// MODULE-NOT: IR Dump

// BEFORE: IR Dump Before TfmbsTelemetry: tfmbs-telemetry //
// BEFORE: IR Dump After TfmbsTelemetry: tfmbs-telemetry //
// BEFORE: IR Dump Before canonicalize
// BEFORE-NOT: IR Dump After
func.func @f(%a: i32) -> (i32, i32) {
  %0 = arith.addi %a, %a : i32
  %1 = arith.addi %a, %a : i32
  return %0, %1 : i32, i32
}
func.func @g() { return }
