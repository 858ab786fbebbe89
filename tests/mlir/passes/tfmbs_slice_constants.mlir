// RUN: tfmbs-opt --split-input-file --tfmbs-slice-constants %s | filecheck %s

#slide = affine_map<(d0, d1) -> (d0 + d1)>
#id = affine_map<(d0, d1) -> (d0, d1)>
#one = affine_map<(d0) -> (d0)>

// The place that is read, 3, becomes the offset of the slice, and 0 in the map.
// CHECK: #[[MAP:.*]] = affine_map<(d0) -> (d0, 0)>
// CHECK-LABEL: func.func @third_column
// CHECK: %[[WIDE:.*]] = linalg.generic
// CHECK: %[[SLICE:.*]] = tensor.extract_slice %[[WIDE]][0, 3] [8, 1] [1, 1] : tensor<8x4xf32> to tensor<8x1xf32>
// CHECK: linalg.generic {indexing_maps = [#[[MAP]],
// CHECK-SAME: ins(%[[SLICE]] : tensor<8x1xf32>)
func.func @third_column(%x: tensor<11xf32>, %y: tensor<8x4xf32>, %z: tensor<8xf32>) -> tensor<8xf32> {
  %0 = linalg.generic {indexing_maps = [#slide, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<11xf32>) outs(%y : tensor<8x4xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<8x4xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0, 3)>, #one], iterator_types = ["parallel"]}
      ins(%0 : tensor<8x4xf32>) outs(%z : tensor<8xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<8xf32>
  return %1 : tensor<8xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>
#one = affine_map<(d0) -> (d0)>

// A producer that reads at its own indices only can be fused as it is; so can a dimension of one element.
// CHECK-LABEL: func.func @plain
// CHECK-NOT: tensor.extract_slice
func.func @plain(%x: tensor<8x4xf32>, %s: tensor<8xf32>, %y: tensor<8x1xf32>, %z: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>) {
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<8x4xf32>) outs(%x : tensor<8x4xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<8x4xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0, 3)>, #one], iterator_types = ["parallel"]}
      ins(%0 : tensor<8x4xf32>) outs(%z : tensor<8xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<8xf32>
  %2 = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0 + d1)>, #id], iterator_types = ["parallel", "parallel"]}
      ins(%s : tensor<8xf32>) outs(%y : tensor<8x1xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<8x1xf32>
  %3 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0, 0)>, #one], iterator_types = ["parallel"]}
      ins(%2 : tensor<8x1xf32>) outs(%z : tensor<8xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<8xf32>
  return %1, %3 : tensor<8xf32>, tensor<8xf32>
}
