// An output file appears whole; a refused input leaves the old one as it was; bytecode is read as well.
// RUN: tfmbs-opt %s -o %t.mlir
// RUN: filecheck %s < %t.mlir
// RUN: not tfmbs-opt %s --no-such-pass -o %t.mlir
// RUN: filecheck %s < %t.mlir
// RUN: torch-mlir-opt %s --emit-bytecode -o %t.mlirbc
// RUN: tfmbs-opt %t.mlirbc | filecheck %s
// RUN: not tfmbs-opt %s -o %t.nowhere/out.mlir 2>&1 | filecheck %s --check-prefix=FOLDER

// CHECK: func.func @f
// FOLDER: error: {{.*}}nowhere/{{.*}}: cannot be written: No such file or directory
func.func @f() { return }
