// RUN: tfmbs-opt %s --tfmbs-tile=target=kpu-edge | filecheck %s --check-prefixes TILE
// RUN: tfmbs-opt %s --tfmbs-to-kernel | filecheck %s --check-prefixes KERNEL
// RUN: tfmbs-opt %s --tfmbs-to-kernel --tfmbs-assign-memory --tfmbs-to-fabric | filecheck %s --check-prefixes FABRIC
// RUN: tfmbs-opt %s --tfmbs-to-kernel --tfmbs-to-linalg | filecheck %s --check-prefixes MEMORY
// RUN: tfmbs-opt %s --tfmbs-to-kernel --tfmbs-assign-memory --tfmbs-to-fabric --tfmbs-to-linalg | filecheck %s --check-prefixes RECORDS
// A convolution of volumes through every level.

// TILE:        "tfmbs.conv3d"
// TILE:        tfmbs.schedule = #tfmbs.schedule<"output_stationary"
// KERNEL:      "tfmbs.kernel_conv3d"(%arg0, %arg1, %arg2)
// KERNEL:      groups = 2 : i64, kernel = array<i64: 3, 3, 3>, lhs_zero = 0 : i64
// KERNEL-SAME: pads = array<i64: 1, 1, 0, 0, 1, 0>
// FABRIC:      "tfmbs.fabric_volume_geometry"
// FABRIC-SAME: in_depth = 4 : i64
// FABRIC-SAME: out_depth = 2 : i64
// FABRIC-SAME: pad_front = 1 : i64
// FABRIC:      "tfmbs.fabric_descriptor"
// FABRIC-SAME: kind = "conv3d"
// MEMORY:      memref.subview
// MEMORY:      math.fma
// MEMORY-NOT:  tfmbs.kernel
// RECORDS:     memref.view
// RECORDS:     math.fma
// RECORDS-NOT: tfmbs.fabric
func.func @main(%x: tensor<1x2x4x5x6xf32>, %w: tensor<4x1x3x3x3xf32>) -> tensor<1x4x2x5x4xf32> {
  %0 = "tfmbs.conv3d"(%x, %w) ({}) {dilations = array<i64: 1, 1, 1>, strides = array<i64: 2, 1, 1>, groups = 2 : i64, pads = array<i64: 1, 1, 0, 0, 1, 0>, roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x2x4x5x6xf32>, tensor<4x1x3x3x3xf32>) -> tensor<1x4x2x5x4xf32>
  return %0 : tensor<1x4x2x5x4xf32>
}
