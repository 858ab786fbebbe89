// RUN: tfmbs-opt %s --split-input-file --verify-diagnostics --tfmbs-expand-tm-tensor

func.func @attention(%q: tensor<1x4x8xf32>, %k: tensor<1x4x8xf32>, %v: tensor<1x4x8xf32>, %o: tensor<1x4x8xf32>) -> tensor<1x4x8xf32> {
  // expected-error@+1 {{tm_tensor.attention has no form in loops}}
  %0 = tm_tensor.attention ins(%q, %k, %v : tensor<1x4x8xf32>, tensor<1x4x8xf32>, tensor<1x4x8xf32>) outs(%o : tensor<1x4x8xf32>) -> tensor<1x4x8xf32>
  return %0 : tensor<1x4x8xf32>
}

// -----

func.func @dynamic(%k: tensor<?xi32>) -> tensor<?xi32> {
  // expected-error@+1 {{tm_tensor.sort: shape, expected static sizes, got tensor<?xi32>}}
  %0 = tm_tensor.sort dimension(0) outs(%k : tensor<?xi32>) {
  ^bb0(%a: i32, %b: i32):
    %1 = arith.cmpi sle, %a, %b : i32
    tm_tensor.yield %1 : i1
  } -> tensor<?xi32>
  return %0 : tensor<?xi32>
}
