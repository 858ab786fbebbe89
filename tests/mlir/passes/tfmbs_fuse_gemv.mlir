// RUN: tfmbs-opt %s --split-input-file --tfmbs-fuse-gemv | filecheck %s

// Query, key and value of one token: one launch, the densest first; each layer's telemetry survives as a member.
// CHECK-LABEL: func.func @qkv
// CHECK-DAG:   %[[Q:.*]] = arith.constant dense<{{.*}}1.000000e+00, 0.000000e+00{{.*}}> : tensor<2x2xf32>
// CHECK-DAG:   %[[K:.*]] = arith.constant dense<{{.*}}3.000000e+00, 4.000000e+00{{.*}}> : tensor<2x2xf32>
// CHECK-DAG:   %[[V:.*]] = arith.constant dense<{{.*}}5.000000e+00, 0.000000e+00]]> : tensor<1x2xf32>
// CHECK:       %[[Y:.*]]:3 = "tfmbs.fused_gemv"(%arg0, %[[Q]], %[[K]], %[[V]]) ({
// CHECK-NEXT:  })
// CHECK-SAME:    orders = array<i64: 2, 0, 1>
// CHECK-SAME:    telemetry = {fusion_order = 0 : i64, fusion_sparsity = 4.000000e-01 : f64, layer = "k+v+q"
// CHECK-SAME:    members = [{fusion_order = 0 : i64, fusion_sparsity = 4.000000e-01 : f64, layer = "k", sparsity = 0.000000e+00 : f64, total = 4 : i64, zero_count = 0 : i64}
// CHECK-SAME:               {fusion_order = 1 : i64, fusion_sparsity = 4.000000e-01 : f64, layer = "v", sparsity = 5.000000e-01 : f64, total = 2 : i64, zero_count = 1 : i64}
// CHECK-SAME:               {fusion_order = 2 : i64, fusion_sparsity = 4.000000e-01 : f64, layer = "q", sparsity = 7.500000e-01 : f64, total = 4 : i64, zero_count = 3 : i64}]
// CHECK-SAME:    sparsity = 4.000000e-01 : f64, total = 10 : i64, zero_count = 4 : i64}
// CHECK-NOT:   "tfmbs.gemv"
// CHECK:       return %[[Y]]#0, %[[Y]]#1, %[[Y]]#2
func.func @qkv(%x: tensor<1x2xf32>) -> (tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x1xf32>) {
  %q = arith.constant dense<[[1.0, 0.0], [0.0, 0.0]]> : tensor<2x2xf32>
  %0 = "tfmbs.gemv"(%x, %q) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32> loc("q")
  %k = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %1 = "tfmbs.gemv"(%x, %k) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32> loc("k")
  %v = arith.constant dense<[[5.0, 0.0]]> : tensor<1x2xf32>
  %2 = "tfmbs.gemv"(%x, %v) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x2xf32>, tensor<1x2xf32>) -> tensor<1x1xf32> loc("v")
  return %0, %1, %2 : tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x1xf32>
}

// -----

// The same epilogue, on other values: the values per channel of all gemvs lie in launch order (w is denser than v).
// CHECK-LABEL: func.func @epilogues
// CHECK-SAME:    (%[[X:.*]]: tensor<1x2xf32>, %[[S:.*]]: tensor<1xf32>)
// CHECK:       %[[B:.*]] = arith.constant dense<[3.000000e+00, 4.000000e+00, 1.000000e+00]> : tensor<3xf32>
// CHECK:       %[[Y:.*]]:2 = "tfmbs.fused_gemv"(%[[X]], %{{.*}}, %{{.*}}, %[[B]], %[[S]]) ({
// CHECK-NEXT:  ^bb0(%[[ACC:.*]]: f32, %[[C:.*]]: f32, %[[K:.*]]: f32):
// CHECK-NEXT:    %[[P:.*]] = arith.addf %[[ACC]], %[[C]] : f32
// CHECK-NEXT:    %[[Q:.*]] = arith.mulf %[[P]], %[[K]] : f32
// CHECK-NEXT:    "tfmbs.yield"(%[[Q]]) : (f32) -> ()
// CHECK-NEXT:  })
// CHECK-SAME:    orders = array<i64: 1, 0>
// CHECK-SAME:    roles = ["channel", "scalar"]
// CHECK-SAME:    -> (tensor<1x1xf32>, tensor<1x2xf32>)
// CHECK-NOT:   "tfmbs.gemv"
func.func @epilogues(%x: tensor<1x2xf32>, %s: tensor<1xf32>) -> (tensor<1x1xf32>, tensor<1x2xf32>) {
  %v = arith.constant dense<[[5.0, 0.0]]> : tensor<1x2xf32>
  %b = arith.constant dense<[1.0]> : tensor<1xf32>
  %0 = "tfmbs.gemv"(%x, %v, %b, %s) ({
  ^bb0(%acc: f32, %c: f32, %k: f32):
    %p = arith.addf %acc, %c : f32
    %q = arith.mulf %p, %k : f32
    "tfmbs.yield"(%q) : (f32) -> ()
  }) {roles = ["channel", "scalar"], operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 0, 0, 0, 0>} : (tensor<1x2xf32>, tensor<1x2xf32>, tensor<1xf32>, tensor<1xf32>) -> tensor<1x1xf32>
  %w = arith.constant dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>
  %d = arith.constant dense<[3.0, 4.0]> : tensor<2xf32>
  %1 = "tfmbs.gemv"(%x, %w, %d, %s) ({
  ^bb0(%acc: f32, %c: f32, %k: f32):
    %p = arith.addf %acc, %c : f32
    %q = arith.mulf %p, %k : f32
    "tfmbs.yield"(%q) : (f32) -> ()
  }) {roles = ["channel", "scalar"], operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 0, 0, 0, 0>} : (tensor<1x2xf32>, tensor<2x2xf32>, tensor<2xf32>, tensor<1xf32>) -> tensor<1x2xf32>
  return %0, %1 : tensor<1x1xf32>, tensor<1x2xf32>
}

// -----

// Other activations, other kinds of weights, another epilogue, weights that are computed: none of these are siblings.
// CHECK-LABEL: func.func @strangers
// CHECK-NOT:   "tfmbs.fused_gemv"
// CHECK-COUNT-5: "tfmbs.gemv"
func.func @strangers(%x: tensor<1x2xf32>, %y: tensor<1x2xf32>, %w: tensor<2x2xf32>) -> (tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>) {
  %a = arith.constant dense<1.0> : tensor<2x2xf32>
  %t = "tfmbs.constant"() {value = dense<1> : tensor<2x2xi8>} : () -> tensor<2x2x!tfmbs.ternary<"i8">>
  %0 = "tfmbs.gemv"(%x, %a) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  %1 = "tfmbs.gemv"(%y, %a) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  %2 = "tfmbs.gemv"(%x, %t) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x2xf32>, tensor<2x2x!tfmbs.ternary<"i8">>) -> tensor<1x2xf32>
  %3 = "tfmbs.gemv"(%x, %a) ({
  ^bb0(%acc: f32):
    %n = arith.negf %acc : f32
    "tfmbs.yield"(%n) : (f32) -> ()
  }) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  %4 = "tfmbs.gemv"(%x, %w) ({}) {roles = [], operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0, 0, 0, 0>} : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  return %0, %1, %2, %3, %4 : tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>, tensor<1x2xf32>
}
