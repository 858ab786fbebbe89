// RUN: tfmbs-opt %s --tfmbs-tile=target=kpu-edge | filecheck %s --check-prefixes TILE
// RUN: tfmbs-opt %s --tfmbs-to-kernel | filecheck %s --check-prefixes KERNEL
// RUN: tfmbs-opt %s --tfmbs-to-kernel --tfmbs-assign-memory --tfmbs-to-fabric | filecheck %s --check-prefixes FABRIC
// RUN: tfmbs-opt %s --tfmbs-to-kernel --tfmbs-to-linalg | filecheck %s --check-prefixes MEMORY
// RUN: tfmbs-opt %s --tfmbs-to-kernel --tfmbs-assign-memory --tfmbs-to-fabric --tfmbs-to-linalg | filecheck %s --check-prefixes RECORDS
// Attention through every level. A part of a tensor is a view, not a copy; a shared mask has strides of 0.

// TILE:        "tfmbs.attention"
// TILE-SAME:   tfmbs.schedule = #tfmbs.schedule<
// KERNEL:      %[[KEY:.*]] = memref.reinterpret_cast %arg1 to offset: [0], sizes: [1, 2, 5, 8], strides: [160, 80, 16, 1]
// KERNEL:      "tfmbs.kernel_attention"(%arg0, %[[KEY]], %arg2, %arg4, %arg3)
// FABRIC:      "tfmbs.fabric_attention_geometry"
// FABRIC-SAME: groups = 2 : i64
// FABRIC-SAME: mask = "add_shown"
// FABRIC-SAME: mask_batch_stride = 0 : i64, mask_column_stride = 1 : i64, mask_head_stride = 0 : i64, mask_row_stride = 5 : i64
// FABRIC-SAME: rhs_row_stride = 16 : i64, rhs_stride = 1 : i64
// FABRIC-SAME: shared = 2 : i64
// FABRIC:      "tfmbs.fabric_descriptor"
// FABRIC-SAME: args_count = 2 : i64
// FABRIC-SAME: kind = "attention"
// MEMORY:      math.fma
// MEMORY:      math.fma
// MEMORY-NOT:  tfmbs.kernel
// RECORDS:     memref.view
// RECORDS:     math.fma
// RECORDS-NOT: tfmbs.fabric
func.func @main(%q: tensor<1x4x3x8xf32>, %t: tensor<1x2x5x16xf32>, %v: tensor<1x2x5x6xf32>, %m: tensor<1x1x3x5xf32>) -> tensor<1x4x3x6xf32> {
  %k = tensor.extract_slice %t[0, 0, 0, 0] [1, 2, 5, 8] [1, 1, 1, 1] : tensor<1x2x5x16xf32> to tensor<1x2x5x8xf32>
  %0 = "tfmbs.attention"(%q, %k, %v, %m) {scale = 1.0 : f32, mask_mode = "add_shown", fill = -3.40282347E+38 : f32, causal = false, offset = 0 : i64, clear = true} : (tensor<1x4x3x8xf32>, tensor<1x2x5x8xf32>, tensor<1x2x5x6xf32>, tensor<1x1x3x5xf32>) -> tensor<1x4x3x6xf32>
  return %0 : tensor<1x4x3x6xf32>
}
