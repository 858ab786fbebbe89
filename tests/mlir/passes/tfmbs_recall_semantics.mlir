// RUN: tfmbs-opt %s --tfmbs-recall-semantics --split-input-file | filecheck %s

#id = affine_map<(d0) -> (d0)>

// A fused op has the semantics of its root, the first in its location.
// CHECK-LABEL: func.func @fused
// CHECK: linalg.generic
// CHECK-SAME: tfmbs.semantics = {number = 3 : i64, pattern = "attention"}
func.func @fused(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = tensor.empty() : tensor<4xf32>
  %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : tensor<4xf32>) outs(%0 : tensor<4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %2 = arith.addf %in, %in : f32
    linalg.yield %2 : f32
  } -> tensor<4xf32> loc(fused[fused<{number = 3 : i64, pattern = "attention"}>["root"],
                               fused<{number = 4 : i64, pattern = "residual_block"}>["sum"]])
  return %1 : tensor<4xf32>
}

// -----

// What is said already stays; metadata of another kind says nothing; constants and ops of other dialects are no work.
// CHECK-LABEL: func.func @kept
// CHECK: arith.constant dense<1.000000e+00>
// CHECK-NOT: number = 2
// CHECK: linalg.exp {tfmbs.semantics = {number = 5 : i64}}
// CHECK: linalg.log ins(
func.func @kept(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = arith.constant dense<1.0> : tensor<4xf32> loc(fused<{number = 2 : i64}>["one"])
  %1 = linalg.exp {tfmbs.semantics = {number = 5 : i64}} ins(%x : tensor<4xf32>) outs(%0 : tensor<4xf32>)
      -> tensor<4xf32> loc(fused<{number = 2 : i64}>["exp"])
  %2 = linalg.log ins(%1 : tensor<4xf32>) outs(%0 : tensor<4xf32>) -> tensor<4xf32> loc(fused<"number">["log"])
  return %2 : tensor<4xf32>
}
