// RUN: tfmbs-opt %s --cse --tfmbs-telemetry --mlir-timing -o /dev/null 2>&1 | filecheck %s

// CHECK: ... Execution time report ...
// CHECK: Total Execution Time: {{[0-9.]+}} seconds
// CHECK: ----Wall Time----  ----Name----
// CHECK-NEXT: {{^ +[0-9.]+ \( *[0-9.]+%\)  Parser}}
// CHECK-NEXT: {{^ +[0-9.]+ \( *[0-9.]+%\)  cse}}
// CHECK-NEXT: {{^ +[0-9.]+ \( *[0-9.]+%\)  tfmbs-telemetry}}
// CHECK-NEXT: {{^ +[0-9.]+ \( *[0-9.]+%\)  Output}}
// CHECK-NEXT: {{^ +[0-9.]+ \( *[0-9.]+%\)  Rest}}
// CHECK-NEXT: {{^ +[0-9.]+ \(100.0%\)  Total}}
func.func @f() { return }
