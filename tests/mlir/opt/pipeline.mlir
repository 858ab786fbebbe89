// RUN: tfmbs-opt %s --pass-pipeline='builtin.module(func.func(cse))' | filecheck %s
// RUN: tfmbs-opt %s --cse | filecheck %s
// RUN: tfmbs-opt - -cse < %s | filecheck %s

// CHECK-LABEL: func.func @twice
// CHECK-COUNT-1: arith.addi
// CHECK: return
func.func @twice(%a: i32) -> (i32, i32) {
  %0 = arith.addi %a, %a : i32
  %1 = arith.addi %a, %a : i32
  return %0, %1 : i32, i32
}
