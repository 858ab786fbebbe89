// One file per dump, in folders named after the ops, numbered as MLIR numbers them.
// RUN: rm -rf %t
// RUN: tfmbs-opt %s --pass-pipeline='builtin.module(func.func(cse,canonicalize),tfmbs-telemetry)' --mlir-print-ir-after-all --mlir-print-ir-tree-dir=%t -o /dev/null
// RUN: cat %t/builtin_module_outer/func_func_f/0_0_cse.mlir %t/builtin_module_outer/func_func_f/0_1_canonicalize.mlir | filecheck %s
// RUN: cat %t/builtin_module_outer/1_tfmbs-telemetry.mlir | filecheck %s --check-prefix=MODULE

// CHECK: IR Dump After cse
// CHECK: func.func @f
// CHECK: IR Dump After canonicalize
// MODULE: IR Dump After TfmbsTelemetry
// MODULE: module @outer
module @outer {
  func.func @f() { return }
}
