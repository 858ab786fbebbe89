// RUN: tfmbs-opt %s --tfmbs-tile=target=kpu-edge | filecheck %s --check-prefixes TILE
// RUN: tfmbs-opt %s --tfmbs-to-kernel | filecheck %s --check-prefixes KERNEL
// RUN: tfmbs-opt %s --tfmbs-to-kernel --tfmbs-assign-memory --tfmbs-to-fabric | filecheck %s --check-prefixes FABRIC
// RUN: tfmbs-opt %s --tfmbs-to-kernel --tfmbs-to-linalg | filecheck %s --check-prefixes MEMORY
// RUN: tfmbs-opt %s --tfmbs-to-kernel --tfmbs-assign-memory --tfmbs-to-fabric --tfmbs-to-linalg | filecheck %s --check-prefixes RECORDS
// RUN: tfmbs-opt %s --tfmbs-to-linalg=numerics=portable | filecheck %s --check-prefixes PORTABLE
// A recurrence through every level. An operand that is not dense is copied.

// TILE:        "tfmbs.lstm"
// TILE-SAME:   tfmbs.schedule = #tfmbs.schedule<
// KERNEL:      %[[X:.*]] = memref.alloc() : memref<4x2x5xf32>
// KERNEL:      "tfmbs.kernel_lstm"(%[[X]], %arg1, %arg2, %arg5, %arg3, %arg4, %arg4)
// FABRIC:      "tfmbs.fabric_lstm_geometry"
// FABRIC-SAME: batch = 2 : i64, bias = 0 : i64, cell = 1 : i64, direction = "reverse", hidden = 3 : i64, initial = 1 : i64, order = "ifco", recurrent_bias = 1 : i64, steps = 4 : i64, width = 5 : i64
// FABRIC:      "tfmbs.fabric_descriptor"
// FABRIC:      "tfmbs.fabric_descriptor"
// FABRIC-SAME: args_count = 4 : i64
// FABRIC-SAME: kind = "lstm"
// MEMORY:      math.fma
// MEMORY:      scf.for
// MEMORY:      math.fma
// MEMORY-NOT:  tfmbs.kernel
// RECORDS:     memref.view
// RECORDS:     scf.for
// RECORDS:     math.fma
// RECORDS-NOT: tfmbs.fabric
// PORTABLE:    linalg.matmul
// PORTABLE:    math.tanh
// PORTABLE-NOT: tfmbs.
func.func @main(%t: tensor<4x2x8xf32>, %w: tensor<1x12x5xf32>, %r: tensor<1x12x3xf32>, %b: tensor<1x12xf32>, %s: tensor<1x2x3xf32>) -> tensor<5x1x2x3xf32> {
  %x = tensor.extract_slice %t[0, 0, 2] [4, 2, 5] [1, 1, 1] : tensor<4x2x8xf32> to tensor<4x2x5xf32>
  %0 = "tfmbs.lstm"(%x, %w, %r, %b, %s, %s) {operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0>, direction = "reverse", gates = "ifco", roles = ["recurrent_bias", "hidden", "cell"], keep_cell = true} : (tensor<4x2x5xf32>, tensor<1x12x5xf32>, tensor<1x12x3xf32>, tensor<1x12xf32>, tensor<1x2x3xf32>, tensor<1x2x3xf32>) -> tensor<5x1x2x3xf32>
  return %0 : tensor<5x1x2x3xf32>
}
