// Input that is no MLIR: one line with the place, then the text there.
// RUN: not tfmbs-opt %s 2>&1 | filecheck %s
// RUN: printf '' | not tfmbs-opt 2>&1 | filecheck %s --check-prefix=EMPTY
// RUN: printf '\n\nfunc.func @f() { oops }' | not tfmbs-opt 2>&1 | filecheck %s --check-prefix=STDIN
// RUN: printf '\377\376' | not tfmbs-opt - 2>&1 | filecheck %s --check-prefix=BYTES
// RUN: not tfmbs-opt %t.nowhere.mlir 2>&1 | filecheck %s --check-prefix=MISSING

// CHECK: error: {{.*}}parse_errors.mlir:16: custom op 'unknown' is unknown (tried 'func.unknown' as well)
// CHECK-NEXT: {{^  }}unknown %a
// CHECK-NEXT: {{^  \^}}
// EMPTY: error: <stdin>: the input is empty
// STDIN: error: <stdin>:3: custom op 'oops' is unknown
// BYTES: error: <stdin>: byte at offset, expected UTF-8 text, got byte 0
// MISSING: error: {{.*}}nowhere.mlir: no such file or directory
func.func @f(%a: i32) {
  unknown %a
}
