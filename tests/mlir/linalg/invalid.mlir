// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics --tfmbs-to-linalg

// expected-error @+1 {{result of packed trits, expected one trit per byte}}
func.func @packed(%w: tensor<3x6x!tfmbs.ternary<"i8">>) -> tensor<3x6x!tfmbs.ternary<"pt5">> {
  %0 = "tfmbs.pack"(%w) : (tensor<3x6x!tfmbs.ternary<"i8">>) -> tensor<3x6x!tfmbs.ternary<"pt5">>
  return %0 : tensor<3x6x!tfmbs.ternary<"pt5">>
}

// -----

func.func @power(%x: tensor<4xf32>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %n = arith.constant 3 : i32
    // expected-error @+1 {{function without defined bits}}
    %1 = math.fpowi %a, %n : f32, i32
    linalg.yield %1 : f32
  } -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
