// Pipelines by flag and by text, ours and upstream's mixed, from a file and from standard input.
// RUN: tfmbs-opt %s --pass-pipeline='builtin.module(tfmbs-telemetry,func.func(cse),tfmbs-telemetry)' | filecheck %s
// RUN: tfmbs-opt -tfmbs-telemetry -cse - < %s | filecheck %s

// CHECK-LABEL: func.func @twice
// CHECK-COUNT-1: arith.addi
// CHECK-NEXT: return
func.func @twice(%a: i32) -> (i32, i32) {
  %0 = arith.addi %a, %a : i32
  %1 = arith.addi %a, %a : i32
  return %0, %1 : i32, i32
}
