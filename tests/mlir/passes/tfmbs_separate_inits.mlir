// RUN: tfmbs-opt --split-input-file --tfmbs-separate-inits %s | filecheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>
#t = affine_map<(d0, d1) -> (d1, d0)>

// Of two results, only the init that is read becomes an input, with its own map.
// CHECK-LABEL: func.func @two_results
// CHECK-SAME: (%[[X:.*]]: tensor<2x3xf32>, %[[A:.*]]: tensor<2x3xf32>, %[[B:.*]]: tensor<3x2xi32>)
// CHECK: %[[E:.*]] = tensor.empty() : tensor<3x2xi32>
// CHECK: linalg.generic
// CHECK-SAME: ins(%[[X]], %[[B]] : tensor<2x3xf32>, tensor<3x2xi32>) outs(%[[A]], %[[E]] : tensor<2x3xf32>, tensor<3x2xi32>)
// CHECK: ^bb0(%[[IN:.*]]: f32, %[[OLD:.*]]: i32, %{{.*}}: f32, %{{.*}}: i32):
// CHECK: arith.addi %[[OLD]], %[[OLD]]
func.func @two_results(%x: tensor<2x3xf32>, %a: tensor<2x3xf32>, %b: tensor<3x2xi32>) -> (tensor<2x3xf32>, tensor<3x2xi32>) {
  %0:2 = linalg.generic {indexing_maps = [#id, #id, #t], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<2x3xf32>) outs(%a, %b : tensor<2x3xf32>, tensor<3x2xi32>) {
  ^bb0(%in: f32, %out: f32, %old: i32):
    %1 = arith.addi %old, %old : i32
    linalg.yield %in, %1 : f32, i32
  } -> (tensor<2x3xf32>, tensor<3x2xi32>)
  return %0#0, %0#1 : tensor<2x3xf32>, tensor<3x2xi32>
}

// -----

// A reduction reads its own results: it is left alone.
// CHECK-LABEL: func.func @reduction
// CHECK-NOT: tensor.empty
func.func @reduction(%x: tensor<8xf32>, %y: tensor<f32>) -> tensor<f32> {
  %0 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]}
      ins(%x : tensor<8xf32>) outs(%y : tensor<f32>) {
  ^bb0(%in: f32, %out: f32):
    %1 = arith.addf %in, %out : f32
    linalg.yield %1 : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

// Elements that the code does not write keep those of the init: it is left alone.
// CHECK-LABEL: func.func @part
// CHECK-NOT: tensor.empty
func.func @part(%x: tensor<4xf32>, %y: tensor<8xf32>) -> tensor<8xf32> {
  %0 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0 * 2)>], iterator_types = ["parallel"]}
      ins(%x : tensor<4xf32>) outs(%y : tensor<8xf32>) {
  ^bb0(%in: f32, %out: f32):
    %1 = arith.addf %in, %out : f32
    linalg.yield %1 : f32
  } -> tensor<8xf32>
  return %0 : tensor<8xf32>
}
