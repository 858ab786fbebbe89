// IR that breaks a rule is refused with the place, and its notes follow.
// RUN: not tfmbs-opt %s --cse 2>&1 | filecheck %s

// CHECK: error: {{.*}}verify_errors.mlir:8: 'func.return' op has 0 operands, but enclosing function (@f) returns 1
// CHECK: note: {{.*}}verify_errors.mlir:8: see current operation: "func.return"() : () -> ()
// CHECK-NOT: error:
func.func @f() -> i32 {
  return
}
