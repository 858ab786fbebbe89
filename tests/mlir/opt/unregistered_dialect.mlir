// RUN: not tfmbs-opt %s 2>&1 | filecheck %s --check-prefix=ERROR
// RUN: tfmbs-opt %s --allow-unregistered-dialect | filecheck %s

// ERROR: error: {{.*}}unregistered_dialect.mlir:7: operation being parsed with an unregistered dialect
// CHECK: "foo.bar"() : () -> ()
func.func @f() {
  "foo.bar"() : () -> ()
  return
}
