// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics --tfmbs-expand-reductions

func.func @two_results(%x: tensor<5xf32>, %a: tensor<f32>, %b: tensor<f32>) -> (tensor<f32>, tensor<f32>) {
  // expected-error @+1 {{sum in a reduction with several results, expected 1, got 2}}
  %0:2 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]} ins(%x : tensor<5xf32>) outs(%a, %b : tensor<f32>, tensor<f32>) {
  ^bb0(%e: f32, %sum: f32, %most: f32):
    %1 = arith.addf %sum, %e : f32
    %2 = arith.maximumf %most, %e : f32
    linalg.yield %1, %2 : f32, f32
  } -> (tensor<f32>, tensor<f32>)
  return %0#0, %0#1 : tensor<f32>, tensor<f32>
}

// -----

func.func @dynamic(%x: tensor<?xf32>, %a: tensor<f32>) -> tensor<f32> {
  // expected-error @+1 {{sum whose loops have no static size}}
  %0 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]} ins(%x : tensor<?xf32>) outs(%a : tensor<f32>) {
  ^bb0(%e: f32, %sum: f32):
    %1 = arith.addf %sum, %e : f32
    linalg.yield %1 : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}
