// RUN: tfmbs-opt %s --split-input-file --tfmbs-sink-reshape | filecheck %s

#id = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#one = affine_map<(d0, d1, d2) -> (0, 0, d2)>

// A bias, a residual of the same shape and a whole chain: everything runs on 6×5, the residual is seen that way too.
// CHECK-LABEL: func.func @chain
// CHECK-SAME:    (%[[X:.*]]: tensor<6x5xf32>, %[[R:.*]]: tensor<2x3x5xf32>, %[[B:.*]]: tensor<1x1x5xf32>)
// CHECK:       %[[C:.*]] = tensor.collapse_shape %[[R]] {{\[\[}}0, 1], [2]] : tensor<2x3x5xf32> into tensor<6x5xf32>
// CHECK:       %[[G:.*]] = linalg.generic {{.*}} ins(%[[C]], %[[X]], %[[B]] : tensor<6x5xf32>, tensor<6x5xf32>, tensor<1x1x5xf32>)
// CHECK:       %[[H:.*]] = linalg.generic {{.*}} ins(%[[G]] : tensor<6x5xf32>)
// CHECK:         math.tanh
// CHECK:       %[[E:.*]] = tensor.expand_shape %[[H]] {{\[\[}}0, 1], [2]] output_shape [2, 3, 5] : tensor<6x5xf32> into tensor<2x3x5xf32>
// CHECK:       return %[[E]]
func.func @chain(%x: tensor<6x5xf32>, %r: tensor<2x3x5xf32>, %b: tensor<1x1x5xf32>) -> tensor<2x3x5xf32> {
  %0 = tensor.expand_shape %x [[0, 1], [2]] output_shape [2, 3, 5] : tensor<6x5xf32> into tensor<2x3x5xf32>
  %e = tensor.empty() : tensor<2x3x5xf32>
  %1 = linalg.generic {indexing_maps = [#id, #id, #one, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%r, %0, %b : tensor<2x3x5xf32>, tensor<2x3x5xf32>, tensor<1x1x5xf32>) outs(%e : tensor<2x3x5xf32>) {
  ^bb0(%p: f32, %q: f32, %s: f32, %out: f32):
    %2 = arith.addf %p, %q : f32
    %3 = arith.addf %2, %s : f32
    linalg.yield %3 : f32
  } -> tensor<2x3x5xf32>
  %4 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%1 : tensor<2x3x5xf32>) outs(%e : tensor<2x3x5xf32>) {
  ^bb0(%p: f32, %out: f32):
    %5 = math.tanh %p : f32
    linalg.yield %5 : f32
  } -> tensor<2x3x5xf32>
  return %4 : tensor<2x3x5xf32>
}

// -----

// The reshape splits the dimension that this operand is indexed by: following it would repeat data.
// CHECK-LABEL: func.func @split_dimension
// CHECK:       %[[E:.*]] = tensor.expand_shape %arg0
// CHECK:       linalg.generic {{.*}} ins(%[[E]], %arg1
#id = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#middle = affine_map<(d0, d1, d2) -> (d1)>
func.func @split_dimension(%x: tensor<6x5xf32>, %b: tensor<3xf32>) -> tensor<2x3x5xf32> {
  %0 = tensor.expand_shape %x [[0, 1], [2]] output_shape [2, 3, 5] : tensor<6x5xf32> into tensor<2x3x5xf32>
  %e = tensor.empty() : tensor<2x3x5xf32>
  %1 = linalg.generic {indexing_maps = [#id, #middle, #id], iterator_types = ["parallel", "parallel", "parallel"]} ins(%0, %b : tensor<2x3x5xf32>, tensor<3xf32>) outs(%e : tensor<2x3x5xf32>) {
  ^bb0(%p: f32, %q: f32, %out: f32):
    %2 = arith.addf %p, %q : f32
    linalg.yield %2 : f32
  } -> tensor<2x3x5xf32>
  return %1 : tensor<2x3x5xf32>
}

// -----

// A second use needs the reshaped tensor anyway.
// CHECK-LABEL: func.func @second_use
// CHECK:       %[[E:.*]] = tensor.expand_shape %arg0
// CHECK:       linalg.generic {{.*}} ins(%[[E]]
func.func @second_use(%x: tensor<6x5xf32>) -> (tensor<2x3x5xf32>, tensor<2x3x5xf32>) {
  %0 = tensor.expand_shape %x [[0, 1], [2]] output_shape [2, 3, 5] : tensor<6x5xf32> into tensor<2x3x5xf32>
  %e = tensor.empty() : tensor<2x3x5xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (a, b, c)>, affine_map<(a, b, c) -> (a, b, c)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%0 : tensor<2x3x5xf32>) outs(%e : tensor<2x3x5xf32>) {
  ^bb0(%p: f32, %out: f32):
    %2 = arith.negf %p : f32
    linalg.yield %2 : f32
  } -> tensor<2x3x5xf32>
  return %0, %1 : tensor<2x3x5xf32>, tensor<2x3x5xf32>
}

// -----

// Queries that are scaled on their way to heads: the scale becomes the product's, the permutation stands by itself.
// CHECK-LABEL: func.func @scaled_heads
// CHECK:       %[[PRODUCT:.*]] = "tfmbs.matmul"
// CHECK:       %[[SCALED:.*]] = linalg.generic {{.*}} ins(%[[PRODUCT]] : tensor<5x12xf32>)
// CHECK:       arith.mulf
// CHECK:       %[[HEADS:.*]] = tensor.expand_shape %[[SCALED]]
// CHECK:       linalg.generic {{.*}} ins(%[[HEADS]] : tensor<1x5x3x4xf32>)
// CHECK-NEXT:  ^bb0(%[[X:.*]]: f32, %{{.*}}: f32):
// CHECK-NEXT:  linalg.yield %[[X]]
#rows = affine_map<(d0, d1, d2, d3) -> (d0, d2, d1, d3)>
#id = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
func.func @scaled_heads(%x: tensor<5x8xf32>, %w: tensor<12x8xf32>) -> tensor<1x3x5x4xf32> {
  %scale = arith.constant 0.3 : f32
  %0 = "tfmbs.matmul"(%x, %w) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<5x8xf32>, tensor<12x8xf32>) -> tensor<5x12xf32>
  %1 = tensor.expand_shape %0 [[0, 1], [2, 3]] output_shape [1, 5, 3, 4] : tensor<5x12xf32> into tensor<1x5x3x4xf32>
  %2 = tensor.empty() : tensor<1x3x5x4xf32>
  %3 = linalg.generic {indexing_maps = [#rows, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%1 : tensor<1x5x3x4xf32>) outs(%2 : tensor<1x3x5x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %4 = arith.mulf %in, %scale : f32
    linalg.yield %4 : f32
  } -> tensor<1x3x5x4xf32>
  return %3 : tensor<1x3x5x4xf32>
}

// -----

// Not so what does not come of a product: nothing would take in the scale.
// CHECK-LABEL: func.func @stays
// CHECK:       linalg.generic
// CHECK:       arith.mulf
// CHECK-NOT:   linalg.generic
#rows = affine_map<(d0, d1, d2, d3) -> (d0, d2, d1, d3)>
#id = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
func.func @stays(%x: tensor<5x12xf32>) -> tensor<1x3x5x4xf32> {
  %scale = arith.constant 0.3 : f32
  %1 = tensor.expand_shape %x [[0, 1], [2, 3]] output_shape [1, 5, 3, 4] : tensor<5x12xf32> into tensor<1x5x3x4xf32>
  %2 = tensor.empty() : tensor<1x3x5x4xf32>
  %3 = linalg.generic {indexing_maps = [#rows, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%1 : tensor<1x5x3x4xf32>) outs(%2 : tensor<1x3x5x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %4 = arith.mulf %in, %scale : f32
    linalg.yield %4 : f32
  } -> tensor<1x3x5x4xf32>
  return %3 : tensor<1x3x5x4xf32>
}

// -----

// Results go over a reshaped product, which nobody reads.
// CHECK-LABEL: func.func @only_overwritten
// CHECK:       linalg.generic
func.func @only_overwritten(%x: tensor<5x8xf32>, %w: tensor<12x8xf32>, %z: tensor<5x3x4xf32>) -> tensor<5x3x4xf32> {
  %0 = "tfmbs.matmul"(%x, %w) ({}) {operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>, roles = []} : (tensor<5x8xf32>, tensor<12x8xf32>) -> tensor<5x12xf32>
  %1 = tensor.expand_shape %0 [[0], [1, 2]] output_shape [5, 3, 4] : tensor<5x12xf32> into tensor<5x3x4xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(i, j, k) -> (i, j, k)>, affine_map<(i, j, k) -> (i, j, k)>], iterator_types = ["parallel", "parallel", "parallel"]} ins(%z : tensor<5x3x4xf32>) outs(%1 : tensor<5x3x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %3 = arith.negf %in : f32
    linalg.yield %3 : f32
  } -> tensor<5x3x4xf32>
  return %2 : tensor<5x3x4xf32>
}
