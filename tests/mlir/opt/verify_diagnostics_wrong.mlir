// What was not expected, and what was but did not come, is an error each; notes need not be expected.
// RUN: not tfmbs-opt %s --split-input-file --verify-diagnostics 2>&1 | filecheck %s
// RUN: not tfmbs-opt %s --split-input-file --verify-diagnostics=only-expected 2>&1 | filecheck %s --check-prefix=ONLY

// CHECK: error: {{.*}}:13: expected error "nothing of the kind" was not produced
// CHECK-NEXT: error: {{.*}}:20: unexpected error: 'func.return' op has 0 operands
// CHECK-NEXT: error: {{.*}}:27: unexpected error: custom op 'oops' is unknown
// CHECK-NEXT: error: {{.*}}:26: expected warning "custom op 'oops'" was not produced
// CHECK-NOT: error:
// ONLY: error: {{.*}}:13: expected error "nothing of the kind" was not produced
// ONLY-NEXT: error: {{.*}}:26: expected warning "custom op 'oops'" was not produced
// ONLY-NOT: error:
// expected-error@+1 {{nothing of the kind}}
func.func @fine() { return }

// -----


func.func @unexpected() -> i32 {
  return
}

// -----

func.func @severity() {
  // expected-warning@+1 {{custom op 'oops'}}
  oops
}
