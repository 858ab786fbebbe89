// What lowers whole functions refuses a declaration, which has no body.
// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics --tfmbs-to-kernel
// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics --tfmbs-assign-memory
// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics --tfmbs-to-fabric

// expected-error@+1 {{function @f, expected a body, got a declaration}}
func.func private @f(%x: memref<4xf32>)
