// RUN: tfmbs-opt %s --tfmbs-to-kernel --split-input-file | filecheck %s
// RUN: tfmbs-opt %s --tfmbs-to-kernel --tfmbs-assign-memory --tfmbs-to-fabric --split-input-file | filecheck %s --check-prefixes FABRIC
// Permutations around attention are strides of its operands, and of its result where that may lie so.

// Parts of one matrix, heads side by side, and the same order for the result: nothing but the launch.
// CHECK-LABEL: func.func @main(%arg0: memref<5x36xf32>
// CHECK-NOT:   linalg.generic
// CHECK-NOT:   memref.alloc
// CHECK-DAG:   %[[Q:.*]] = memref.reinterpret_cast %arg0 to offset: [0], sizes: [1, 3, 5, 4], strides: [180, 4, 36, 1]
// CHECK-DAG:   %[[K:.*]] = memref.reinterpret_cast %arg0 to offset: [12], sizes: [1, 3, 5, 4], strides: [180, 4, 36, 1]
// CHECK-DAG:   %[[V:.*]] = memref.reinterpret_cast %arg0 to offset: [24], sizes: [1, 3, 5, 4], strides: [180, 4, 36, 1]
// CHECK-DAG:   %[[OUT:.*]] = memref.reinterpret_cast %arg1 to offset: [0], sizes: [1, 3, 5, 4], strides: [60, 4, 12, 1]
// CHECK:       "tfmbs.kernel_attention"(%[[Q]], %[[K]], %[[V]], %[[OUT]])
// CHECK-NOT:   linalg.generic
// CHECK:       return
// FABRIC:      "tfmbs.fabric_attention_geometry"
// FABRIC-SAME: lhs_head_stride = 4 : i64, lhs_row_stride = 36 : i64
// FABRIC-SAME: out_by_rows = 1 : i64
#rows = affine_map<(d0, d1, d2, d3) -> (d0, d2, d1, d3)>
#id = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
func.func @main(%x: tensor<5x36xf32>) -> tensor<5x12xf32> {
  %q = tensor.extract_slice %x[0, 0] [5, 12] [1, 1] : tensor<5x36xf32> to tensor<5x12xf32>
  %k = tensor.extract_slice %x[0, 12] [5, 12] [1, 1] : tensor<5x36xf32> to tensor<5x12xf32>
  %v = tensor.extract_slice %x[0, 24] [5, 12] [1, 1] : tensor<5x36xf32> to tensor<5x12xf32>
  %q4 = tensor.expand_shape %q [[0, 1], [2, 3]] output_shape [1, 5, 3, 4] : tensor<5x12xf32> into tensor<1x5x3x4xf32>
  %k4 = tensor.expand_shape %k [[0, 1], [2, 3]] output_shape [1, 5, 3, 4] : tensor<5x12xf32> into tensor<1x5x3x4xf32>
  %v4 = tensor.expand_shape %v [[0, 1], [2, 3]] output_shape [1, 5, 3, 4] : tensor<5x12xf32> into tensor<1x5x3x4xf32>
  %heads = tensor.empty() : tensor<1x3x5x4xf32>
  %qt = linalg.transpose ins(%q4 : tensor<1x5x3x4xf32>) outs(%heads : tensor<1x3x5x4xf32>) permutation = [0, 2, 1, 3]
  %kt = linalg.generic {indexing_maps = [#rows, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%k4 : tensor<1x5x3x4xf32>) outs(%heads : tensor<1x3x5x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<1x3x5x4xf32>
  %vt = linalg.transpose ins(%v4 : tensor<1x5x3x4xf32>) outs(%heads : tensor<1x3x5x4xf32>) permutation = [0, 2, 1, 3]
  %0 = "tfmbs.attention"(%qt, %kt, %vt) {scale = 1.0 : f32, mask_mode = "none", fill = 0xFF800000 : f32, causal = false, offset = 0 : i64, clear = false} : (tensor<1x3x5x4xf32>, tensor<1x3x5x4xf32>, tensor<1x3x5x4xf32>) -> tensor<1x3x5x4xf32>
  %rows = tensor.empty() : tensor<1x5x3x4xf32>
  %1 = linalg.transpose ins(%0 : tensor<1x3x5x4xf32>) outs(%rows : tensor<1x5x3x4xf32>) permutation = [0, 2, 1, 3]
  %2 = tensor.collapse_shape %1 [[0, 1], [2, 3]] : tensor<1x5x3x4xf32> into tensor<5x12xf32>
  return %2 : tensor<5x12xf32>
}

// -----

// Heads of one query, or one head, lie the same either way. Two permutations of a key are one.
// CHECK-LABEL: func.func @main(%arg0: memref<1x1x3x4xf32>, %arg1: memref<3x4x1x5xf32>, %arg2: memref<1x3x5x4xf32>, %arg3: memref<1x1x3x4xf32>
// CHECK-NOT:   linalg.generic
// CHECK:       %[[K:.*]] = memref.reinterpret_cast %arg1 to offset: [0], sizes: [1, 3, 5, 4], strides: [5, 20, 1, 5]
// CHECK:       "tfmbs.kernel_attention"({{.*}}, %[[K]], %arg2, {{.*}})
// CHECK-NOT:   linalg.generic
// FABRIC:      "tfmbs.fabric_attention_geometry"
// FABRIC-SAME: out_by_rows = 0 : i64
// FABRIC-SAME: rhs_row_stride = 1 : i64, rhs_stride = 5 : i64
func.func @main(%q: tensor<1x1x3x4xf32>, %k: tensor<3x4x1x5xf32>, %v: tensor<1x3x5x4xf32>) -> tensor<1x1x3x4xf32> {
  %heads = tensor.empty() : tensor<1x3x1x4xf32>
  %qt = linalg.transpose ins(%q : tensor<1x1x3x4xf32>) outs(%heads : tensor<1x3x1x4xf32>) permutation = [0, 2, 1, 3]
  %between = tensor.empty() : tensor<1x3x4x5xf32>
  %keys = tensor.empty() : tensor<1x3x5x4xf32>
  %kb = linalg.transpose ins(%k : tensor<3x4x1x5xf32>) outs(%between : tensor<1x3x4x5xf32>) permutation = [2, 0, 1, 3]
  %kt = linalg.transpose ins(%kb : tensor<1x3x4x5xf32>) outs(%keys : tensor<1x3x5x4xf32>) permutation = [0, 1, 3, 2]
  %0 = "tfmbs.attention"(%qt, %kt, %v) {scale = 1.0 : f32, mask_mode = "none", fill = 0xFF800000 : f32, causal = false, offset = 0 : i64, clear = false} : (tensor<1x3x1x4xf32>, tensor<1x3x5x4xf32>, tensor<1x3x5x4xf32>) -> tensor<1x3x1x4xf32>
  %rows = tensor.empty() : tensor<1x1x3x4xf32>
  %1 = linalg.transpose ins(%0 : tensor<1x3x1x4xf32>) outs(%rows : tensor<1x1x3x4xf32>) permutation = [0, 2, 1, 3]
  return %1 : tensor<1x1x3x4xf32>
}

// -----

// Copies stay where something else reads the permuted tensor, and for results in an order that no launch writes.
// CHECK-LABEL: func.func @main(%arg0: memref<1x5x3x4xf32>, %arg1: memref<1x3x5x4xf32>
// CHECK:       linalg.generic {{.*}} ins(%arg0 : memref<1x5x3x4xf32>)
// CHECK:       "tfmbs.kernel_attention"({{.*}}, %arg1, %arg1, %[[OUT:.*]]) {
// CHECK:       linalg.generic {{.*}} ins(%[[OUT]] : memref<1x3x5x4xf32>)
// FABRIC:      "tfmbs.fabric_attention_geometry"
// FABRIC-SAME: out_by_rows = 0 : i64
func.func @main(%q: tensor<1x5x3x4xf32>, %k: tensor<1x3x5x4xf32>) -> (tensor<1x3x5x4xf32>, tensor<1x3x4x5xf32>) {
  %heads = tensor.empty() : tensor<1x3x5x4xf32>
  %qt = linalg.transpose ins(%q : tensor<1x5x3x4xf32>) outs(%heads : tensor<1x3x5x4xf32>) permutation = [0, 2, 1, 3]
  %0 = "tfmbs.attention"(%qt, %k, %k) {scale = 1.0 : f32, mask_mode = "none", fill = 0xFF800000 : f32, causal = false, offset = 0 : i64, clear = false} : (tensor<1x3x5x4xf32>, tensor<1x3x5x4xf32>, tensor<1x3x5x4xf32>) -> tensor<1x3x5x4xf32>
  %turned = tensor.empty() : tensor<1x3x4x5xf32>
  %1 = linalg.transpose ins(%0 : tensor<1x3x5x4xf32>) outs(%turned : tensor<1x3x4x5xf32>) permutation = [0, 1, 3, 2]
  return %qt, %1 : tensor<1x3x5x4xf32>, tensor<1x3x4x5xf32>
}

// -----

// So does one that code reads as well, which would walk over memory in leaps.
// CHECK-LABEL: func.func @main(%arg0: memref<1x5x3x4xf32>, %arg1: memref<1x3x5x4xf32>
// CHECK:       %[[HEADS:.*]] = memref.alloc() : memref<1x3x5x4xf32>
// CHECK:       linalg.generic {{.*}} ins(%arg0 : memref<1x5x3x4xf32>) outs(%[[HEADS]] :
// CHECK:       linalg.generic {{.*}} ins(%[[HEADS]] : memref<1x3x5x4xf32>)
// CHECK:       "tfmbs.kernel_attention"(%[[HEADS]], %arg1, %arg1
#id = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
func.func @main(%q: tensor<1x5x3x4xf32>, %k: tensor<1x3x5x4xf32>) -> (tensor<1x3x5x4xf32>, tensor<1x3x5x4xf32>) {
  %heads = tensor.empty() : tensor<1x3x5x4xf32>
  %qt = linalg.transpose ins(%q : tensor<1x5x3x4xf32>) outs(%heads : tensor<1x3x5x4xf32>) permutation = [0, 2, 1, 3]
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%qt : tensor<1x3x5x4xf32>) outs(%heads : tensor<1x3x5x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %2 = arith.negf %in : f32
    linalg.yield %2 : f32
  } -> tensor<1x3x5x4xf32>
  %1 = "tfmbs.attention"(%qt, %k, %k) {scale = 1.0 : f32, mask_mode = "none", fill = 0xFF800000 : f32, causal = false, offset = 0 : i64, clear = false} : (tensor<1x3x5x4xf32>, tensor<1x3x5x4xf32>, tensor<1x3x5x4xf32>) -> tensor<1x3x5x4xf32>
  return %0, %1 : tensor<1x3x5x4xf32>, tensor<1x3x5x4xf32>
}

// -----

// New keys go from rows to a cache of heads in one copy, which attention reads whole.
// CHECK-LABEL: func.func @main(%arg0: memref<1x2x3x4xf32>, %arg1: memref<1x3x8x4xf32>, %arg2: memref<1x3x1x4xf32>
// CHECK:       %[[NEW:.*]] = memref.reinterpret_cast %arg0 to offset: [0], sizes: [1, 3, 2, 4], strides: [24, 4, 12, 1]
// CHECK-NOT:   linalg.generic {{.*}} ins(%arg0
// CHECK:       linalg.generic {{.*}} ins(%[[NEW]] :
// CHECK-NOT:   linalg.generic
// CHECK:       "tfmbs.kernel_attention"
func.func @main(%new: tensor<1x2x3x4xf32>, %cache: tensor<1x3x8x4xf32>, %q: tensor<1x3x1x4xf32>) -> tensor<1x3x1x4xf32> {
  %heads = tensor.empty() : tensor<1x3x2x4xf32>
  %t = linalg.transpose ins(%new : tensor<1x2x3x4xf32>) outs(%heads : tensor<1x3x2x4xf32>) permutation = [0, 2, 1, 3]
  %k = tensor.insert_slice %t into %cache[0, 0, 6, 0] [1, 3, 2, 4] [1, 1, 1, 1] : tensor<1x3x2x4xf32> into tensor<1x3x8x4xf32>
  %0 = "tfmbs.attention"(%q, %k, %k) {scale = 1.0 : f32, mask_mode = "none", fill = 0xFF800000 : f32, causal = false, offset = 0 : i64, clear = false} : (tensor<1x3x1x4xf32>, tensor<1x3x8x4xf32>, tensor<1x3x8x4xf32>) -> tensor<1x3x1x4xf32>
  return %0 : tensor<1x3x1x4xf32>
}

// -----

// What is computed where the permutation's result goes, though nobody reads it, may come after attention: a copy then.
// CHECK-LABEL: func.func @main
// CHECK:       %[[HEADS:.*]] = memref.alloc
// CHECK:       "tfmbs.kernel_attention"({{.*}}, %[[HEADS]]
// CHECK:       linalg.generic {{.*}} outs(%arg1
// CHECK:       linalg.generic {{.*}} ins(%[[HEADS]] : {{.*}}) outs(%arg1
#id = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
func.func @main(%x: tensor<1x3x5x4xf32>) -> tensor<1x5x3x4xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = "tfmbs.attention"(%x, %x, %x) {scale = 1.0 : f32, mask_mode = "none", fill = 0xFF800000 : f32, causal = false, offset = 0 : i64, clear = false} : (tensor<1x3x5x4xf32>, tensor<1x3x5x4xf32>, tensor<1x3x5x4xf32>) -> tensor<1x3x5x4xf32>
  %empty = tensor.empty() : tensor<1x5x3x4xf32>
  %init = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%empty : tensor<1x5x3x4xf32>) {
  ^bb0(%out: f32):
    linalg.yield %zero : f32
  } -> tensor<1x5x3x4xf32>
  %1 = linalg.transpose ins(%0 : tensor<1x3x5x4xf32>) outs(%init : tensor<1x5x3x4xf32>) permutation = [0, 2, 1, 3]
  return %1 : tensor<1x5x3x4xf32>
}
