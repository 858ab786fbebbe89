// RUN: tfmbs-opt --list-passes | filecheck %s

// CHECK: --convert-torch-to-tfmbs
// CHECK-NEXT: {{^    [A-Z].*\.$}}
// CHECK: --tfmbs-telemetry
// CHECK: Every pass and pipeline of MLIR and torch-mlir runs as well
