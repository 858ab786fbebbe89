// Each part is a module of its own; those that are right are printed although others are wrong, and lines keep their numbers.
// RUN: not tfmbs-opt %s --split-input-file --cse > %t.out 2> %t.err
// RUN: filecheck %s < %t.out
// RUN: filecheck %s --check-prefix=ERROR < %t.err
// RUN: not tfmbs-opt %s --split-input-file -o %t.file 2>&1 | filecheck %s --check-prefix=ERROR
// RUN: not ls %t.file

// CHECK: func.func @same
// CHECK: // -----
// CHECK: // -----
// CHECK: func.func @same(%{{.*}}: i32)
// ERROR: error: {{.*}}split_input_file.mlir:18: custom op 'bad' is unknown
// ERROR-NOT: error:
func.func @same() { return }

// -----

bad

// -----

func.func @same(%a: i32) { return }
