// Only the first cse changes something, and only in one of the functions.
// RUN: tfmbs-opt %s --pass-pipeline='builtin.module(func.func(cse,cse),tfmbs-telemetry)' --mlir-print-ir-after-change -o /dev/null 2>&1 | filecheck %s

// CHECK: IR Dump After cse
// CHECK-NEXT: func.func @f
// CHECK-NOT: IR Dump
func.func @f(%a: i32) -> (i32, i32) {
  %0 = arith.addi %a, %a : i32
  %1 = arith.addi %a, %a : i32
  return %0, %1 : i32, i32
}
func.func @g() { return }
