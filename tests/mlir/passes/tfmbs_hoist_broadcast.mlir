// RUN: tfmbs-opt --tfmbs-hoist-broadcast --canonicalize %s | filecheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
#column = affine_map<(d0, d1) -> (d1)>

// What depends on the row only, with a special function behind it, is computed once a row, constants from outside too.
// CHECK-LABEL: func.func @rows
// CHECK: %[[ONCE:.*]] = linalg.generic
// CHECK-SAME: iterator_types = ["parallel"]} ins(%arg1 : tensor<4xf32>)
// CHECK: arith.addf
// CHECK: "tfmbs.rsqrt"
// CHECK: linalg.generic
// CHECK-SAME: ins(%arg0, %arg1, %[[ONCE]] : 
// CHECK-NOT: rsqrt
// CHECK: arith.mulf
func.func @rows(%x: tensor<4x64xf32>, %v: tensor<4xf32>) -> tensor<4x64xf32> {
  %epsilon = arith.constant 0.25 : f32
  %0 = tensor.empty() : tensor<4x64xf32>
  %1 = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x, %v : tensor<4x64xf32>, tensor<4xf32>) outs(%0 : tensor<4x64xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %2 = arith.addf %b, %epsilon : f32
    %3 = "tfmbs.rsqrt"(%2) : (f32) -> f32
    %4 = arith.mulf %a, %3 : f32
    linalg.yield %4 : f32
  } -> tensor<4x64xf32>
  return %1 : tensor<4x64xf32>
}

// The number of a loop counts in the loops that are left; reductions are hoisted from as well.
// CHECK-LABEL: func.func @columns
// CHECK: linalg.generic
// CHECK-SAME: iterator_types = ["parallel"]} ins(%arg1 : tensor<64xi32>)
// CHECK: linalg.index 0
// CHECK: arith.divsi
// CHECK: linalg.generic
// CHECK-SAME: iterator_types = ["reduction", "parallel"]
// CHECK-NOT: arith.divsi
// CHECK: arith.muli
func.func @columns(%x: tensor<20x64xi32>, %v: tensor<64xi32>, %init: tensor<64xi32>) -> tensor<64xi32> {
  %0 = linalg.generic {indexing_maps = [#id, #column, #column], iterator_types = ["reduction", "parallel"]}
      ins(%x, %v : tensor<20x64xi32>, tensor<64xi32>) outs(%init : tensor<64xi32>) {
  ^bb0(%a: i32, %b: i32, %sum: i32):
    %1 = linalg.index 1 : index
    %2 = arith.index_cast %1 : index to i32
    %3 = arith.divsi %b, %2 : i32
    %4 = arith.muli %a, %3 : i32
    %5 = arith.addi %sum, %4 : i32
    linalg.yield %5 : i32
  } -> tensor<64xi32>
  return %0 : tensor<64xi32>
}

// Cheap code, and code that all loops change, stays.
// CHECK-LABEL: func.func @stays
// CHECK-COUNT-1: linalg.generic
// CHECK-NOT: linalg.generic
func.func @stays(%x: tensor<4x64xf32>, %v: tensor<4xf32>) -> tensor<4x64xf32> {
  %0 = tensor.empty() : tensor<4x64xf32>
  %1 = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x, %v : tensor<4x64xf32>, tensor<4xf32>) outs(%0 : tensor<4x64xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %2 = arith.mulf %b, %b : f32
    %3 = arith.divf %a, %2 : f32
    linalg.yield %3 : f32
  } -> tensor<4x64xf32>
  return %1 : tensor<4x64xf32>
}
