// RUN: tfmbs-opt %s --tfmbs-to-linalg=numerics=portable | filecheck %s
// The dialect's own functions as upstream's; the others stay what they are.

// CHECK-LABEL: func.func @f
// CHECK:       arith.negf
// CHECK:       math.exp
// CHECK:       arith.addf
// CHECK:       arith.divf
// CHECK:       arith.mulf
// CHECK:       math.erf
// CHECK:       arith.addf
// CHECK:       arith.mulf
// CHECK:       math.tan
// CHECK-NOT:   tfmbs
func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]} ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %s = "tfmbs.sigmoid"(%a) : (f32) -> f32
    %g = "tfmbs.gelu"(%s) : (f32) -> f32
    %t = math.tan %g : f32
    linalg.yield %t : f32
  } -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
