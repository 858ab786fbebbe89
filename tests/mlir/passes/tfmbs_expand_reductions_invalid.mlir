// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics --tfmbs-expand-reductions

func.func @part(%x: tensor<5xf32>, %a: tensor<3xf32>) -> tensor<3xf32> {
  // expected-error @+1 {{sum into part of its result}}
  %0 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (1)>], iterator_types = ["reduction"]} ins(%x : tensor<5xf32>) outs(%a : tensor<3xf32>) {
  ^bb0(%e: f32, %sum: f32):
    %1 = arith.addf %sum, %e : f32
    linalg.yield %1 : f32
  } -> tensor<3xf32>
  return %0 : tensor<3xf32>
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
