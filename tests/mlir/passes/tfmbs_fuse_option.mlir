// RUN: not tfmbs-opt %s --tfmbs-fuse=max-operands=9 2>&1 | filecheck %s

// CHECK: error: pass tfmbs-fuse: max-operands, expected 0 to 8, got 9
func.func @f() {
  return
}
